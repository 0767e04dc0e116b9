"""Policies in the database: every version that was ever pushed, and which of each name is in force.

Every change is one transaction: the row, the notice to all replicas, and who did it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.reload.version import Version
from proxy.state.database import Database
from proxy.state.notices import Told, nobody
from proxy.state.tables import ACTIONS, NOTICES, POLICIES

TOPIC = "policies"


class NoVersionError(Exception):
    """There is no such policy or version. The text says which."""


class PolicyStore:
    """The database's policies. `who` did it goes on record: an administrator's key id, or a user of the command line.

    All methods raise one of `proxy.state.database.GONE` where the database does not answer. `told` is called after each change.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time, *, told: Told = nobody) -> None:
        self._database, self._now, self._told = database, now, told

    async def notice(self) -> int:
        """A number that grows with every change."""
        async with self._database.reading() as connection:
            return int(await connection.scalar(select(NOTICES.c.version).where(NOTICES.c.topic == TOPIC)) or 0)

    async def active(self) -> tuple[int, Mapping[str, Version]]:
        """The versions in force, by name, and the notice that they belong to."""
        async with self._database.reading() as connection:
            notice = await connection.scalar(select(NOTICES.c.version).where(NOTICES.c.topic == TOPIC))
            rows = await connection.execute(select(POLICIES).where(POLICIES.c.active))
            return int(notice or 0), {row.name: _version(row) for row in rows}

    async def history(self, name: str = "") -> Sequence[Version]:
        """All versions of a policy, or of all policies; newest first."""
        which = () if not name else (POLICIES.c.name == name,)
        async with self._database.reading() as connection:
            rows = await connection.execute(select(POLICIES).where(*which).order_by(POLICIES.c.name, POLICIES.c.version.desc()))
            found = [_version(row) for row in rows]
        if name and not found:
            raise NoVersionError(f"there is no policy '{name}' in the store")
        return found

    async def version(self, name: str, version: int = 0) -> Version:
        """One version; 0 is the one in force. Raises `NoVersionError`."""
        async with self._database.reading() as connection:
            return await _one(connection, name, version)

    async def push(self, name: str, text: str, digest: str, who: str, message: str = "", *, activate: bool = True) -> Version:
        """A new version, in force at once unless told otherwise."""
        async with self._changing(who, "policy.push", name, digest=digest, message=message) as connection:
            last = await connection.scalar(select(func.max(POLICIES.c.version)).where(POLICIES.c.name == name))
            new = Version(name, int(last or 0) + 1, digest, text, who[:200], round(self._now()), False, message[:500])
            await connection.execute(insert(POLICIES).values(asdict(new)))
            if activate:
                await self._activate(connection, name, new.version)
            return await _one(connection, name, new.version)

    async def activate(self, name: str, version: int, who: str, action: str = "policy.activate") -> Version:
        """Puts a version in force. Raises `NoVersionError`."""
        async with self._changing(who, action, name, version=version) as connection:
            await _one(connection, name, version)
            await self._activate(connection, name, version)
            return await _one(connection, name, version)

    async def _activate(self, connection: AsyncConnection, name: str, version: int) -> None:
        mine, chosen = POLICIES.c.name == name, POLICIES.c.version == version
        await connection.execute(update(POLICIES).where(mine).values(active=chosen))
        await connection.execute(update(POLICIES).where(mine, chosen).values(activated=round(self._now())))

    @asynccontextmanager
    async def _changing(self, who: str, action: str, target: str, **details: Any) -> AsyncIterator[AsyncConnection]:
        """A transaction with its notice, whose row is locked first, and its record."""
        async with self._database.writing() as connection:
            await connection.execute(update(NOTICES).where(NOTICES.c.topic == TOPIC).values(version=NOTICES.c.version + 1))
            record = {"at": round(self._now()), "who": who[:200], "action": action, "target": target[:200]}
            await connection.execute(insert(ACTIONS).values(**record, details=details))
            yield connection
        await self._told()


async def _one(connection: AsyncConnection, name: str, version: int) -> Version:
    which = POLICIES.c.version == version if version else POLICIES.c.active
    row = (await connection.execute(select(POLICIES).where(POLICIES.c.name == name, which))).one_or_none()
    if row is None:
        said = f"no version {version} of" if version else "no version in force of"
        raise NoVersionError(f"there is {said} a policy '{name}' in the store")
    return _version(row)


def _version(row: Row[Any]) -> Version:
    own = (row.name, row.version, row.digest, row.text, row.author, row.created, row.active, row.message, row.activated)
    return Version(*own)
