"""Sealed texts in the database that all replicas share, and the erasures that all of them honour.

An erasure is a row that stays. Whoever brings texts asks for those rows in the same transaction, so that what was erased while it
waited on some disk never arrives. All methods raise one of `proxy.state.database.GONE` where the database does not answer.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, insert, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from proxy.records.erasures import Erasure, Erasures, together
from proxy.records.textstore import Kept, kept_of, line_of
from proxy.state.database import GONE, Database, DatabaseError, reason
from proxy.state.tables import ERASURES, TEXTS

LOCK = 0x7E575
"""Of PostgreSQL's advisory locks: shared by those who bring texts, alone for one who erases."""
PIECE = 1000
"""Rows that are read, or erased because their time is over, in one statement."""


class UnfinishedError(DatabaseError):
    """An erasure stands, and not all that it means is gone from the database yet."""


class SharedTexts:
    """The tables of texts and erasures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, texts: Sequence[Kept], *, keep: bool = True) -> Erasures:
        """Brings texts, each once; those that have been erased are left out. The erasures that may mean any of them.

        With `keep` false nothing is stored.
        """
        async with self._database.writing() as connection:
            await self._locked(connection, "pg_advisory_xact_lock_shared")
            erased = together(map(_erasure, await connection.execute(select(ERASURES).where(_about(texts)))))
            rows = [_row(kept) for kept in texts if keep and not erased.means(kept)]
            if rows:
                insert_one = sqlite.insert if self._database.embedded else postgresql.insert
                await connection.execute(insert_one(TEXTS).on_conflict_do_nothing(), rows)
        return erased

    async def erase(self, erasures: Sequence[Erasure], who: str, at: float, within: float = math.inf) -> tuple[int, bool]:
        """Erases texts, here and on all replicas as soon as they hear of it; how many were here, and whether these are all.

        It stands before the first text goes, in a transaction of its own, and may be said again. Takes about `within` seconds
        at most. Raises `UnfinishedError` where it stands and texts may still be here.
        """
        rows = [
            {"at": at, "who": who[:200], "exchange": one.exchange, "tenant": one.tenant, "before": one.before} for one in erasures
        ]
        async with self._database.writing() as connection:
            await self._locked(connection, "pg_advisory_xact_lock")  # so that numbers are seen in their order, too
            await connection.execute(insert(ERASURES), rows)
        count, end = 0, time.monotonic() + within
        try:
            for one in erasures:
                gone, whole = await self._deleted(_meant(one), end)
                count += gone
                if not whole:
                    return count, False
        except GONE as error:
            raise UnfinishedError(f"the erasure stands, and texts may still be in the database: {reason(error)}") from error
        return count, True

    async def _deleted(self, which: ColumnElement[bool], end: float) -> tuple[int, bool]:
        """Deletes texts in pieces, so that no statement takes long; how many, and whether these are all."""
        some, count = select(TEXTS.c.exchange).where(which).limit(PIECE), 0
        while True:
            async with self._database.writing() as connection:
                gone = (await connection.execute(delete(TEXTS).where(TEXTS.c.exchange.in_(some)))).rowcount
            count += gone
            if gone < PIECE or time.monotonic() > end:
                return count, gone < PIECE

    async def erasures(self, after: int) -> tuple[Sequence[Erasure], int]:
        """Erasures with a greater number than `after`, at most `PIECE`; and the greatest number of them."""
        wanted = select(ERASURES).where(ERASURES.c.number > after).order_by(ERASURES.c.number).limit(PIECE)
        async with self._database.reading() as connection:
            rows = list(await connection.execute(wanted))
        return [_erasure(row) for row in rows], rows[-1].number if rows else after

    async def find(self, exchange: str) -> Kept | None:
        """The texts of one exchange; None where none are kept here."""
        async with self._database.reading() as connection:
            line = await connection.scalar(select(TEXTS.c.line).where(TEXTS.c.exchange == exchange))
        return None if line is None else kept_of(line)

    async def all(self) -> AsyncIterator[str]:
        """Everything that is there, oldest first, as the lines of files."""
        async with self._database.reading() as connection:
            async for line in await connection.stream_scalars(select(TEXTS.c.line).order_by(TEXTS.c.at)):
                yield line

    async def expire(self, now: float) -> int:
        """Erases what has been kept long enough; how many exchanges it was."""
        return (await self._deleted(TEXTS.c.until <= now, math.inf))[0]

    async def _locked(self, connection: AsyncConnection, how: str) -> None:
        if not self._database.embedded:  # an embedded one has one writer at a time
            await connection.execute(text(f"SELECT {how}(:lock)"), {"lock": LOCK})


def _about(texts: Sequence[Kept]) -> ColumnElement[bool]:
    """Erasures that may mean one of these."""
    oldest = min(kept.at for kept in texts)
    tenants = {"", *(kept.tenant for kept in texts)}
    others = and_(
        ERASURES.c.exchange == "", ERASURES.c.tenant.in_(tenants), or_(ERASURES.c.before.is_(None), ERASURES.c.before > oldest)
    )
    return or_(ERASURES.c.exchange.in_([kept.id for kept in texts]), others)


def _meant(one: Erasure) -> ColumnElement[bool]:
    """Texts that an erasure means."""
    sides = [TEXTS.c.exchange == one.exchange] if one.exchange else []
    sides += [TEXTS.c.tenant == one.tenant] if one.tenant else []
    sides += [TEXTS.c.at < one.before] if one.before is not None else []
    assert sides  # noqa: S101  # nobody asks for everything that there ever will be
    return and_(*sides)


def _erasure(row: Row[Any]) -> Erasure:
    return Erasure(row.exchange, row.tenant, row.before)


def _row(kept: Kept) -> dict[str, Any]:
    return {"exchange": kept.id, "at": kept.at, "until": kept.until, "tenant": kept.tenant, "line": line_of(kept).decode()}
