"""The ledger of all replicas, out of the database, in pages: each call reads a bounded number of lines.

All methods raise one of `proxy.state.database.GONE` where the database does not answer.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Row, select, tuple_

from proxy.records.chain import unsealed
from proxy.records.story import Question, Story, begun, ended, told
from proxy.records.trail import Fault, Trail
from proxy.state.database import Database
from proxy.state.tables import LEDGER

PIECE = 500
"""Beginnings of exchanges that are read in one statement."""
MOST_READ = 20_000
"""Beginnings that are read for one page, whether they are asked for or not."""
SECONDS = 3.0
"""After so long a page ends, with what it has."""
WHERE = "the database"


@dataclass(frozen=True, slots=True)
class Place:
    """A line in an order of lines."""

    at: str
    writer: str
    seq: int

    def written(self) -> str:
        """As a caller gets it, to go on from there."""
        return base64.urlsafe_b64encode(orjson.dumps([self.at, self.writer, self.seq])).decode().rstrip("=")


def place(written: str) -> Place | None:
    """What `written` gave; None for an empty one. Raises `ValueError`."""
    if not written:
        return None
    try:
        at, writer, seq = orjson.loads(base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise ValueError("it is no place that an answer named (next)") from None
    if not (
        isinstance(at, str) and isinstance(writer, str) and type(seq) is int and 0 <= seq < 1 << 63 and "\0" not in at + writer
    ):
        raise ValueError("it is no place that an answer named (next)")
    return Place(at, writer, seq)


@dataclass(frozen=True, slots=True)
class Page:
    """Exchanges, the ones that began last first; `next` is where to go on, None at the end. A page may hold fewer than asked for,
    or none, and still not be the last."""

    stories: Sequence[Story]
    next: Place | None


@dataclass(frozen=True, slots=True)
class Proof:
    """What is wrong among some lines of the chain, writer by writer; `next` is where to go on, None at the end."""

    lines: int
    faults: Sequence[Fault]
    next: Place | None


class SharedLedger:
    """The table of lines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, question: Question, after: Place | None, limit: int) -> Page:
        """Exchanges, and what administrators did, that are asked for."""
        found, read, end = list[Story](), 0, time.monotonic() + SECONDS
        while read < MOST_READ and time.monotonic() < end:
            rows = await self._beginnings(question, after)
            for row, story in zip(rows, await self._told(rows), strict=True):
                read, after = read + 1, Place(row.at, row.writer, row.seq)
                if question.means(story):
                    found.append(story)
                if len(found) == limit:
                    return Page(found, after)
            if len(rows) < PIECE:
                return Page(found, None)
        return Page(found, after)

    async def _beginnings(self, question: Question, after: Place | None) -> Sequence[Row[Any]]:
        order = (LEDGER.c.at.desc(), LEDGER.c.writer.desc(), LEDGER.c.seq.desc())
        wanted = select(LEDGER).where(*_bounds(question, after)).order_by(*order).limit(PIECE)
        async with self._database.reading() as connection:
            return list(await connection.execute(wanted))

    async def _told(self, rows: Sequence[Row[Any]]) -> Sequence[Story]:
        ids = [row.exchange for row in rows if row.event == "opened"]
        wanted = select(LEDGER.c.exchange, LEDGER.c.line).where(LEDGER.c.exchange.in_(ids), LEDGER.c.event == "closed")
        async with self._database.reading() as connection:
            closings = {row.exchange: row.line for row in await connection.execute(wanted)} if ids else {}
        return [_story(row.line, closings.get(row.exchange) if row.event == "opened" else None) for row in rows]

    async def proof(self, after: Place | None, limit: int) -> Proof:
        """Checks the next `limit` lines, from the one after which to go on. Ends are proven by anchored heads only."""
        here = tuple_(LEDGER.c.writer, LEDGER.c.seq)
        from_there = () if after is None else (here >= tuple_(after.writer, after.seq),)
        wanted = select(LEDGER.c.writer, LEDGER.c.seq, LEDGER.c.line).where(*from_there)
        async with self._database.reading() as connection:
            rows = list(await connection.execute(wanted.order_by(LEDGER.c.writer, LEDGER.c.seq).limit(limit + 1)))
        known = bool(rows) and after is not None and (rows[0].writer, rows[0].seq) == (after.writer, after.seq)
        faults = await asyncio.to_thread(lambda: list(_faults(rows, known)))
        if after is not None and not known:
            faults.insert(
                0, Fault("missing", WHERE, after.seq, f"line {after.seq} of writer {after.writer} is not there any more")
            )
        last = Place("", rows[-1].writer, rows[-1].seq) if len(rows) > limit else None
        return Proof(len(rows) - known, faults, last)


def _bounds(question: Question, after: Place | None) -> list[ColumnElement[bool]]:
    """What indexes can find; the rest is looked for in what they give."""
    bounds: list[ColumnElement[bool]] = [LEDGER.c.event.in_(("opened", "administered"))]
    bounds += [LEDGER.c.at >= question.since] if question.since else []
    bounds += [LEDGER.c.at < question.until] if question.until else []
    bounds += [LEDGER.c.exchange.in_(question.ids)] if question.ids else []
    if after is not None:
        bounds += [
            LEDGER.c.at <= after.at,
            tuple_(LEDGER.c.at, LEDGER.c.writer, LEDGER.c.seq) < tuple_(after.at, after.writer, after.seq),
        ]
    return bounds


def _story(line: str, closing: str | None) -> Story:
    story = begun({name: value for name, value in orjson.loads(line).items() if name != "hash"})
    return story if closing is None else ended(story, told(orjson.loads(closing)))


def _faults(rows: Sequence[Any], known: bool) -> Iterator[Fault]:
    """What is wrong with lines in the order of their numbers; with `known` the first has been checked before."""
    trail: Trail | None = None
    for at, row in enumerate(rows):
        sealed = unsealed(row.line.encode())
        if sealed is None or (sealed.link.writer, sealed.link.seq) != (row.writer, row.seq):
            yield Fault(
                "foreign", WHERE, row.seq, f"what stands as line {row.seq} of writer {row.writer} is another line, or none"
            )
            continue
        if trail is None or trail.writer != row.writer:
            yield from trail.missing() if trail is not None else ()
            trail = Trail(sealed, WHERE, row.seq)
            begins = None if known and at == 0 else trail.joins(None)
            if begins is not None:
                yield begins
        found = list(trail.meet(sealed, row.seq))
        yield from () if known and at == 0 else found
    yield from trail.missing() if trail is not None else ()
