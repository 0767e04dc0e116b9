"""Databases of both kinds, for tests of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.records.databases import prepared
from tests.services import Postgres, own_postgres


@pytest.fixture(params=["embedded", "postgres"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    return str(tmp_path / "gate.db") if request.param == "embedded" else prepared(request.getfixturevalue("postgres_server"))


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A PostgreSQL that tests may kill."""
    with own_postgres() as running:
        yield running
