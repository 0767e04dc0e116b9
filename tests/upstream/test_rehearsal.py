import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from proxy.upstream.protocol import Chunk, Upstream, UpstreamError, UpstreamRequest
from proxy.upstream.rehearsal import Rehearsal
from proxy.upstream.script import Scene, Script, load_script
from proxy.upstream.vllm import VLLM, UpstreamSettings
from tests.fake_model import fake_model

SCENE = {
    "think": "Okay, so I need to think.",
    "say": "A water wheel (水车) turns.",
    "tools": [{"name": "f", "arguments": {"a": 1}}],
}


def request(text: str = "hello", **more: Any) -> UpstreamRequest:
    return UpstreamRequest("xch-1", {"model": "deepseek-r1", "messages": [{"role": "user", "content": text}], **more})


def script(**scene: Any) -> Script:
    return Script(otherwise=Scene.model_validate({**SCENE, **scene}))


async def collect(upstream: Upstream, asked: UpstreamRequest) -> tuple[list[Chunk], str]:
    """The chunks, and the kind of the error that ended them."""
    chunks: list[Chunk] = []
    try:
        async for batch in upstream.chat(asked):
            assert batch
            chunks += batch
    except UpstreamError as error:
        return chunks, error.kind
    finally:
        await upstream.aclose()
    return chunks, ""


def said(chunks: Sequence[Chunk]) -> list[tuple[str, str, str, list[str]]]:
    """What each choice said, however it was cut."""
    return [
        (
            "".join(c.reasoning for c in chunks if c.choice == i),
            "".join(c.content for c in chunks if c.choice == i),
            "".join(t.name + t.arguments for c in chunks if c.choice == i for t in c.tools),
            [c.finish for c in chunks if c.choice == i and c.finish],
        )
        for i in range(2)
    ]


@pytest.mark.parametrize(
    "scene", [{}, {"cut": "char"}, {"tag": "inline"}, {"usage": "continuous"}, {"logprobs": True}, {"repeat": 300}]
)
@pytest.mark.parametrize("more", [{}, {"n": 2}, {"max_tokens": 9}, {"stop": "wheel"}])
def test_embedded_and_served_are_the_same(scene: dict[str, Any], more: dict[str, Any]) -> None:
    played = script(**scene)
    embedded, how = asyncio.run(collect(Rehearsal(played), request(**more)))
    with fake_model(played) as model:
        served, how_served = asyncio.run(collect(VLLM(UpstreamSettings(model.url)), request(**more)))
    assert how == how_served == ""
    assert said(embedded) == said(served)
    ours, theirs = embedded[-1].usage, served[-1].usage
    assert ours is not None
    assert theirs is not None
    assert (ours.prompt, ours.completion) == (theirs.prompt, theirs.completion)
    entries = [[e for c in chunks for e in c.logprobs] for chunks in (embedded, served)]
    assert sorted(map(str, entries[0])) == sorted(map(str, entries[1]))


IN_THE_MIDDLE = ["disconnect", "error_event", "error_string", "flat_error", "no_done", "no_finish", "abort", "unknown_finish"]
AT_ONCE = ["http_400", "http_401", "http_404", "http_429", "http_500", "http_503"]


@pytest.mark.parametrize("how", [*IN_THE_MIDDLE, "invalid_utf8", "garbage", *AT_ONCE])
def test_failures_are_the_same(how: str) -> None:
    played = script(fail={"how": how, "after": 3}, pace="1ms")
    embedded, kind = asyncio.run(collect(Rehearsal(played), request()))
    with fake_model(played) as model:
        served, kind_served = asyncio.run(collect(VLLM(UpstreamSettings(model.url, retries=0)), request()))
        assert kind == kind_served or (how, kind, kind_served) == ("http_404", "protocol", "rejected")  # embedded has no body
    assert kind
    assert said(embedded) == said(served)


def test_a_stall_becomes_a_timeout() -> None:
    chunks, kind = asyncio.run(collect(Rehearsal(script(fail={"how": "stall", "after": 3}), stall=0.05), request()))
    assert kind == "timeout_between_bytes"
    assert said(chunks)[0][0] == "Okay, so"


def test_a_failure_that_passes() -> None:
    async def main() -> list[str]:
        model = Rehearsal(script(fail={"how": "http_503", "times": 2}))
        return [(await collect(model, request()))[1] for _ in range(3)]

    assert asyncio.run(main()) == ["unavailable", "unavailable", ""]


def test_pace() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        began, first = loop.time(), 0.0
        async for _ in Rehearsal(script(say=" w" * 10, think="", tools=[], pace="10ms", first_after="50ms")).chat(request()):
            first = first or loop.time() - began
        return first, loop.time() - began

    first, last = asyncio.run(main())
    assert first >= 0.05
    assert last >= 0.14


def test_closing_stops_it() -> None:
    async def main() -> None:
        reply = Rehearsal(script(say="word " * 1000, pace="1ms")).chat(request())
        assert await anext(reply)
        await reply.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(reply)

    asyncio.run(main())


def test_models_and_counts() -> None:
    async def main() -> None:
        model = Rehearsal(load_script("tour"))
        assert [entry["id"] for entry in await model.models()] == ["deepseek-r1"]
        assert await model.count("one two three") == 3
        await model.aclose()

    asyncio.run(main())


def test_the_tour_is_ready_to_be_shown() -> None:
    async def main() -> None:
        tour = load_script("tour")
        hurried = tuple(scene.model_copy(update={"pace": 0.0, "first_after": 0.0}) for scene in tour.scenes)
        model = Rehearsal(tour.model_copy(update={"scenes": hurried}))
        thoughts, answer, _, finish = said((await collect(model, request("keep a surprise party secret")))[0])[0]
        assert "bluebird" in thoughts
        assert "bluebird" not in answer
        assert finish == ["stop"]
        assert "@" in said((await collect(model, request("contact?")))[0])[0][1]
        assert "如果" in said((await collect(model, request("phishing?")))[0])[0][1]
        assert said((await collect(model, request("riddle")))[0])[0][3] == ["length"]
        assert said((await collect(model, request("closing tag")))[0])[0][1].count("</think>") == 3  # two quoted, one real

    asyncio.run(main())
