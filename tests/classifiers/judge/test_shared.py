"""Two proxies with one Redis and one judge: what the judge told the one, the other does not ask. And what may not be believed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from classifiers.finding import Channel, Context, Finding, Passage
from classifiers.judge import Judge
from classifiers.judge.judge import JudgeOptions
from classifiers.registry import Registry
from classifiers.remote import Remote
from classifiers.remote.remembered import Name
from classifiers.remote.remote import RemoteOptions
from policies.bind import Builder
from proxy.settings import Settings
from proxy.state.redis import Shared, redis_place
from proxy.state.sharing import NO_SECRET, verdicts_of
from tests.classifiers.judge.bench import completion
from tests.classifiers.judge.test_on_the_road import judging, policy
from tests.classifiers.remote.server import Server, serving
from tests.fake_model import FakeModel, fake_model
from tests.redis_server import RedisServer, redis_server, running_redis
from tests.stack import Stack, stack

__all__ = ["redis_server"]
SECRET = "a secret that every replica of this test knows"
BAD, GOOD = "Where is my pick?", "Where is my hat?"


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with fake_model(scenes=[{"say": "On the hook."}]) as served:
        yield served


@contextmanager
def replicas(
    judge: Server, model: FakeModel, redis: RedisServer, prefix: str, number: int = 2, **more: Any
) -> Iterator[list[Stack]]:
    """As many proxies as are asked for, each with caches of its own."""
    shared = {"redis_url": redis.url, "redis_prefix": prefix, "verdict_cache": "redis", "verdict_cache_timeout": 10.0}
    written = policy(judge).replace("on: [prompt, answer]", "on: [prompt]")
    with ExitStack() as all_of_them:
        every = [
            all_of_them.enter_context(stack(written, model.url, **{**shared, "verdict_cache_secret": SECRET, **more}))
            for _ in range(number)
        ]
        yield every


def counted(proxy: Stack, outcome: str) -> float:
    begin = f'sluicegate_verdict_cache_total{{outcome="{outcome}"}} '
    lines = proxy.client.get(f"{proxy.root}/metrics").text.splitlines()
    return next((float(line.removeprefix(begin)) for line in lines if line.startswith(begin)), 0.0)


def until(happens: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


def kept(proxy: Stack, text: str, count: int = 1) -> int:
    """Asks until `count` verdicts are in Redis: it may not be connected yet, and what is not kept is asked again elsewhere."""
    before = counted(proxy, "kept")
    status = proxy.ask(text).status_code
    until(lambda: counted(proxy, "kept") + counted(proxy, "not_kept") >= before + count)
    return status


def connected(*proxies: Stack) -> None:
    """Waits until each of them has had an answer from Redis, about texts that no test uses."""
    for number, proxy in enumerate(proxies):
        turn = 0
        while not counted(proxy, "miss"):
            assert proxy.ask(f"unused {number} {turn}").status_code == 200
            turn += 1


def values(redis: RedisServer, prefix: str) -> list[tuple[str, bytes]]:
    async def read() -> list[tuple[str, bytes]]:
        shared = Shared(redis_place(redis.url), timeout=30)
        try:
            (keys,) = await shared.several([("KEYS", f"{prefix}:verdict:*")])
            return list(zip([key.decode() for key in keys], await shared.several([("GET", key) for key in keys]), strict=True))
        finally:
            await shared.aclose()

    return asyncio.run(read())


def written(redis: RedisServer, pairs: list[tuple[str, bytes]]) -> None:
    async def write() -> None:
        shared = Shared(redis_place(redis.url), timeout=30)
        try:
            await shared.several([("SET", key, value) for key, value in pairs])
        finally:
            await shared.aclose()

    asyncio.run(write())


@pytest.mark.parametrize(("text", "status"), [(BAD, 400), (GOOD, 200)])
def test_the_second_server_does_not_ask_the_judge(model: FakeModel, redis_server: RedisServer, text: str, status: int) -> None:
    with serving(judging) as judge, replicas(judge, model, redis_server, f"second{status}") as (one, other):
        connected(one, other)
        judge.tell(judging)
        assert kept(one, text) == status
        assert len(judge.asked) == 1
        assert other.ask(text).status_code == status
        assert counted(other, "hit") == 1
        assert other.ask(text).status_code == status
        assert counted(other, "hit") == 1, "the second time it knows by itself"
        assert len(judge.asked) == 1


def test_poison_is_not_believed(model: FakeModel, redis_server: RedisServer) -> None:
    """Somebody who can write into Redis puts the verdict of a harmless text under every name."""
    with serving(judging) as judge, replicas(judge, model, redis_server, "poisoned") as (one, other):
        connected(one, other)
        kept(one, GOOD)
        before = dict(values(redis_server, "poisoned"))
        safe = max(before.values())
        kept(one, BAD)
        (bad,) = [key for key, _ in values(redis_server, "poisoned") if key not in before]
        judge.tell(judging)
        written(redis_server, [(bad, safe)])
        assert other.ask(BAD).status_code == 400
        assert counted(other, "foreign") == 1
        assert counted(other, "hit") == 0
        assert len(judge.asked) == 1


def test_a_redis_that_dies_in_between_costs_no_request() -> None:
    with (
        fake_model(scenes=[{"say": "On the hook."}]) as model,
        running_redis() as redis,
        serving(judging) as judge,
        replicas(judge, model, redis, "dies") as (one, other),
    ):
        connected(one, other)
        kept(one, BAD)
        redis.kill()
        judge.tell(judging)
        for turn in range(5):
            assert other.ask(f"{BAD} {turn}").status_code == 400
            assert other.ask(f"{GOOD} {turn}").status_code == 200
        assert other.ask(BAD).status_code == 400
        assert len(judge.asked) == 11
        assert counted(other, "gone") + counted(other, "late") == 11
        redis.start()
        turns = iter(range(10_000))

        def back() -> bool:
            other.ask(f"after {next(turns)}")
            return counted(other, "kept") > 0

        until(back)


def test_replicas_with_another_secret_share_nothing(model: FakeModel, redis_server: RedisServer) -> None:
    with (
        serving(judging) as judge,
        replicas(judge, model, redis_server, "strange", 1) as (one,),
        replicas(judge, model, redis_server, "strange", 1, verdict_cache_secret=SECRET[::-1]) as (other,),
    ):
        connected(one, other)
        kept(one, BAD)
        judge.tell(judging)
        assert other.ask(BAD).status_code == 400
        assert len(judge.asked) == 1


class Memory:
    """Shares verdicts in this process, and remembers by what names."""

    def __init__(self) -> None:
        self.kept: dict[Name, bytes] = {}

    async def get(self, names: Sequence[Name]) -> list[bytes | None]:
        return [self.kept.get(name) for name in names]

    def put(self, name: Name, verdict: bytes) -> None:
        self.kept[name] = verdict


GUARD: dict[str, Any] = {"model": "m", "format": "llama_guard_3", "deadline": 10.0}


def judged(
    memory: Memory, judge: Server, text: str = BAD, tenant: str = "", channel: Channel = Channel.PROMPT, **options: Any
) -> Any:
    """What a fresh judge says of a text."""
    made = Judge(JudgeOptions.model_validate({"url": f"{judge.url}/v1", **GUARD, **options}), memory)

    async def ask() -> Any:
        try:
            (found,) = await made([Passage(channel, text)], Context(tenant=tenant))
            return found
        finally:
            await made.aclose()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "other",
    [
        {"text": BAD + " "},
        {"tenant": "acme"},
        {"channel": Channel.ANSWER},
        {"model": "n"},
        {"format": "llama_guard_4"},
        {"format": "policy", "policy": "Nobody asks for picks."},
        {"logprobs": False},
    ],
)
def test_all_that_a_verdict_depends_on_is_in_its_name(other: dict[str, Any]) -> None:
    memory = Memory()
    with serving(judging) as judge:
        judged(memory, judge)
        judged(memory, judge)
        assert len(judge.asked) == 1
        judged(memory, judge, **other)
        assert len(judge.asked) == 2
        with serving(judging) as elsewhere:
            judged(memory, elsewhere)
            assert len(elsewhere.asked) == 1, "another server may say something else"


@pytest.mark.parametrize(
    "nonsense", [b"", b"safe", b"[]", b'{"harmful_request":"0"}', b'{"harmful_request":2}', b'{"no_such":0.1}', b'{"s2":null}']
)
def test_what_is_no_verdict_of_this_judge_is_asked_again(nonsense: bytes) -> None:
    memory = Memory()
    with serving(judging) as judge:
        first = judged(memory, judge)
        assert first
        memory.kept = dict.fromkeys(memory.kept, nonsense)
        assert judged(memory, judge) == first
        assert len(judge.asked) == 2


def test_failures_are_not_shared() -> None:
    memory = Memory()
    with serving(lambda _: completion("Hm.")) as judge:
        judged(memory, judge)
    assert memory.kept == {}


def test_a_judge_that_remembers_nothing_shares_nothing() -> None:
    memory = Memory()
    with serving(judging) as judge:
        judged(memory, judge, cache=0)
    assert memory.kept == {}


def remote(memory: Memory, server: Server, text: str) -> Any:
    options = {"url": server.url, "protocol": "tei", "labels": {"INJECTION": "injection", "SAFE": None}, "deadline": 10.0}
    made = Remote(RemoteOptions.model_validate(options), memory)

    async def ask() -> Any:
        try:
            return await made([Passage(Channel.PROMPT, text)], Context())
        finally:
            await made.aclose()

    return asyncio.run(ask())


def test_scores_of_remote_classifiers_are_shared_too() -> None:
    memory, says = Memory(), [[{"label": "INJECTION", "score": 0.9}]]
    with serving(lambda _: says) as server:
        wanted = [[Finding("injection", 0.9, 0, len(BAD))]]
        assert [list(found) for found in remote(memory, server, BAD)] == wanted
        assert [list(found) for found in remote(memory, server, BAD)] == wanted
        assert len(server.asked) == 1
        (name,) = memory.kept
        for nonsense in (b"{}", b'[["injection",0.9,0,9999]]', b'[["other",0.9,0,1]]', b'[["injection",0.9,2,1]]', b"[[]]"):
            memory.kept[name] = nonsense
            assert [list(found) for found in remote(memory, server, BAD)] == wanted
        assert len(server.asked) == 6


def test_a_builder_hands_the_shared_verdicts_on_to_those_who_come_next() -> None:
    memory = Memory()
    with serving(judging) as judge:
        builder = Builder(Registry(), verdicts=memory)
        for one in (builder, builder.successor()):
            made = one.build("judge", {"url": f"{judge.url}/v1", **GUARD})
            asyncio.run(_asked(made))
            one.retire()
        builder.close()
    assert len(memory.kept) == 1
    assert len(judge.asked) == 1


async def _asked(made: Any) -> None:
    await made([Passage(Channel.PROMPT, BAD)], Context())
    await made.aclose()


def test_without_a_secret_it_does_not_start(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"redis_url": "redis://127.0.0.1:1", "verdict_cache": "redis"}
    short, long = tmp_path / "short", tmp_path / "long"
    short.write_text("secret\n")
    long.write_text("x" * 32 + "\n")
    for more, said in (
        ({}, NO_SECRET),
        ({"verdict_cache_secret": SECRET, "verdict_cache_secret_file": str(long)}, NO_SECRET),
        ({"verdict_cache_secret_file": str(tmp_path / "none")}, "cannot read"),
        ({"verdict_cache_secret_file": str(short)}, "32 characters or more"),
    ):
        with pytest.raises(ValueError) as told:
            verdicts_of(Settings(**settings, **more), {})
        assert said in str(told.value)
    assert verdicts_of(Settings(**settings, verdict_cache_secret_file=str(long)), {}) is not None
    assert verdicts_of(Settings(), {}) is None
    with pytest.raises(ValueError, match="redis_url"):
        Settings(verdict_cache="redis", verdict_cache_secret=SECRET)
    with pytest.raises(ValueError, match="openssl rand"):
        Settings(verdict_cache_secret="short")
