"""Keys and tenants in the database. Every change is one transaction: the row, the notice to all replicas, and who did it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.access.held import AdminKey, CallerKey, Deed, Life, Tenant
from proxy.access.roles import Role
from proxy.access.written import given, stored
from proxy.state.database import Database
from proxy.state.notices import Told, nobody
from proxy.state.tables import ACTIONS, ADMIN_KEYS, KEYS, NOTICES, TENANTS

TOPIC = "keys"


class NotThereError(Exception):
    """There is no such key or tenant, or it cannot be changed as was asked. The text says which, and why."""


class ConflictError(NotThereError):
    """It is there, and in the way of what was asked."""


@dataclass(frozen=True, slots=True)
class Change:
    """All that must be taken in, after some version, to have the version `version`. `whole`: it is all there is."""

    version: int
    whole: bool = False
    tenants: Sequence[Tenant] = ()
    keys: Sequence[CallerKey] = ()
    admins: Sequence[AdminKey] = ()


class KeyStore:
    """The database's keys and tenants. `who` did it goes on record: an administrator's key id, or a user of the command line.

    All methods raise one of `proxy.state.database.GONE` where the database does not answer. `told` is called after each change.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time, *, told: Told = nobody) -> None:
        self._database, self._now, self._told = database, now, told

    # ---- reading

    async def since(self, version: int) -> Change | None:
        """What was written after `version`; None where nothing was; everything where the database is an older copy of itself."""
        async with self._database.reading() as connection:
            current = await connection.scalar(select(NOTICES.c.version).where(NOTICES.c.topic == TOPIC))
            if current is None or current == version:
                return None
            version = version if version < current else 0
            return Change(
                current,
                version <= 0,
                [_tenant(row) for row in await _rows(connection, TENANTS, TENANTS.c.version > version)],
                [_key(row) for row in await _rows(connection, KEYS, KEYS.c.version > version)],
                [_admin(row) for row in await _rows(connection, ADMIN_KEYS, ADMIN_KEYS.c.version > version)],
            )

    async def tenants(self) -> Sequence[Tenant]:
        """All, by name."""
        async with self._database.reading() as connection:
            return [_tenant(row) for row in await _rows(connection, TENANTS, order=TENANTS.c.name)]

    async def keys(self, tenant: str = "") -> Sequence[CallerKey]:
        """All, or those of a tenant; oldest first."""
        which = () if not tenant else (KEYS.c.tenant == tenant,)
        async with self._database.reading() as connection:
            return [_key(row) for row in await _rows(connection, KEYS, *which, order=KEYS.c.created)]

    async def admins(self) -> Sequence[AdminKey]:
        """All, oldest first."""
        async with self._database.reading() as connection:
            return [_admin(row) for row in await _rows(connection, ADMIN_KEYS, order=ADMIN_KEYS.c.created)]

    async def tenant(self, name: str) -> Tenant:
        """The one of this name. Raises `NotThereError`."""
        async with self._database.reading() as connection:
            return _tenant(await _one(connection, TENANTS, TENANTS.c.name, name, "tenant"))

    async def key(self, id: str) -> CallerKey | AdminKey:  # noqa: A002
        """The one with this id, of either kind. Raises `NotThereError`."""
        async with self._database.reading() as connection:
            return await _either(connection, id)

    async def deeds(self, target: str = "", most: int = 100) -> Sequence[Deed]:
        """What was done, the newest first; to one key or tenant, or to all."""
        which = () if not target else (ACTIONS.c.target == target,)
        newest = select(ACTIONS).where(*which).order_by(ACTIONS.c.id.desc()).limit(most)
        async with self._database.reading() as connection:
            return [Deed(row.at, row.who, row.action, row.target, row.details) for row in await connection.execute(newest)]

    # ---- writing

    async def add_tenant(self, tenant: Tenant, who: str) -> None:
        """A new tenant. Raises `NotThereError` where there is one of the name."""
        values = {"name": tenant.name, "note": tenant.note, "limits": given(tenant.limits), "created": round(self._now())}
        try:
            async with self._changing(who, "tenant.create", tenant.name, limits=values["limits"]) as (connection, version):
                await connection.execute(insert(TENANTS).values(**values, version=version))
        except IntegrityError:
            raise ConflictError(f"there is a tenant '{tenant.name}' already") from None

    async def set_tenant(self, name: str, who: str, **values: Any) -> Tenant:
        """Sets `note` or `limits` (a mapping). Raises `NotThereError`."""
        async with self._changing(who, "tenant.change", name, **values) as (connection, version):
            await _set(connection, TENANTS, TENANTS.c.name, name, "tenant", {**values, "version": version})
            return _tenant(await _one(connection, TENANTS, TENANTS.c.name, name, "tenant"))

    async def close_tenant(self, name: str, who: str) -> int:
        """Closes it, and revokes its keys: how many there were. Raises `NotThereError`."""
        now = round(self._now())
        async with self._changing(who, "tenant.close", name) as (connection, version):
            await _set(connection, TENANTS, TENANTS.c.name, name, "tenant", {"closed": now, "version": version})
            mine = (KEYS.c.tenant == name) & KEYS.c.revoked.is_(None)
            done = await connection.execute(update(KEYS).where(mine).values(revoked=now, version=version))
            return done.rowcount

    async def add_key(self, key: CallerKey, who: str) -> None:
        """A new key. Raises `NotThereError` where there is no such tenant, or it is closed."""
        record = {"tenant": key.tenant, "name": key.name, "routes": key.routes, "policies": key.policies, "expires": key.expires}
        async with self._changing(who, "key.create", key.id, limits=given(key.limits), **record) as (connection, version):
            if _tenant(await _one(connection, TENANTS, TENANTS.c.name, key.tenant, "tenant")).closed is not None:
                raise ConflictError(f"the tenant '{key.tenant}' is closed")
            await connection.execute(insert(KEYS).values(**_columns(key), **_shape(key), version=version))

    async def add_admin(self, key: AdminKey, who: str) -> None:
        """A new administrator's key."""
        async with self._changing(who, "admin_key.create", key.id, name=key.name, role=key.role, expires=key.expires) as (
            connection,
            version,
        ):
            await connection.execute(insert(ADMIN_KEYS).values(**_columns(key), role=key.role.value, version=version))

    async def set_key(self, id: str, who: str, **values: Any) -> CallerKey | AdminKey:  # noqa: A002
        """Sets `name`, `routes`, `policies`, `limits` (a mapping) or `expires`. Raises `NotThereError`."""
        async with self._changing(who, "key.change", id, **values) as (connection, version):
            return await self._set_key(connection, id, {**values, "version": version})

    async def rotate(self, id: str, new_hash: str, overlap: int, who: str) -> CallerKey | AdminKey:  # noqa: A002
        """A new secret, and `overlap` seconds in which the one before opens too. Raises `NotThereError`."""
        until = round(self._now()) + overlap
        async with self._changing(who, "key.rotate", id, former_until=until) as (connection, version):
            key = await _either(connection, id)
            former = {"former_hash": key.hash, "former_until": until} if overlap else {"former_hash": None, "former_until": None}
            return await self._set_key(connection, id, {"hash": new_hash, **former, "version": version})

    async def revoke(self, id: str, who: str) -> CallerKey | AdminKey:  # noqa: A002
        """From now on the key opens nothing. Raises `NotThereError`; a key that is revoked already is left as it is."""
        async with self._changing(who, "key.revoke", id) as (connection, version):
            key = await _either(connection, id)
            if key.revoked is not None:
                return key
            return await self._set_key(connection, id, {"revoked": round(self._now()), "version": version})

    async def used(self, ids: Iterable[str], day: str) -> None:
        """Notes the day on which keys opened. No notice: nobody need know at once."""
        among = list(ids)
        async with self._database.writing() as connection:
            for table in (KEYS, ADMIN_KEYS):
                await connection.execute(update(table).where(table.c.id.in_(among)).values(last_used=day))

    async def _set_key(self, connection: AsyncConnection, id: str, values: Mapping[str, Any]) -> CallerKey | AdminKey:  # noqa: A002
        key = await _either(connection, id)
        if key.revoked is not None:
            raise ConflictError(f"the key {id} is revoked; make a new one")
        table = ADMIN_KEYS if isinstance(key, AdminKey) else KEYS
        foreign = sorted(set(values) - set(table.c.keys()))
        if foreign:
            raise NotThereError(f"an administrator's key has no {' and no '.join(foreign)}")
        await connection.execute(update(table).where(table.c.id == id).values(**values))
        return await _either(connection, id)

    @asynccontextmanager
    async def _changing(self, who: str, action: str, target: str, **details: Any) -> AsyncIterator[tuple[AsyncConnection, int]]:
        """A transaction with its notice and its record. The notice's row is locked first, so that versions are in the order in
        which changes can be seen: who has taken in a version has missed none before it."""
        async with self._database.writing() as connection:
            grown = update(NOTICES).where(NOTICES.c.topic == TOPIC).values(version=NOTICES.c.version + 1)
            version = (await connection.execute(grown.returning(NOTICES.c.version))).scalar_one()
            record = {"at": round(self._now()), "who": who[:200], "action": action, "target": target[:200]}
            told = {name: value for name, value in details.items() if value not in (None, (), [], {}, "")}
            await connection.execute(insert(ACTIONS).values(**record, details=told))
            yield connection, version
        await self._told()


async def _rows(connection: AsyncConnection, table: Table, *which: Any, order: Any = None) -> Sequence[Row[Any]]:
    return (await connection.execute(select(table).where(*which).order_by(order))).all()


async def _one(connection: AsyncConnection, table: Table, column: Any, value: str, noun: str) -> Row[Any]:
    row = (await connection.execute(select(table).where(column == value))).one_or_none()
    if row is None:
        raise NotThereError(f"there is no {noun} '{value}'")
    return row


async def _either(connection: AsyncConnection, id: str) -> CallerKey | AdminKey:  # noqa: A002
    row = (await connection.execute(select(ADMIN_KEYS).where(ADMIN_KEYS.c.id == id))).one_or_none()
    return _admin(row) if row is not None else _key(await _one(connection, KEYS, KEYS.c.id, id, "key"))


async def _set(connection: AsyncConnection, table: Table, column: Any, value: str, noun: str, values: Mapping[str, Any]) -> None:
    if (await connection.execute(update(table).where(column == value).values(**values))).rowcount == 0:
        raise NotThereError(f"there is no {noun} '{value}'")


def _columns(key: Life) -> dict[str, Any]:
    return {"id": key.id, "hash": key.hash, "name": key.name, "created": key.created, "expires": key.expires}


def _shape(key: CallerKey) -> dict[str, Any]:
    routes = None if key.routes is None else list(key.routes)
    return {"tenant": key.tenant, "routes": routes, "policies": list(key.policies), "limits": given(key.limits)}


def _life(row: Row[Any]) -> dict[str, Any]:
    names = ("id", "hash", "name", "created", "expires", "revoked", "former_until", "last_used")
    return {**{name: getattr(row, name) for name in names}, "former": row.former_hash}


def _key(row: Row[Any]) -> CallerKey:
    routes = None if row.routes is None else tuple(row.routes)
    return CallerKey(**_life(row), tenant=row.tenant, routes=routes, policies=tuple(row.policies), limits=stored(row.limits))


def _admin(row: Row[Any]) -> AdminKey:
    return AdminKey(**_life(row), role=Role(row.role))


def _tenant(row: Row[Any]) -> Tenant:
    return Tenant(row.name, stored(row.limits), row.note, row.created, row.closed)
