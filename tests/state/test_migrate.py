"""Migrations on real databases: an embedded one, and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, select, text

from proxy.state.database import Database, DatabaseError
from proxy.state.migrate import STEPS, SchemaError, pending, ready, sql, upgrade
from proxy.state.place import place
from proxy.state.tables import METADATA, NOTICES, TENANTS
from tests.services import Postgres

Work = Callable[[Database], Awaitable[Any]]


@pytest.fixture(params=["embedded", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "embedded":
        return str(tmp_path / "gate.db")
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.database()


def on(where: str, work: Work) -> Any:
    found = place(where)
    assert found is not None

    async def opened() -> Any:
        database = Database(found)
        try:
            return await work(database)
        finally:
            await database.aclose()

    return asyncio.run(opened())


def differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA))


def test_the_steps_make_the_tables_that_the_program_uses(where: str) -> None:
    async def work(database: Database) -> None:
        steps = await pending(database)
        assert steps[0].revision == "0001"
        assert await upgrade(database) == steps
        assert list(await pending(database)) == []
        assert list(await upgrade(database)) == []
        async with database.reading() as connection:
            assert await connection.run_sync(differences) == []
            assert (await connection.execute(select(TENANTS.c.name))).scalars().all() == ["default"]
            assert await connection.scalar(select(NOTICES.c.version).where(NOTICES.c.topic == "keys")) == 1

    on(where, work)


def test_many_at_once_migrate_once(where: str) -> None:
    async def work(database: Database) -> None:
        others = [Database(database.place) for _ in range(3)]
        try:
            done = await asyncio.gather(*(upgrade(one) for one in (database, *others)))
        finally:
            for other in others:
                await other.aclose()
        assert sum(map(len, done)) == len(done[0] or done[1] or done[2] or done[3])

    on(where, work)


def test_an_embedded_database_is_brought_up_to_date_and_anothers_is_asked_for(where: str) -> None:
    async def work(database: Database) -> None:
        if database.embedded:
            await ready(database)
        else:
            with pytest.raises(SchemaError, match="run sluicegate migrate"):
                await ready(database)
            await upgrade(database)
        await ready(database)

    on(where, work)


def test_a_schema_from_the_future_is_left_alone(where: str) -> None:
    async def work(database: Database) -> None:
        await upgrade(database)
        async with database.writing() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        for what in (pending, upgrade, ready):
            with pytest.raises(SchemaError, match="newer than this program"):
                await what(database)

    on(where, work)


async def half(database: Database) -> None:
    async with database.writing() as connection:
        row = {"name": "acme", "note": "", "limits": {}, "created": 1, "version": 2}
        await connection.execute(insert(TENANTS).values(**row))
        raise ZeroDivisionError


def test_what_fails_half_way_is_not_there(where: str) -> None:
    async def work(database: Database) -> None:
        await upgrade(database)
        with pytest.raises(ZeroDivisionError):
            await half(database)
        async with database.reading() as connection:
            assert (await connection.execute(select(TENANTS.c.name))).scalars().all() == ["default"]

    on(where, work)


def test_the_statements_can_be_had_without_a_database() -> None:
    for address, kind in (("nowhere.db", "JSON"), ("postgresql://nobody@nowhere.example/gate", "JSON")):
        found = place(address)
        assert found is not None
        statements = sql(found)
        assert "CREATE TABLE keys" in statements
        assert "INSERT INTO tenants" in statements
        assert kind in statements
    assert not Path("nowhere.db").exists()


def test_there_is_one_last_step() -> None:
    assert len(ScriptDirectory(str(STEPS)).get_heads()) == 1


def test_a_database_that_is_not_there_is_told_without_its_password() -> None:
    async def work(database: Database) -> None:
        with pytest.raises(DatabaseError) as caught:
            await pending(database)
        assert "127.0.0.1:1/gate does not answer" in str(caught.value)
        assert "hunter2" not in str(caught.value)

    on("postgresql://gate:hunter2@127.0.0.1:1/gate", work)


def test_an_embedded_database_is_nobody_elses_business(tmp_path: Path) -> None:
    async def work(database: Database) -> None:
        await upgrade(database)

    on(str(tmp_path / "gate.db"), work)
    assert (tmp_path / "gate.db").stat().st_mode & 0o077 == 0


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = place(str(tmp_path / "none" / "gate.db"))
    assert found is not None
    with pytest.raises(DatabaseError, match="cannot be opened: No such file"):
        Database(found)


def test_a_server_takes_what_its_own_tools_take(postgres_server: Postgres, tmp_path: Path) -> None:
    """Several hosts, a name for its lists, an authority of one's own."""
    address = postgres_server.database()
    several = address.replace("@", "@127.0.0.1:1,")  # nobody is at the first

    async def named(database: Database) -> None:
        async with database.reading() as connection:
            assert await connection.scalar(text("SHOW application_name")) == "the gate"

    on(f"{several}?application_name=the%20gate&connect_timeout=3", named)

    async def refused(database: Database) -> None:
        with pytest.raises(DatabaseError, match="does not answer"):
            await pending(database)

    on(f"{address}?sslmode=verify-full&sslrootcert={tmp_path / 'none.pem'}", refused)
