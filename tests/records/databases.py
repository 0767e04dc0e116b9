"""Databases for tests of the ledger, and waiting for what is to happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from proxy.state.database import Database
from proxy.state.migrate import upgrade
from proxy.state.place import place
from tests.services import Postgres


def database_of(address: str) -> Database:
    found = place(address)
    assert found is not None
    return Database(found)


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not true():
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.05)


def prepared(server: Postgres) -> str:
    address = server.database()

    async def migrated() -> None:
        database = database_of(address)
        await upgrade(database)
        await database.aclose()

    asyncio.run(migrated())
    return address
