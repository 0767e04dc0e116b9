"""Verdicts in a real Redis: shared, sealed, apart for each tenant, and only ever missed where something is wrong."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from proxy.state.redis import Shared, redis_place
from proxy.state.verdicts import MOST, Outcome, RedisVerdicts
from tests.redis_cluster import cli, two_nodes
from tests.redis_server import RedisServer, free_port, redis_server, running_redis

__all__ = ["redis_server"]
SECRET = b"one secret for all of the replicas"
NAME = ("1", "judge", "options", "acme", "prompt", "How do I pick a lock?", "")
PATIENCE = 30.0


class Heard:
    """Counts outcomes."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def verdicts(self, outcome: Outcome, number: int) -> None:
        self.counts[outcome] += number


class Replica:
    """One of several that share."""

    def __init__(self, verdicts: RedisVerdicts, heard: Heard) -> None:
        self.verdicts, self.heard = verdicts, heard

    async def get(self, *name: str) -> bytes | None:
        (found,) = await self.verdicts.get([name or NAME])
        return found

    async def put(self, verdict: bytes, name: tuple[str, ...] = NAME) -> None:
        """Keeps it, and waits until it is kept, or not."""
        ended = self.heard.counts["kept"] + self.heard.counts["not_kept"]
        self.verdicts.put(name, verdict)
        await until(lambda: self.heard.counts["kept"] + self.heard.counts["not_kept"] > ended)


async def until(happens: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happens():  # noqa: ASYNC110  # what is waited for happens in Redis
            await asyncio.sleep(0.005)


@asynccontextmanager
async def replica(
    url: str,
    secret: bytes = SECRET,
    *,
    prefix: str,
    seconds: int = 60,
    patience: float = PATIENCE,
    now: Callable[[], float] = time.time,
) -> AsyncIterator[Replica]:
    shared = Shared(redis_place(url), timeout=PATIENCE)
    verdicts, heard = RedisVerdicts(shared, secret, prefix=prefix, seconds=seconds, patience=patience, now=now), Heard()
    async with verdicts.watched(heard):
        await until(lambda: verdicts._well)
        yield Replica(verdicts, heard)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(3 * PATIENCE):
            await work()

    asyncio.run(within())


async def raw(url: str, *command: str | int | bytes) -> object:
    shared = Shared(redis_place(url), timeout=PATIENCE)
    try:
        (answer,) = await shared.several([command])
        return answer
    finally:
        await shared.aclose()


async def only_key(url: str, prefix: str) -> str:
    keys = await raw(url, "KEYS", f"{prefix}:verdict:*")
    assert isinstance(keys, list)
    (key,) = keys
    return str(key.decode())


def test_one_knows_what_another_has_put_there(redis_server: RedisServer) -> None:
    async def work() -> None:
        async with replica(redis_server.url, prefix="two") as one, replica(redis_server.url, prefix="two") as other:
            assert await other.get() is None
            await one.put(b'{"s2":0.9}')
            assert await other.get() == b'{"s2":0.9}'
            assert other.heard.counts == {"miss": 1, "hit": 1}

    run(work)


def test_no_text_lies_in_redis_and_a_verdict_has_an_end(redis_server: RedisServer) -> None:
    async def work() -> None:
        async with replica(redis_server.url, prefix="quiet", seconds=60) as one:
            await one.put(b"{}")
            key = await only_key(redis_server.url, "quiet")
            value = await raw(redis_server.url, "GET", key)
            assert isinstance(value, bytes)
            assert not any(part.encode() in key.encode() + value for part in NAME if len(part) > 3)
            assert 0 < int(str(await raw(redis_server.url, "TTL", key))) <= 60

    run(work)


@pytest.mark.parametrize("at", range(len(NAME)))
def test_everything_in_the_name_counts(redis_server: RedisServer, at: int) -> None:
    """The tenant is a part of it, like the side and the text."""
    other = (*NAME[:at], NAME[at] + "x", *NAME[at + 1 :])

    async def work() -> None:
        async with replica(redis_server.url, prefix=f"name{at}") as one:
            await one.put(b"{}")
            assert await one.get(*other) is None
            assert await one.get() == b"{}"

    run(work)


def test_parts_are_told_apart(redis_server: RedisServer) -> None:
    async def work() -> None:
        async with replica(redis_server.url, prefix="parts") as one:
            await one.put(b"{}", ("ab", "c"))
            assert await one.get("a", "bc") is None

    run(work)


def test_another_secret_finds_nothing(redis_server: RedisServer) -> None:
    async def work() -> None:
        async with (
            replica(redis_server.url, prefix="apart") as one,
            replica(redis_server.url, b"x" * 40, prefix="apart") as other,
        ):
            await one.put(b"{}")
            assert await other.get() is None

    run(work)


@pytest.mark.parametrize("seal", [b"", b"{}", b"\0" * 40 + b"{}", b"\xff" * (1 << 20)])
def test_what_is_not_sealed_is_not_there(redis_server: RedisServer, seal: bytes) -> None:
    """Somebody writes "safe" under the name of what was found."""

    async def work() -> None:
        prefix = f"poison{len(seal)}"
        async with replica(redis_server.url, prefix=prefix) as one:
            await one.put(b'{"s2":0.9}')
            await raw(redis_server.url, "SET", await only_key(redis_server.url, prefix), seal)
            assert await one.get() is None
            assert one.heard.counts["hit"] == 0
            assert one.heard.counts["foreign"] == bool(seal)

    run(work)


def test_a_seal_holds_for_its_own_name_only(redis_server: RedisServer) -> None:
    """Somebody copies the verdict "safe" of one text under the name of another."""

    async def work() -> None:
        async with replica(redis_server.url, prefix="copied") as one:
            await one.put(b"{}", ("harmless",))
            copied = await only_key(redis_server.url, "copied")
            safe = await raw(redis_server.url, "GET", copied)
            assert isinstance(safe, bytes)
            await raw(redis_server.url, "DEL", copied)
            await one.put(b'{"s2":0.9}')
            await raw(redis_server.url, "SET", await only_key(redis_server.url, "copied"), safe)
            assert await one.get() is None
            assert one.heard.counts["foreign"] == 1

    run(work)


def test_a_verdict_is_not_kept_alive_by_others(redis_server: RedisServer) -> None:
    clock = [1_000_000.0]

    async def work() -> None:
        async with replica(redis_server.url, prefix="old", seconds=60, now=lambda: clock[0]) as one:
            await one.put(b"{}")
            await raw(redis_server.url, "PERSIST", await only_key(redis_server.url, "old"))
            clock[0] += 59
            assert await one.get() == b"{}"
            clock[0] += 1
            assert await one.get() is None

    run(work)


@pytest.mark.parametrize("flip", [0, 31, 32, 39, 40, -1])
def test_a_single_bit_that_is_another_is_told(redis_server: RedisServer, flip: int) -> None:
    async def work() -> None:
        prefix = f"bit{flip}"
        async with replica(redis_server.url, prefix=prefix) as one:
            await one.put(b'{"s2":0.9}')
            key = await only_key(redis_server.url, prefix)
            value = await raw(redis_server.url, "GET", key)
            assert isinstance(value, bytes)
            bent = bytearray(value)
            bent[flip] ^= 1
            await raw(redis_server.url, "SET", key, bytes(bent))
            assert await one.get() is None
            assert one.heard.counts["foreign"] == 1

    run(work)


def test_a_list_in_the_place_of_a_verdict_is_no_verdict(redis_server: RedisServer) -> None:
    async def work() -> None:
        async with replica(redis_server.url, prefix="list") as one:
            await one.put(b"{}")
            key = await only_key(redis_server.url, "list")
            await raw(redis_server.url, "DEL", key)
            await raw(redis_server.url, "RPUSH", key, "safe")
            assert await one.get() is None
            assert one.heard.counts["foreign"] == 1
            await one.put(b"{}")
            assert await one.get() == b"{}"

    run(work)


def test_many_are_asked_for_at_one_time_and_come_in_their_order(redis_server: RedisServer) -> None:
    async def work() -> None:
        async with replica(redis_server.url, prefix="many") as one:
            for number in range(0, 50, 2):
                await one.put(str(number).encode(), ("n", str(number)))
            found = await one.verdicts.get([("n", str(number)) for number in range(50)])
            assert found == [None if number % 2 else str(number).encode() for number in range(50)]

    run(work)


def test_in_a_cluster_they_lie_on_all_nodes_and_one_that_is_gone_is_a_miss() -> None:
    async def work(one: RedisServer, two: RedisServer) -> None:
        names = [("n", str(number)) for number in range(40)]
        async with replica(f"redis+cluster://127.0.0.1:{one.port}", prefix="sluicegate") as first:
            for name in names:
                await first.put(name[1].encode(), name)
            assert await first.verdicts.get(names) == [name[1].encode() for name in names]
            lie = [int(cli(each.port, "dbsize")) for each in (one, two)]
            assert min(lie) > 1, lie
            two.kill()
            assert await first.verdicts.get(names) == [None] * 40

    with two_nodes() as (one, two):
        run(lambda: work(one, two))


def test_what_is_too_long_is_not_kept(redis_server: RedisServer) -> None:
    async def work() -> None:
        async with replica(redis_server.url, prefix="long") as one:
            await one.put(b"x" * MOST)
            assert one.heard.counts == {"not_kept": 1}

    run(work)


def test_a_redis_that_hangs_costs_little_time_and_no_verdict() -> None:
    async def work(server: RedisServer) -> None:
        async with replica(server.url, prefix="slow", patience=0.02) as one:
            server.pause()
            try:
                assert await one.get() is None
                assert await one.get() is None
                assert one.heard.counts == {"late": 2}
                assert await one.get() is None, "nobody waits for it any more"
                assert one.heard.counts == {"late": 2, "gone": 1}
                await one.put(b"{}")
                assert one.heard.counts["not_kept"] == 1
            finally:
                server.resume()
            await until(lambda: one.verdicts._well)

    with running_redis() as server:
        run(lambda: work(server))


def test_a_redis_that_dies_is_missed_and_found_again() -> None:
    async def work(server: RedisServer) -> None:
        async with replica(server.url, prefix="dead") as one:
            await one.put(b"{}")
            server.kill()
            assert await one.get() is None
            assert one.heard.counts["gone"] == 1
            server.start()
            await until(lambda: one.verdicts._well)
            assert await one.get() is None, "it has forgotten"
            await one.put(b"{}")
            assert await one.get() == b"{}"

    with running_redis() as server:
        run(lambda: work(server))


def test_a_redis_that_was_never_there_is_no_fault() -> None:
    async def work() -> None:
        shared = Shared(redis_place(f"redis://127.0.0.1:{free_port()}"), timeout=PATIENCE)
        verdicts, heard = RedisVerdicts(shared, SECRET), Heard()
        async with verdicts.watched(heard):
            assert await verdicts.get([NAME, NAME]) == [None, None]
            verdicts.put(NAME, b"{}")
        assert heard.counts == {"gone": 2, "not_kept": 1}

    run(work)


@pytest.mark.parametrize(
    "says",
    [
        b"+OK\r\n",
        b":1\r\n",
        b"$-1\r\n",
        b"*0\r\n",
        b"$2\r\n{}\r\n",
        b"-ERR no\r\n",
        b"*1\r\n*1\r\n$1\r\n\xff\r\n",
        b"$x\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\xff\xfe\x00\r\n",
        b"",
    ],
)
def test_nonsense_is_a_miss(says: bytes) -> None:
    """Something answers each line like this that is no Redis, or one that is not well."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while says and (line := await reader.readline()):
                if line.startswith(b"*"):  # a command begins
                    writer.write(says)
                    await writer.drain()
        writer.close()

    async def work() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            verdicts, heard = RedisVerdicts(Shared(redis_place(f"redis://127.0.0.1:{port}"), timeout=1), SECRET), Heard()
            async with verdicts.watched(heard):
                for _ in range(3):
                    verdicts.put(NAME, b"{}")
                    assert await verdicts.get([NAME, ("other",)]) == [None, None]
                    verdicts._well = True  # it is asked even where it did not pass as well
            assert heard.counts["hit"] == 0

    run(work)


def test_a_full_redis_keeps_nothing_and_still_tells() -> None:
    async def work(server: RedisServer) -> None:
        async with replica(server.url, prefix="full") as one:
            await one.put(b"{}")
            await raw(server.url, "CONFIG", "SET", "maxmemory", "1")
            await one.put(b"{}", ("more",))
            assert one.heard.counts["not_kept"] == 1
            assert await one.get() == b"{}"

    with running_redis() as own:
        run(lambda: work(own))


def test_nothing_is_known_before_and_after(redis_server: RedisServer) -> None:
    """A policy's tests judge on event loops of their own."""

    async def work() -> None:
        shared = Shared(redis_place(redis_server.url), timeout=PATIENCE)
        verdicts = RedisVerdicts(shared, SECRET, prefix="loops")
        assert await verdicts.get([NAME]) == [None]
        verdicts.put(NAME, b"{}")
        async with verdicts.watched(Heard()):
            await until(lambda: verdicts._well)
            assert await asyncio.to_thread(lambda: asyncio.run(_get(verdicts))) == [None]
        assert await verdicts.get([NAME]) == [None]
        assert await raw(redis_server.url, "KEYS", "loops:verdict:*") == []

    async def _get(verdicts: RedisVerdicts) -> object:
        verdicts.put(NAME, b"{}")
        return await verdicts.get([NAME])

    run(work)
