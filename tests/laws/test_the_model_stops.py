"""Law 6. When the client goes, or a block falls, the model stops. With several choices a blocked one ends alone."""

from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest

from tests.fake_model import fake_model
from tests.raw_model import DONE, event, raw_model
from tests.stack import finish_of, stack, text_of

POLICY = """
name: stops
reasoning: show
rules:
  word: {use: patterns, on: [reasoning, answer], words: [kumquat], do: block}
"""
LONG = "word " * 4000


def _wait_for_end(sink: object, within: float = 5.0) -> dict[str, object]:
    until = time.monotonic() + within
    while time.monotonic() < until:
        ends = [record for record in sink.records if record["event"] == "closed"]  # type: ignore[attr-defined]
        if ends:
            return dict(ends[-1])
        threading.Event().wait(0.01)
    raise AssertionError("the exchange was never closed")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("channel", ["think", "say"])
def test_a_block_stops_the_model(channel: str, stream: bool) -> None:
    """The connection to the server closes within a second, in the middle of its reply, and the client gets a clean end."""
    scene = {"think": "Hm.\n", "say": "Well. ", "pace": "2ms", "usage": "continuous"} | {channel: f"I think of a kumquat. {LONG}"}
    with fake_model(scenes=[scene]) as model, stack(POLICY, model.url) as proxy:
        if stream:
            events = proxy.stream("hello", stream_options={"include_usage": True})
            assert finish_of(events) == "content_filter"
            assert "kumquat" not in text_of(events) + text_of(events, "reasoning")
            assert events[-1]["usage"]["completion_tokens"] > 0
        else:
            assert proxy.ask("hello").json()["choices"][0]["finish_reason"] == "content_filter"
        assert model.wait("aborted")
        assert proxy.closed()["outcome"] == "answer_blocked"


@pytest.mark.parametrize("when", ["before the first byte", "in the stream", "not streamed"])
def test_a_client_that_leaves_stops_the_model(when: str) -> None:
    """Whenever it leaves."""
    scene = {"think": LONG, "say": "x", "pace": "2ms", "first_after": "30s" if when == "before the first byte" else "1ms"}
    with fake_model(scenes=[scene]) as model, stack(POLICY, model.url) as proxy:
        body = {"model": "deepseek-r1", "messages": [{"role": "user", "content": "hi"}], "stream": when == "in the stream"}
        content = httpx.Request("POST", f"{proxy.url}/chat/completions", json=body)
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content.content)}\r\n\r\n"
            client.sendall(head.encode() + content.content)
            assert model.wait("request", within=5)
            if when == "in the stream":
                assert b"200 OK" in client.recv(4096)
        assert model.wait("aborted", within=5)
        assert _wait_for_end(proxy.sink)["outcome"] == "client_left"


def test_a_blocked_choice_ends_alone_and_the_last_one_stops_the_model() -> None:
    """Two choices: the first is blocked and the second goes on; when both are blocked, the server is left."""
    gate = threading.Event()

    async def reply(body: dict[str, object]) -> object:
        yield event({"reasoning": "Hm.\n"}, index=0) + event({"reasoning": "Hm.\n"}, index=1)
        yield event({"content": "A kumquat. "}, index=0) + event({"content": "Good. "}, index=1)
        yield event({"content": "More. "}, index=0) + event({"content": "Better. "}, index=1)
        if gate.is_set():
            yield event({"content": "A kumquat. "}, index=1)
            for _ in range(100_000):
                yield event({"content": LONG}, index=1)
        yield event({}, "stop", index=0) + event({}, "stop", index=1) + DONE

    with raw_model(reply) as model, stack(POLICY, model.url) as proxy:  # type: ignore[arg-type]
        events = proxy.stream("hello", n=2)
        assert (finish_of(events, 0), finish_of(events, 1)) == ("content_filter", "stop")
        assert text_of(events, choice=1) == "Good. Better. "
        gate.set()
        events = proxy.stream("hello", n=2)
        assert (finish_of(events, 0), finish_of(events, 1)) == ("content_filter", "content_filter")
        assert model.left.wait(5)
