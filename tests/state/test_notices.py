"""Notices over each kind of Redis, and the ears that hear them."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from proxy.state.notices import REST, ByTheClock, Ear, RedisNotices, Topic
from proxy.state.redis import GoneError, Shared, redis_place
from tests.redis_cluster import two_nodes
from tests.redis_server import RedisServer, free_port, redis_server, running_redis

__all__ = ["redis_server"]
PATIENCE = 30.0


class Heard:
    """What was told, as it came."""

    def __init__(self) -> None:
        self.topics: list[Topic] = []
        self.well: asyncio.Queue[bool] = asyncio.Queue()

    def heard(self, topic: Topic) -> None:
        self.topics.append(topic)

    def listening(self, well: bool) -> None:
        self.well.put_nowait(well)


def passed_on(there: str, here: str) -> None:
    """What is told at one address is heard at the other, by those whom it is for."""

    async def play() -> None:
        notices, others, heard = (
            RedisNotices(Shared(redis_place(here), timeout=PATIENCE)),
            RedisNotices(Shared(redis_place(there), timeout=PATIENCE)),
            Heard(),
        )
        keys, policies = notices.ear("keys"), notices.ear("policies")
        async with asyncio.timeout(2 * PATIENCE), notices.watched(heard), others.watched(Heard()):
            for ear in (keys, policies):
                await ear.within(PATIENCE)  # once as it begins to listen
            await others.tell("policies")
            await policies.within(PATIENCE)
            assert heard.topics == ["policies"]
            assert not keys._word.is_set()

    began = time.monotonic()
    asyncio.run(play())
    assert time.monotonic() - began < PATIENCE, "it was heard, not waited out"


def test_one_server(redis_server: RedisServer) -> None:
    passed_on(redis_server.url, redis_server.url)


def test_a_sentinel(tmp_path: Path) -> None:
    with running_redis() as server:
        config = tmp_path / "sentinel.conf"
        config.write_text(f"sentinel monitor main 127.0.0.1 {server.port} 1\nsentinel down-after-milliseconds main 1000\n")
        with running_redis("--sentinel", config=config) as sentinel:
            passed_on(server.url, f"redis+sentinel://127.0.0.1:{sentinel.port}/main/0")


def test_every_node_of_a_cluster_passes_it_on() -> None:
    with two_nodes() as (one, two):
        first, second = (f"redis+cluster://127.0.0.1:{each.port}" for each in (one, two))
        passed_on(first, second)
        passed_on(second, first)
        dead = free_port()
        passed_on(first, f"redis+cluster://127.0.0.1:{dead},127.0.0.1:{two.port}")


def test_without_redis_there_is_the_clock_alone() -> None:
    async def play() -> None:
        notices = ByTheClock()
        async with notices.watched(Heard()):
            await notices.tell("keys")
            await notices.ear("keys").within(0.001)
        await notices.aclose()

    asyncio.run(play())


def test_a_redis_that_hangs_is_noticed() -> None:
    async def play(server: RedisServer) -> None:
        shared = Shared(redis_place(server.url), timeout=PATIENCE)
        try:
            async with asyncio.timeout(2 * PATIENCE), aclosing(shared.words(["a", "b"], 0.05)) as words:
                assert [await anext(words), await anext(words)] == [("a", True), ("b", True)]
                server.pause()
                with pytest.raises(GoneError):
                    await anext(words)
        finally:
            server.resume()
            await shared.aclose()

    with running_redis() as server:
        asyncio.run(play(server))


def test_silence_is_no_fault(redis_server: RedisServer) -> None:
    """Nothing is said for far longer than it takes to ask whether anybody is there."""

    async def play() -> None:
        shared = Shared(redis_place(redis_server.url), timeout=PATIENCE)
        try:
            async with aclosing(shared.words(["quiet"], 2.0)) as words:
                assert await anext(words) == ("quiet", True)
                waiting = asyncio.ensure_future(anext(words))
                done, _ = await asyncio.wait([waiting], timeout=5)
                assert not done
                await shared.publish("quiet", "look")
                async with asyncio.timeout(PATIENCE):
                    assert await waiting == ("quiet", False)
        finally:
            await shared.aclose()

    asyncio.run(play())


def test_nobody_there_is_no_fault_of_who_tells() -> None:
    async def play() -> None:
        notices, heard = RedisNotices(Shared(redis_place(f"redis://127.0.0.1:{free_port()}"), timeout=PATIENCE)), Heard()
        async with asyncio.timeout(PATIENCE), notices.watched(heard):
            await notices.tell("keys")
            assert await heard.well.get() is False

    asyncio.run(play())


def test_an_ear_rests_between_two_words() -> None:
    async def play() -> None:
        ear = Ear()
        ear.hear()
        await ear.within(PATIENCE)
        began = time.monotonic()
        for _ in range(100):
            ear.hear()
        await ear.within(PATIENCE)
        assert time.monotonic() - began >= REST * 0.9
        assert not ear._word.is_set(), "a hundred words are one look"

    asyncio.run(play())


def test_an_ear_without_a_word_waits_for_the_clock() -> None:
    began = time.monotonic()
    asyncio.run(Ear().within(0.05))
    assert time.monotonic() - began >= 0.045
