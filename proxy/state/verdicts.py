"""Verdicts of judges in Redis, which all replicas share: a keyed hash of what was judged, and its sealed scores. Never a text.

Each value is sealed with the same secret, for its own name and until its own end: whoever can write into Redis can neither write
a verdict, nor put one under another name, nor keep one alive. What does not fit its seal is not there. Nothing here can fail a
request: Redis gone, slow or full of nonsense only means that the judge is asked.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, Protocol

from classifiers.remote.cache import keyed
from classifiers.remote.remembered import Name
from proxy.state.redis import GoneError, Shared

Outcome = Literal["hit", "miss", "foreign", "late", "gone", "kept", "not_kept"]

MOST = 16 * 1024
"""Bytes of a value that are read. A verdict has a few hundred."""
SEAL, ENDS = 32, 8
SLOW = 2
"""Answers in a row that did not come in time, after which Redis is left alone until it answers again."""
PROBED = 0.5
"""Seconds between two looks whether it does."""
AT_ONCE = 64
"""Verdicts that are being kept at one time. More are not: the judge will be asked again."""
log = logging.getLogger("sluicegate")


class News(Protocol):
    """Who hears what becomes of it."""

    def verdicts(self, outcome: Outcome, number: int) -> None:
        """So many verdicts were found, missed or kept like this."""
        ...


class Silent:
    """Nobody."""

    def verdicts(self, outcome: Outcome, number: int) -> None:
        return


class RedisVerdicts:
    """See `classifiers.remote.remembered.Verdicts`. Knows nothing unless `watched`, and nothing on other event loops.

    `seconds`: how long a verdict is kept. `patience`: how long a request waits for what others know, in seconds.
    """

    def __init__(
        self,
        redis: Shared,
        secret: bytes,
        *,
        prefix: str = "sluicegate",
        seconds: int = 3600,
        patience: float = 0.05,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._redis, self._prefix, self._seconds, self._patience, self._now = redis, prefix, seconds, patience, now
        self._naming, self._sealing = (keyed(secret[:64], [use, secret]) for use in ("verdict name", "verdict seal"))
        self._news: News = Silent()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._slow, self._well, self._told = 0, False, False
        self._trouble = asyncio.Event()
        self._keeping: set[asyncio.Task[None]] = set()

    # ---- what classifiers ask for

    async def get(self, names: Sequence[Name]) -> Sequence[bytes | None]:
        """See `Verdicts`."""
        if not names or asyncio.get_running_loop() is not self._loop:
            return [None] * len(names)
        if not self._well:
            self._news.verdicts("gone", len(names))
            return [None] * len(names)
        keys = [self._key(name) for name in names]
        try:
            async with asyncio.timeout(self._patience):
                values = await self._redis.several([("GETRANGE", key, 0, MOST - 1) for key in keys])
        except TimeoutError:
            self._failed(GoneError("no answer in time", slow=True))
            self._news.verdicts("late", len(names))
            return [None] * len(names)
        except Exception as error:  # whatever a client makes of nonsense: a request must not fail because of it
            self._failed(error)
            self._news.verdicts("gone", len(names))
            return [None] * len(names)
        self._slow = 0
        return [self._opened(key, value) for key, value in zip(keys, values, strict=True)]

    def put(self, name: Name, verdict: bytes) -> None:
        """See `Verdicts`."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if loop is not self._loop:
            return
        if not self._well or len(self._keeping) >= AT_ONCE or len(verdict) > MOST - SEAL - ENDS:
            self._news.verdicts("not_kept", 1)
            return
        task = loop.create_task(self._keep(self._key(name), verdict))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep(self, key: str, verdict: bytes) -> None:
        try:
            answers = await self._redis.several([("SET", key, self._sealed(key, verdict), "EX", self._seconds)])
        except Exception as error:  # as above
            self._failed(error)
            answers = [error]
        self._news.verdicts("not_kept" if isinstance(answers[0], Exception) else "kept", 1)

    # ---- names and seals

    def _key(self, name: Name) -> str:
        """No hash tag: verdicts lie on all nodes of a cluster."""
        return f"{self._prefix}:verdict:{keyed(self._naming, name).hex()}"

    def _sealed(self, key: str, verdict: bytes) -> bytes:
        ends = (int(self._now()) + self._seconds).to_bytes(ENDS, "big")
        return keyed(self._sealing, [key, ends, verdict]) + ends + verdict

    def _opened(self, key: str, value: Any) -> bytes | None:
        """The verdict in a value; None where it is none of ours, or its time is over."""
        if value == b"":
            self._news.verdicts("miss", 1)
            return None
        if isinstance(value, Exception) and "WRONGTYPE" not in str(value):  # we may not read it, or not here
            self._news.verdicts("gone", 1)
            return None
        if not isinstance(value, bytes) or len(value) < SEAL + ENDS:
            self._news.verdicts("foreign", 1)
            return None
        seal, ends, verdict = value[:SEAL], value[SEAL : SEAL + ENDS], value[SEAL + ENDS :]
        if not hmac.compare_digest(seal, keyed(self._sealing, [key, ends, verdict])):
            self._news.verdicts("foreign", 1)
            return None
        over = int.from_bytes(ends, "big") <= self._now()
        self._news.verdicts("miss" if over else "hit", 1)
        return None if over else verdict

    # ---- whether Redis is there

    @asynccontextmanager
    async def watched(self, news: News) -> AsyncIterator[None]:
        """Asks and keeps while the block runs, on this event loop."""
        self._news, self._loop = news, asyncio.get_running_loop()
        self._trouble.set()
        await self._look()  # the first connection takes longer than a request would wait
        task = self._loop.create_task(self._watch(), name="verdicts")
        try:
            yield
        finally:
            self._loop, self._well = None, False
            task.cancel()
            await asyncio.gather(task, *self._keeping, return_exceptions=True)
            await self._redis.aclose()

    async def _watch(self) -> None:
        """Looks again and again where Redis does not answer, so that no request has to find out whether it does."""
        while True:
            await self._trouble.wait()
            await self._look()
            await asyncio.sleep(PROBED)

    async def _look(self) -> None:
        try:
            await self._redis.ping(f"{self._prefix}:ping")
        except Exception as error:  # as above; and a watch that ended would never share again
            if not self._told:
                log.warning("verdicts: not shared, Redis does not answer: %s", error)
            self._told = True
            return
        self._trouble.clear()
        self._slow, self._well, self._told = 0, True, False
        log.info("verdicts: shared in %s", self._redis.place.shown)

    def _failed(self, error: Exception) -> None:
        self._slow += 1
        slow = isinstance(error, GoneError) and error.slow
        if self._well and (not slow or self._slow >= SLOW):
            log.warning("verdicts: not shared, Redis does not answer: %s", error)
            self._well, self._told = False, True
            self._trouble.set()
