"""The tables. What they look like is fixed by the migrations; a test holds the two together.

Times are Unix seconds. A row's `version` is the notice's version with which it was last written: who keeps a copy in memory asks
for the rows after the version it has.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, ForeignKey, Integer, MetaData, String, Table, Text

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

NOTICES = Table(
    "notices",
    METADATA,
    Column("topic", String(64), primary_key=True),
    Column("version", BigInteger, nullable=False),
)
"""A number per topic (`keys`, `policies`) that grows with every change."""

TENANTS = Table(
    "tenants",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("note", String(200), nullable=False),
    Column("limits", JSON, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("closed", BigInteger),
    Column("version", BigInteger, nullable=False, index=True),
)

KEYS = Table(
    "keys",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("hash", String(128), nullable=False),
    Column("tenant", String(64), ForeignKey("tenants.name"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("routes", JSON(none_as_null=True)),
    Column("policies", JSON, nullable=False),
    Column("limits", JSON, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
    Column("former_hash", String(128)),
    Column("former_until", BigInteger),
    Column("last_used", String(10)),
    Column("version", BigInteger, nullable=False, index=True),
)
"""`last_used` is a day (2026-11-21), UTC. `former_hash` is good until `former_until`: the secret before a rotation."""

ADMIN_KEYS = Table(
    "admin_keys",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("hash", String(128), nullable=False),
    Column("role", String(32), nullable=False),
    Column("name", String(200), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
    Column("revoked", BigInteger),
    Column("former_hash", String(128)),
    Column("former_until", BigInteger),
    Column("last_used", String(10)),
    Column("version", BigInteger, nullable=False, index=True),
)

POLICIES = Table(
    "policies",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("author", String(200), nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("message", String(500), nullable=False, server_default=""),
    Column("activated", BigInteger),
)

ACTIONS = Table(
    "actions",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False, index=True),
    Column("who", String(200), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", String(200), nullable=False),
    Column("details", JSON, nullable=False),
)
"""What administrators did, written with the change itself. Never a secret."""

LEDGER = Table(
    "ledger",
    METADATA,
    Column("writer", String(64), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("at", String(40), nullable=False, index=True),
    Column("event", String(32), nullable=False),
    Column("exchange", String(64), nullable=False, index=True),
    Column("tenant", String(64), nullable=False),
    Column("line", Text, nullable=False),
)
"""A copy of the ledger's lines, each as it stands in its file."""

TEXTS = Table(
    "texts",
    METADATA,
    Column("exchange", String(64), primary_key=True),
    Column("at", Double, nullable=False),
    Column("until", Double, nullable=False, index=True),
    Column("tenant", String(64), nullable=False, index=True),
    Column("line", Text, nullable=False),
)
"""Sealed texts of exchanges, each as it stands in a replica's file. After `until` they are erased."""

ERASURES = Table(
    "erasures",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("who", String(200), nullable=False),
    Column("exchange", String(64), nullable=False, index=True),
    Column("tenant", String(64), nullable=False),
    Column("before", Double),
)
"""Which texts are to go everywhere: an empty `exchange` or `tenant` means all, no `before` those that are still to come too."""
