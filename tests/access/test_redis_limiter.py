"""Limits in Redis: exact over processes, each exchange counted once, and what happens while Redis is gone."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from proxy.access import redis_limiter
from proxy.access.caller import Caller, Limits
from proxy.access.estimate import Estimate
from proxy.access.limiter import Lease, Silent
from proxy.access.redis_limiter import RedisLimiter, Without
from proxy.errors import ApiError
from proxy.state.redis import Script, Shared, redis_place
from proxy.upstream.protocol import Usage
from tests.redis_server import RedisServer, redis_server, running_redis

__all__ = ["redis_server"]
SMALL = Estimate(10, 20, 10)
SPENT = Usage(10, 90, 60)


@dataclass
class Told(Silent):
    """What the limiter says."""

    backends: list[str] = field(default_factory=list)

    def backend(self, name: str) -> None:
        self.backends.append(name)


@asynccontextmanager
async def limiter(
    server: RedisServer, *, news: Told | None = None, patience: float = 2.0, without: Without = "local", share: int = 1
) -> AsyncIterator[RedisLimiter]:
    shared = Shared(redis_place(server.url), timeout=patience)
    one = RedisLimiter(shared, without=without, share=share, news=news)
    async with one.watched():
        yield one


def caller(**limits: int) -> Caller:
    """A key that no other test has."""
    return Caller(secrets.token_hex(6), "t", limits=Limits(**limits))


async def ask(one: RedisLimiter, who: Caller, estimate: Estimate = SMALL) -> Lease | ApiError:
    try:
        return await one.enter(who, "r", Limits(), estimate)
    except ApiError as error:
        return error


async def used(one: RedisLimiter, who: Caller, index: int) -> int:
    """One of its counts, by its place among the fields of `Limits`."""
    return int(await one._redis._do("HGET", f"sluicegate:{{limits}}:key:{who.key}:used", str(index + 1)) or 0)


async def settled(one: RedisLimiter, who: Caller, index: int, count: int) -> bool:
    """Whether Redis is back, and a count what it should be: what is owed is paid a moment after it left the list."""
    return not one.gone and await used(one, who, index) == count


async def until(true: Callable[[], bool | Awaitable[bool]]) -> None:
    deadline = time.monotonic() + 10
    while True:
        found = true()
        if found if isinstance(found, bool) else await found:
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def run(work: Coroutine[Any, Any, None]) -> None:
    """Not over the edge of a minute: windows that change in the midst would need tests that know it."""
    if (left := 60 - time.time() % 60) < 5:
        time.sleep(left)
    asyncio.run(work)


WORKER = """
import asyncio, sys
from proxy.access.caller import Caller, Limits
from proxy.access.estimate import Estimate
from proxy.access.redis_limiter import RedisLimiter
from proxy.errors import ApiError
from proxy.state.redis import Script, Shared, redis_place

async def main(url, key):
    limiter = RedisLimiter(Shared(redis_place(url), timeout=10), without="refuse")
    caller = Caller(key, "t", limits=Limits(requests_per_minute=100, streams=1000), tenant_limits=Limits(requests_per_day=1000))
    async def one():
        try:
            await limiter.enter(caller, "r", Limits(streams=150), Estimate())
        except ApiError as error:
            assert error.status == 429, error.code
            return 0
        return 1
    async with limiter.watched():
        print(sum(await asyncio.gather(*(one() for _ in range(60)))))

asyncio.run(main(*sys.argv[1:]))
"""


def test_four_processes_let_a_hundred_in_and_not_one_more(redis_server: RedisServer) -> None:
    if (left := 60 - time.time() % 60) < 15:
        time.sleep(left)
    key = secrets.token_hex(6)
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, redis_server.url, key], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    passed = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(passed) == 100
    assert all(worker.returncode == 0 for worker in workers)


def test_what_is_settled_is_counted_once_and_frees_its_place(redis_server: RedisServer) -> None:
    async def play() -> None:
        async with limiter(redis_server) as one:
            who = caller(streams=1, tokens_per_day=1000)
            lease = await one.enter(who, "r", Limits(), SMALL)
            assert lease.headers["x-ratelimit-remaining-tokens"] == "960"
            assert isinstance(await ask(one, who), ApiError)
            for _ in range(3):
                await lease.settle(SPENT)
            assert await used(one, who, 6) == 100
            again = await one.enter(who, "r", Limits(), SMALL)
            await again.release()
            assert await used(one, who, 6) == 100
            assert await used(one, who, 0) == 2

    run(play())


def test_a_limit_on_a_route_holds_for_all_tenants_together(redis_server: RedisServer) -> None:
    async def play() -> None:
        async with limiter(redis_server) as one:
            route = secrets.token_hex(4)
            for tenant in ("a", "b"):
                await one.enter(Caller(tenant, tenant), route, Limits(requests_per_minute=2), SMALL)
            with pytest.raises(ApiError, match="of this route"):
                await one.enter(Caller("c", "c"), route, Limits(requests_per_minute=2), SMALL)

    run(play())


def test_places_of_a_process_that_died_are_free_again(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those of one that lives are kept, for longer than a place lasts."""
    monkeypatch.setattr(redis_limiter, "PLACE", 0.6)
    monkeypatch.setattr(redis_limiter, "RENEWED", 0.1)

    async def play() -> None:
        who, other = caller(streams=1), caller(streams=1)
        async with limiter(redis_server) as lives:
            dead = RedisLimiter(Shared(redis_place(redis_server.url), timeout=2))
            await dead.enter(who, "r", Limits(), SMALL)  # nobody renews its places
            await dead._redis.aclose()
            await lives.enter(other, "r", Limits(), SMALL)
            began = time.monotonic()
            assert isinstance(await ask(lives, who), ApiError)

            async def free() -> bool:
                return not isinstance(await ask(lives, who), ApiError)

            await until(free)
            assert time.monotonic() - began > 0.3
            assert isinstance(await ask(lives, other), ApiError)

    run(play())


def test_gone_and_back_again() -> None:
    """A local share meanwhile; what was used then is counted afterwards, and what began before and ended meanwhile."""

    async def play(server: RedisServer) -> None:
        news = Told()
        async with limiter(server, news=news, share=2) as one:
            who = caller(requests_per_day=100, tokens_per_day=100_000, streams=8)
            before = await one.enter(who, "r", Limits(), SMALL)
            server.kill()
            meanwhile = [await ask(one, who) for _ in range(6)]
            let_in = [each for each in meanwhile if not isinstance(each, ApiError)]
            assert len(let_in) == 4  # half of eight, since two share
            for lease in (before, *let_in):
                await lease.settle(SPENT)
            assert one.gone
            server.start()
            await until(lambda: not one.gone and not one._owed)
            await until(lambda: settled(one, who, 6, 500))
            assert await used(one, who, 1) == 5  # the server forgot the first, which is counted anew
            assert news.backends == ["redis", "local_share", "redis"]

    with running_redis() as server:
        run(play(server))


def test_what_a_server_remembers_is_not_counted_twice() -> None:
    """Killed after it had let an exchange in, and started again with all it knew."""

    async def play(server: RedisServer) -> None:
        async with limiter(server) as one:
            who = caller(tokens_per_day=100_000)
            lease = await one.enter(who, "r", Limits(), SMALL)
            server.kill()
            await lease.settle(SPENT)
            server.start()
            await until(lambda: settled(one, who, 6, 100))
            assert await used(one, who, 1) == 1

    with running_redis(keep=True) as server:
        run(play(server))


def test_refusing_while_redis_is_gone() -> None:
    async def play(server: RedisServer) -> None:
        async with limiter(server, without="refuse") as one:
            who = caller(requests_per_day=100)
            server.kill()
            refused = await ask(one, who)
            assert isinstance(refused, ApiError)
            assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "limits_unavailable", "1")
            await one.enter(Caller(), "r", Limits(), SMALL)  # who has no limits needs no Redis
            server.start()
            await until(lambda: not one.gone)
            assert not isinstance(await ask(one, who), ApiError)

    with running_redis() as server:
        run(play(server))


def test_a_redis_that_does_not_answer_is_not_waited_for_again_and_again() -> None:
    """Stopped, not dead: two wait for the time-out, the others for nothing. What it did all the same is given back."""

    async def play(server: RedisServer) -> None:
        async with limiter(server, patience=0.3) as one:
            who = caller(streams=1000, requests_per_day=1000)
            await one.enter(who, "r", Limits(), SMALL)
            server.pause()
            leases = [await one.enter(who, "r", Limits(), SMALL) for _ in range(2)]
            assert one.gone
            began = time.monotonic()
            leases += [await one.enter(who, "r", Limits(), SMALL) for _ in range(200)]
            assert time.monotonic() - began < 0.3  # not one time-out
            for lease in leases:
                await lease.release()
            server.resume()
            await until(lambda: not one.gone and not one._owed)

            async def one_place() -> bool:
                places = await one._redis._do("ZCARD", f"sluicegate:{{limits}}:key:{who.key}:places")
                return int(places) == 1

            await until(one_place)
            assert await used(one, who, 1) == 203

    with running_redis() as server:
        run(play(server))


def test_killed_and_started_again_under_load_nothing_is_lost() -> None:
    """Each exchange that was let in is counted, once, with its tokens: in the day, since minutes may have passed."""

    async def play(server: RedisServer) -> None:
        async with limiter(server, patience=1) as one:
            who = caller(tokens_per_day=10**9, requests_per_day=10**6, streams=10**6)
            let_in, stop = 0, asyncio.Event()

            async def client() -> None:
                nonlocal let_in
                while not stop.is_set():
                    lease = await one.enter(who, "r", Limits(), SMALL)
                    let_in += 1
                    await asyncio.sleep(0.002)
                    await lease.settle(SPENT)

            clients = [asyncio.create_task(client()) for _ in range(20)]
            for _ in range(3):
                await asyncio.sleep(0.2)
                await asyncio.to_thread(server.kill)
                await asyncio.sleep(0.2)
                await asyncio.to_thread(server.start)
                await until(lambda: not one.gone)
            stop.set()
            await asyncio.gather(*clients)
            await until(lambda: settled(one, who, 6, 100 * let_in))
            assert let_in > 100
            assert (await used(one, who, 1), await used(one, who, 6)) == (let_in, 100 * let_in)

    with running_redis(keep=True) as server:
        run(play(server))


def test_an_answer_that_nobody_understands_takes_nothing(redis_server: RedisServer) -> None:
    """Redis has let the exchange in, what it says of it is lost on the way: the caller's one place is free again."""

    class Garbled(Shared):
        garbled = True

        async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
            said = await super().run(script, keys, arguments)
            return "what?" if self.garbled else said

    async def play() -> None:
        redis = Garbled(redis_place(redis_server.url), timeout=2.0)
        one, who = RedisLimiter(redis), caller(streams=1)
        async with one.watched():
            with pytest.raises(ValueError, match="what"):
                await one.enter(who, "r", Limits(), SMALL)
            redis.garbled = False

            async def free() -> bool:
                return not isinstance(await ask(one, who), ApiError)

            await until(free)

    asyncio.run(play())
