"""One database for everything that outlives a process: SQLite embedded, or PostgreSQL for many replicas.

SQLAlchemy is imported with this module, and this module only where a database is used.
"""

from __future__ import annotations

import errno
import importlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from proxy.state.place import SHARED, Place

PATIENCE = 5.0
"""Seconds for a connection, for a statement, and for another writer of the embedded database to finish."""

CONNECTIONS = 4
"""Per process, to a server: the hot path asks the database nothing."""


class DatabaseError(Exception):
    """The database cannot be used. The text says which, why, and what to do."""


GONE = (DatabaseError, OSError, TimeoutError, SQLAlchemyError)
"""What is raised where the database cannot be reached, or does not answer."""


class Database:
    """Connections to one database. `reading` and `writing` are transactions, and end as their blocks end.

    Both raise one of `GONE` where the database is not there.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._engine = _engine(place)

    @property
    def embedded(self) -> bool:
        """Whether it is a file of ours."""
        return self.place.file is not None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that only looks."""
        async with self._connected() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes something: done as a whole, or not at all."""
        async with self._connected() as connection:
            await connection.execution_options(writes=True)
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        try:
            connection = await self._engine.connect()
        except Exception as error:  # drivers raise their own, each its kind, while there is no connection yet
            raise DatabaseError(f"the database {self.place.shown} does not answer: {reason(error)}") from error
        try:
            yield connection
        finally:
            await connection.close()

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._engine.dispose()


def _engine(place: Place) -> AsyncEngine:
    if place.file is None:
        return _server(place)
    try:
        _made(place.file)
    except OSError as error:
        raise DatabaseError(f"the database {place.shown} cannot be opened: {error.strerror}") from error
    engine = create_async_engine(place.url, connect_args={"timeout": PATIENCE})
    event.listen(engine.sync_engine, "connect", _prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _made(file: Path) -> None:
    """Makes the file where there is none. One that is there must not be opened and closed again: that would take away the locks
    of this process on it (POSIX), and another process would delete SQLite's log under the connections that are open here."""
    if not file.exists():
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # hashes are nobody else's business
    elif not file.is_file():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    elif not os.access(file, os.R_OK | os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _prepare(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun by `_begin`, so that they hold for DDL too
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")  # readers and one writer do not wait for each other
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer says so at once: SQLite refuses, without waiting, to let one that has read become one.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def _server(place: Place) -> AsyncEngine:
    try:
        asyncpg: Any = importlib.import_module("asyncpg")  # it has no types

        async def connected() -> Any:
            return await asyncpg.connect(place.server, timeout=PATIENCE, command_timeout=PATIENCE)

        return create_async_engine(
            f"{SHARED}://",
            async_creator=connected,
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=PATIENCE,
            pool_recycle=1800,
            pool_pre_ping=True,
        )
    except ModuleNotFoundError as error:
        raise DatabaseError("PostgreSQL needs a package that is not here: pip install 'sluicegate[postgres]'") from error


def reason(error: BaseException) -> str:
    """Why, in a few words without statements or values."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return next(iter(str(cause).splitlines()), "")[:200] or type(cause).__name__
