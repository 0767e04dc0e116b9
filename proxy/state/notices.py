"""Word among replicas that something has changed in the database, over Redis' pub/sub. A notice only says: look.

What is looked at is the database, as it is by the clock anyway. So a notice that is lost costs the time until the next look, and
one that is forged costs a look. What a notice says is not read.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Literal, Protocol, get_args

from proxy.state.redis import Shared

Topic = Literal["keys", "policies"]
TOPICS: tuple[Topic, ...] = get_args(Topic)
Told = Callable[[], Awaitable[None]]
"""Called when a change is in the database. Raises nothing."""


async def nobody() -> None:
    """Tells nobody."""


REST = 0.1
"""Seconds between two looks for which there was word: who floods the channel must not flood the database."""
SILENCE = 10.0
"""Seconds without any word after which it is asked whether anybody is there."""
AGAIN = 1.0
"""Seconds until it is tried to listen again."""
log = logging.getLogger("sluicegate")


class Ear:
    """What lets somebody who looks by the clock look before it is time."""

    def __init__(self) -> None:
        self._word = asyncio.Event()
        self._rest = 0.0

    def hear(self) -> None:
        """There is word."""
        self._word.set()

    async def within(self, seconds: float) -> None:
        """Returns when there is word, and after `seconds` in any case."""
        try:
            async with asyncio.timeout(seconds):
                await self._word.wait()
                await asyncio.sleep(max(0.0, self._rest - time.monotonic()))
        except TimeoutError:
            return
        self._word.clear()
        self._rest = time.monotonic() + REST


class News(Protocol):
    """Who hears how it goes."""

    def heard(self, topic: Topic) -> None:
        """There was word of a change."""
        ...

    def listening(self, well: bool) -> None:
        """Whether word would be heard from now on."""
        ...


class Notices(Protocol):
    """The channel between replicas."""

    def ear(self, topic: Topic) -> Ear:
        """An ear for one who follows the topic."""
        ...

    async def tell(self, topic: Topic) -> None:
        """Lets all replicas look. Raises nothing: who does not hear it looks by the clock."""
        ...

    def watched(self, news: News) -> AbstractAsyncContextManager[None]:
        """Listens while the block runs, and closes the connections at its end."""
        ...

    async def aclose(self) -> None:
        """Closes the connections."""
        ...


class ByTheClock:
    """No channel: everybody looks when it is time."""

    def ear(self, topic: Topic) -> Ear:
        """See `Notices`."""
        return Ear()

    async def tell(self, topic: Topic) -> None:
        """See `Notices`."""
        return

    @asynccontextmanager
    async def watched(self, news: News) -> AsyncIterator[None]:
        """See `Notices`."""
        yield

    async def aclose(self) -> None:
        """See `Notices`."""
        return


class RedisNotices:
    """See `Notices`. In a cluster, every node passes on what any of them is told."""

    def __init__(self, redis: Shared, prefix: str = "sluicegate") -> None:
        self._redis = redis
        self._channels: dict[Topic, str] = {topic: f"{prefix}:look:{topic}" for topic in TOPICS}
        self._ears: dict[Topic, list[Ear]] = {topic: [] for topic in TOPICS}

    def ear(self, topic: Topic) -> Ear:
        """See `Notices`."""
        ear = Ear()
        self._ears[topic].append(ear)
        return ear

    async def tell(self, topic: Topic) -> None:
        """See `Notices`."""
        try:
            await self._redis.publish(self._channels[topic], "look")
        except Exception as error:  # whatever it is: the change is made
            log.info("notices: %s have changed, and Redis cannot pass it on: %s", topic, error)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._redis.aclose()

    @asynccontextmanager
    async def watched(self, news: News) -> AsyncIterator[None]:
        """See `Notices`."""
        task = asyncio.create_task(self._listen(news), name="notices")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.aclose()

    async def _listen(self, news: News) -> None:
        """For ever. Whoever begins to listen looks once: there may have been word before."""
        topics, failing = {channel: topic for topic, channel in self._channels.items()}, False
        while True:
            try:
                async with aclosing(self._redis.words(list(topics), SILENCE)) as words:
                    async for channel, begun in words:
                        news.listening(True)
                        failing = False
                        if not begun:
                            news.heard(topics[channel])
                        for ear in self._ears[topics[channel]]:
                            ear.hear()
            except Exception as error:  # whatever it is: nobody would listen any more
                news.listening(False)
                if not failing:
                    log.warning("notices: not heard (%s); changes are looked for by the clock", error)
                failing = True
            await asyncio.sleep(AGAIN)
