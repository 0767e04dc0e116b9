"""Law 10, and the limits: however an exchange ends, what it held is given back and its record is closed, once.

It is cut off at every place where it waits, and every call that its own code makes fails once. The next caller must find the one
place that limits and queue have.
"""

from __future__ import annotations

import asyncio
import sys
import types
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest

from proxy.app import create
from proxy.records.audit import Audit, MemorySink
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics
from proxy.upstream.protocol import Chunk, UpstreamError, UpstreamRequest
from tests.redis_server import RedisServer, redis_server
from tests.stack import policy_of

__all__ = ["redis_server"]
POLICY = """
name: ends
reasoning: show
rules:
  word: {use: patterns, on: [prompt, reasoning, answer], words: [kumquat], do: block}
"""
CHAT, MODERATIONS = "/v1/chat/completions", "/v1/moderations"
WAYS = ["answered", "blocked", "cut", "broken"]
PROXY = Path(sys.modules["proxy"].__file__ or "").parent
OWN = {str(PROXY / name) for name in ("chat.py", "admitted.py", "answering.py", "driven.py", "moderated.py", "house.py")}
OWN |= {str(PROXY / "access" / name) for name in ("gates.py", "queue.py")}
ENDS = {"settle", "release", "close", "closed", "_settle", "_close", "_end", "__aexit__"}
"""What gives back and closes: that it cannot fail is for its own tests to say."""


class Model:
    """A model server that is always waited for. It ends in the middle where it is asked to."""

    name = "model"

    async def chat(self, request: UpstreamRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        await asyncio.sleep(0)
        asked = str(request.body["messages"][-1]["content"])
        yield [Chunk(reasoning="Hm.\n")]
        await asyncio.sleep(0)
        yield [Chunk(content="one kumquat " if "cut" in asked else "one two ")]
        await asyncio.sleep(0)
        if "broken" in asked:
            raise UpstreamError("mid_stream", "It is gone.")
        yield [Chunk(content="three."), Chunk(finish="stop")]

    async def models(self) -> Sequence[Mapping[str, Any]]:
        return []

    async def count(self, text: str) -> int | None:
        await asyncio.sleep(0)
        return len(text)

    async def aclose(self) -> None:
        return


class Proxy:
    """An application without sockets, where one exchange at a time may go on."""

    def __init__(self, **settings: Any) -> None:
        """With a shadow, which sees all of them."""
        self.sink, self.metrics, self.shared = MemorySink(), Metrics(), "redis_url" in settings
        bounds = {"default_limits": "streams=1", "upstream_concurrency": 1, "queue_length": 0}
        with TemporaryDirectory() as folder:
            candidate = Path(folder) / "candidate.yaml"
            candidate.write_text(POLICY)
            beside = {"shadow": str(candidate), "policy_reload": "off", "audit": "off", "database": "", "traces": "off"}
            chosen = Settings(**bounds, **beside, **settings)
            self.app = create(chosen, policy_of(POLICY), Model(), audit=Audit(self.sink), metrics=self.metrics)

    def running(self, body: Mapping[str, Any], path: str, left: asyncio.Event, told: list[int]) -> Coroutine[Any, Any, None]:
        """One request, not yet begun. Its client goes when `left` is set."""
        parts = [{"type": "http.request", "body": orjson.dumps(body), "more_body": False}]

        async def receive() -> MutableMapping[str, Any]:
            if parts:
                await asyncio.sleep(0)
                return parts.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            if "status" in message:
                told.append(message["status"])
            await asyncio.sleep(0)

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
        return self.app({**scope, "headers": headers, "http_version": "1.1", "root_path": ""}, receive, send)

    async def well(self) -> None:
        """Asserts that nothing is held, and that each record was closed once."""
        async with asyncio.timeout(20):
            while True:
                told: list[int] = []
                await self.running(chat("answered", stream=False), CHAT, asyncio.Event(), told)
                if told == [200]:
                    break
                assert told[0] == 429
                assert self.shared, "nobody else has it"  # while Redis is told by a task of its own
                await asyncio.sleep(0.02)
        events = {
            name: Counter(each["id"] for each in self.sink.records if each["event"] == name) for name in ("opened", "closed")
        }
        assert events["opened"] == events["closed"]
        assert set(events["closed"].values()) == {1}
        assert self.metrics.registry.get_sample_value("sluicegate_in_flight") == 0


def chat(prompt: str, *, stream: bool) -> dict[str, Any]:
    said = "a kumquat" if prompt == "blocked" else prompt
    return {"model": "m", "messages": [{"role": "user", "content": said}], "stream": stream, "unknown_field": 1}


@types.coroutine
def meddled(work: Coroutine[Any, Any, None], at: int, then: Callable[[], object]) -> Generator[Any, Any, int]:
    """Runs `work`; when it waits for the `at`th time, `then` is done. How often it waited."""
    waits, on = 0, partial(work.send, None)
    while True:
        try:
            waited = on()
        except StopIteration:
            return waits
        waits += 1
        if waits == at:
            then()
        try:
            yield waited
            on = partial(work.send, None)
        except BaseException as error:  # what the loop throws in goes on to `work`
            on = partial(work.throw, error)


async def interrupted(proxy: Proxy, body: Mapping[str, Any], path: str, how: str, at: int) -> bool:
    """Whether it waited that often: it was interrupted then."""
    left = asyncio.Event()
    happened = False

    def then() -> None:
        nonlocal happened
        happened = True
        if how == "client leaves":
            left.set()
        else:
            task.cancel()

    async def whole() -> None:
        await meddled(proxy.running(body, path, left, []), at, then)

    task = asyncio.create_task(whole())
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # seen
    return happened


@pytest.mark.parametrize("how", ["cancelled", "client leaves"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("way", WAYS)
def test_wherever_it_is_cut_off(way: str, stream: bool, how: str) -> None:
    async def play() -> int:
        proxy, at = Proxy(), 1
        while await interrupted(proxy, chat(way, stream=stream), CHAT, how, at):
            await proxy.well()
            at += 1
        return at

    assert asyncio.run(play()) > 3


@pytest.mark.parametrize("way", ["answered", "broken"])
def test_wherever_it_is_cut_off_with_limits_in_redis(redis_server: RedisServer, way: str) -> None:
    async def play() -> int:
        proxy, at = Proxy(redis_url=redis_server.url, redis_prefix=f"ends-{way}", redis_timeout=5), 1
        async with proxy.app.router.lifespan_context(proxy.app):
            while await interrupted(proxy, chat(way, stream=True), CHAT, "cancelled", at):
                await proxy.well()
                at += 1
        return at

    assert asyncio.run(play()) > 3


def test_wherever_a_moderation_is_cut_off() -> None:
    async def play() -> int:
        proxy, at = Proxy(), 1
        while await interrupted(proxy, {"input": "a text"}, MODERATIONS, "cancelled", at):
            await proxy.well()
            at += 1
        return at

    assert asyncio.run(play()) > 1


class FaultError(Exception):
    """What went wrong."""


class Failing:
    """The `at`th call that our own code makes fails, of those that nobody else is to catch."""

    def __init__(self, at: int) -> None:
        self._at, self._seen = at, list[types.FrameType]()
        self.where = ""

    def __call__(self, frame: types.FrameType, event: str, argument: object) -> None:
        """What Python calls at the begin of each function, and whenever a coroutine goes on."""
        caller = frame.f_back
        if caller is None or caller.f_code.co_filename not in OWN or frame.f_code.co_name in ENDS or self.where:
            return
        if any(one is frame for one in self._seen):
            return
        self._seen.append(frame)
        if len(self._seen) == self._at:
            self.where = f"{caller.f_code.co_name}:{caller.f_lineno} {frame.f_code.co_name}"
            raise FaultError(self.where)


async def failed(proxy: Proxy, body: Mapping[str, Any], path: str, at: int) -> tuple[str, list[int]]:
    """Where it failed, empty if it does not call so often, and the status that the client was told."""
    fault, before, told = Failing(at), sys.gettrace(), list[int]()
    sys.settrace(fault)
    try:
        with suppress(FaultError):
            await proxy.running(body, path, asyncio.Event(), told)
    finally:
        sys.settrace(before)
    return fault.where, told


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level("CRITICAL"):
        yield


async def every_fault(body: Mapping[str, Any], path: str) -> AsyncGenerator[tuple[Proxy, str, list[int]], None]:
    """The same request again and again, with a fault at every call in turn."""
    proxy, at = Proxy(), 1
    while True:
        where, told = await failed(proxy, body, path, at)
        if not where:
            break
        yield proxy, where, told
        try:
            await proxy.well()
        except (AssertionError, TimeoutError) as error:
            raise AssertionError(where) from error
        at += 1
    assert at > 10


@pytest.mark.parametrize(("way", "stream"), [("answered", True), ("answered", False), ("blocked", False), ("broken", True)])
def test_whatever_fails(way: str, stream: bool) -> None:
    """And who was not answered yet is told so in the API's own shape."""

    async def play() -> None:
        async for _, where, told in every_fault(chat(way, stream=stream), CHAT):
            if where.startswith("admitted:"):
                assert told == [500], where

    asyncio.run(play())


def test_whatever_fails_of_a_moderation() -> None:
    """What failed is not on record as answered."""

    async def play() -> None:
        async for proxy, where, _ in every_fault({"input": "a text"}, MODERATIONS):
            if where.startswith("_judge_inputs:"):
                assert (proxy.sink.records[-1]["outcome"], proxy.sink.records[-1]["status"]) == ("failed", 500), where

    asyncio.run(play())
