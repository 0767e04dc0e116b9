"""The shadow: a candidate policy sees what passes, a little later, and does nothing about it.

The hot path hands over references, at the end of an exchange, into a queue that drops what is too much. They are judged on the
event loop in small steps, with pauses four times as long as the work.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from proxy.prompt.draft import Draft
from proxy.road.splitter import Thinking
from proxy.routes.route import Bench
from proxy.shadow.afresh import fresh
from proxy.shadow.compared import Compared, compare
from proxy.shadow.glimpse import Glimpse
from proxy.shadow.judged import Setting, acted, judged
from proxy.shadow.samples import Samples
from proxy.telemetry.shadow import ShadowMetrics

log = logging.getLogger("sluicegate")

REST = 4.0
"""Seconds of pause for a second of work: at most a fifth of a core."""
LONGEST_REST = 2.0
WITHIN = 60.0
"""Seconds for one exchange."""
MOST_CHUNKS = 400_000
"""Chunks of all exchanges that wait: some 100 MB."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    glimpse: Glimpse
    texts: tuple[str, ...]


class Shadow:
    """Compares the policy of each exchange with a candidate. `bench` gives the candidate as it is now."""

    def __init__(
        self, bench: Callable[[], Bench], news: ShadowMetrics, samples: Samples, *, share: float, room: int, thinking: Thinking
    ) -> None:
        self._bench, self._news, self._samples = bench, news, samples
        self._share, self._thinking = share, thinking
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(room)
        self._chunks = 0

    def glimpse(self, draft: Draft) -> Glimpse | None:
        """What will be seen of this exchange; None where it is not among those that are. Before the request is judged."""
        if self._share < 1 and random.random() >= self._share:  # noqa: S311  # a sample, no secret
            return None
        return Glimpse(draft)

    def put(self, glimpse: Glimpse) -> None:
        """An exchange has ended. Never waits."""
        if glimpse.exchange.outcome in ("rejected", "failed"):
            return
        if not glimpse.whole:
            self._news.unseen("too_long")
        elif self._queue.full() or self._chunks + glimpse.size > MOST_CHUNKS:
            self._news.unseen("full")
        else:
            self._chunks += glimpse.size
            self._queue.put_nowait(_Waiting(glimpse, tuple(leaf.text for leaf in glimpse.request.leaves)))

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """While the block runs."""
        task = asyncio.create_task(self._again(), name="shadow")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _again(self) -> None:
        while True:
            waiting = await self._queue.get()
            self._chunks -= waiting.glimpse.size
            began = time.perf_counter()
            try:
                async with asyncio.timeout(WITHIN):
                    await self._tell(waiting.glimpse, await self._compared(waiting))
            except TimeoutError:
                self._news.unseen("late")
            except Exception as error:  # whatever the candidate does, it does it to nobody
                self._news.unseen("failed")
                log.error("shadow: exchange %s: %s", waiting.glimpse.exchange.id, type(error).__name__)
            del waiting  # who waits must keep nobody's text
            await asyncio.sleep(min(LONGEST_REST, REST * (time.perf_counter() - began)))

    async def _compared(self, waiting: _Waiting) -> Compared:
        glimpse = waiting.glimpse
        setting = Setting(glimpse.profile, glimpse.task, self._thinking)
        would = await judged(self._bench(), fresh(glimpse, waiting.texts), glimpse.batches, setting)
        return compare(acted(glimpse.exchange, glimpse.until), would)

    async def _tell(self, glimpse: Glimpse, one: Compared) -> None:
        self._news.compared(one)
        if one.differs:
            live = glimpse.exchange.policy
            shadow = self._bench().policy
            ids = {"at": time.time(), "exchange": glimpse.exchange.id, "policy": live.name, "digest": live.digest}
            await self._samples.add({**ids, "candidate": shadow.name, "candidate_digest": shadow.digest, **one.told()})
