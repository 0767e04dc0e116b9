"""Sends sealed texts on to the database, and erases here what was erased there.

One worker per ledger does it, the same that sends the ledger's lines. Of everything that is new on the disk it
is asked first whether it was erased while it waited, or while its exchange still ran.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.records.erasures import Erasure, together
from proxy.records.textspool import Position, TextFollower
from proxy.records.textstore import TextStore

if TYPE_CHECKING:
    from proxy.records.shared_texts import SharedTexts
    from proxy.state.database import Database

EXPIRE_EVERY = 3600.0
"""Seconds between two looks for texts in the database that were kept long enough."""
MOST_AT_ONCE = 50_000
"""Erasures for which the files are read once."""


class TextShipper:
    """What the ledger's shipper does about texts. With `send` false texts stay here, and erasures are honoured all the same."""

    def __init__(self, store: TextStore, mark: Path, database: Database, *, send: bool) -> None:
        self._store, self._follower, self._send = store, TextFollower(store, mark), send
        self._database = database
        self._position: Position | None = None
        self._heard = 0  # all that was ever erased is heard again at the start: files may have come back from a backup
        self._expire = 0.0

    async def once(self) -> int:
        """Honours new erasures and sends the next texts; how many bytes it went on by. Raises `OSError` or one of `GONE`."""
        from proxy.records.shared_texts import SharedTexts

        shared = SharedTexts(self._database)
        await self._honour(shared)
        if time.monotonic() >= self._expire:
            await shared.expire(time.time())
            self._expire = time.monotonic() + EXPIRE_EVERY
        return await self._sent(shared)

    async def _honour(self, shared: SharedTexts) -> None:
        while True:
            new, heard = await self._new(shared)
            if not new:
                return
            await asyncio.to_thread(self._store.erase, together(new).means)
            self._heard = heard

    async def _new(self, shared: SharedTexts) -> tuple[Sequence[Erasure], int]:
        new, heard = list[Erasure](), self._heard
        while len(new) < MOST_AT_ONCE:
            more, heard = await shared.erasures(heard)
            if not more:
                break
            new += more
        return new, heard

    async def _sent(self, shared: SharedTexts) -> int:
        before = self._position if self._position is not None else await asyncio.to_thread(self._follower.position)
        texts, after = await asyncio.to_thread(self._follower.read, before)
        if texts:
            erased = await shared.add(texts, keep=self._send)
            if any(map(erased.means, texts)):
                await asyncio.to_thread(self._store.erase, erased.means)
        if after != before:
            await asyncio.to_thread(self._follower.remember, after)
        self._position = after
        return sum(after.values()) - sum(before.get(name, 0) for name in after)
