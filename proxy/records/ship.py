"""Sends the ledger on to the database, from the local files: each line once, in the background, and again when it is back.

The files are what counts; the database has a copy for all replicas together. One worker per ledger file does it, and another
takes over when that one is gone. A line is known by its writer and number, so that one that is sent twice is there once.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from proxy.records.chain import unsealed
from proxy.records.spool import Contact, Follower, Position, Spool

if TYPE_CHECKING:
    from proxy.records.ship_texts import TextShipper
    from proxy.state.database import Database

log = logging.getLogger("sluicegate")

EVERY = 0.5
"""Seconds between two looks at the files while nothing waits."""
LONGEST_PAUSE = 5.0
"""Seconds at most between two tries while the database is gone."""


class News(Protocol):
    """Who hears how shipping goes."""

    def waiting(self, size: int, lines: int, texts: int) -> None:
        """So many bytes and lines of the ledger wait to be sent on, and so many bytes of sealed texts."""
        ...

    def unshipped(self, failed: int) -> None:
        """So many tries have failed."""
        ...

    def refusing(self, full: bool) -> None:
        """Whether new exchanges are refused, since no more may wait."""
        ...


class Shipper:
    """Sends what stands in the ledger's files to the database, sealed texts too with `texts`. `contact` hears of each success."""

    def __init__(self, path: Path, database: Database, texts: TextShipper | None = None, contact: Contact | None = None) -> None:
        self._follower, self._database, self._texts, self._contact = Follower(path), database, texts, contact
        self._lock_path = path.with_name(path.name + ".shipped.lock")
        self._lock = -1
        self._ready = False
        self._position: Position | None = None

    def leads(self) -> bool:
        """Whether this worker is the one that sends; tries to become it. Raises `OSError`."""
        if self._lock < 0:
            lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                return False
            self._lock, self._position = lock, None
        return True

    async def once(self) -> int:
        """Sends the next lines, and the next texts; 0 where all is sent.

        Raises `OSError` or one of `proxy.state.database.GONE`: then it is tried again.
        """
        from proxy.state.migrate import ready

        if not self._ready:
            await ready(self._database)
            self._ready = True
        before = self._position if self._position is not None else await asyncio.to_thread(self._follower.position)
        lines, after = await asyncio.to_thread(self._follower.read, before)
        if lines:
            await _sent(self._database, lines)
            await asyncio.to_thread(self._follower.remember, after)
        self._position = after
        moved = await self._texts.once() if self._texts is not None else 0
        if self._contact is not None:
            await asyncio.to_thread(self._contact.made)
        return len(lines) + moved

    async def aclose(self) -> None:
        """Lets another worker take over."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        await self._database.aclose()


async def shipping(shipper: Shipper, news: News) -> None:
    """Sends lines for ever."""
    from proxy.state.database import GONE, reason

    failed, pause = 0, EVERY
    while True:
        try:
            sent = await shipper.once() if shipper.leads() else 0
        except (OSError, *GONE) as error:
            if pause == EVERY:
                log.warning("the ledger waits on the disk, the database does not take it: %s", reason(error))
            failed, pause = failed + 1, min(pause * 2, LONGEST_PAUSE)
            news.unshipped(failed)
            await asyncio.sleep(pause)
            continue
        if pause > EVERY:
            log.warning("the database takes the ledger again")
        pause = EVERY
        if not sent:
            await asyncio.sleep(EVERY)


async def watching(spool: Spool, news: News) -> None:
    """Looks for ever at how much waits."""
    while True:
        try:
            size, lines = await asyncio.to_thread(spool.look)
            news.waiting(size, lines, spool.texts)
            news.refusing(spool.full)
        except OSError as error:
            log.error("the waiting lines of the ledger cannot be counted: %s", error.strerror)
        await asyncio.sleep(EVERY)


async def _sent(database: Database, lines: Iterable[bytes]) -> None:
    """Puts lines into the table, those left out that are there, and rows that are no lines of a chain."""
    from sqlalchemy.dialects import postgresql, sqlite

    from proxy.state.tables import LEDGER

    rows = [row for row in map(_row, lines) if row is not None]
    if not rows:
        return
    insert = sqlite.insert if database.embedded else postgresql.insert
    async with database.writing() as connection:
        await connection.execute(insert(LEDGER).on_conflict_do_nothing(), rows)


def _row(line: bytes) -> dict[str, Any] | None:
    sealed = unsealed(line)
    if sealed is None or not sealed.intact:
        return None  # the files show it; a copy of it would prove nothing
    record, link = sealed.record, sealed.link
    return {
        "writer": link.writer,
        "seq": link.seq,
        "hash": link.hash,
        "at": str(record.get("at", "")),
        "event": str(record.get("event", "")),
        "exchange": str(record.get("id", "")),
        "tenant": str(record.get("tenant", "")),
        "line": line.decode(),
    }
