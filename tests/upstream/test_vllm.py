import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

import pytest

from proxy.upstream.protocol import Chunk, UpstreamError, UpstreamRequest, Usage
from proxy.upstream.shapes import DIALECTS, Dialect
from proxy.upstream.timeouts import Timeouts
from proxy.upstream.vllm import VLLM, UpstreamSettings
from tests.fake_model import fake_model

THINK, SAY = "Okay, so I need to think. Wait, 水车!", "A **water wheel** (水车)\u2028turns \u0085 grain 💧."
SCENE = {"think": THINK, "say": SAY}


def request(text: str = "hello", **more: Any) -> UpstreamRequest:
    return UpstreamRequest("xch-1", {"model": "deepseek-r1", "messages": [{"role": "user", "content": text}], **more})


def ask(url: str, asked: UpstreamRequest | None = None, **settings: Any) -> list[Chunk]:
    async def main() -> list[Chunk]:
        upstream = VLLM(UpstreamSettings(url, **settings))
        try:
            return [chunk async for batch in upstream.chat(asked or request()) for chunk in batch]
        finally:
            await upstream.aclose()

    return asyncio.run(main())


def fails(url: str, asked: UpstreamRequest | None = None, **settings: Any) -> UpstreamError:
    with pytest.raises(UpstreamError) as error:
        ask(url, asked, **settings)
    return error.value


def text(chunks: Sequence[Chunk], choice: int = 0) -> tuple[str, str]:
    own = [chunk for chunk in chunks if chunk.choice == choice]
    return "".join(c.reasoning for c in own), "".join(c.content for c in own)


@contextmanager
def raw_server(answer: Callable[[socket.socket, int], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server that `answer`s each connection by hand: gets the socket, its request read, and the connection's number."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for number in range(1, 1000):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    requests.append(connection.recv(1 << 16))
                    try:
                        answer(connection, number)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", requests
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect(dialect: Dialect) -> None:
    unknown: Counter[str] = Counter()

    async def main(url: str) -> None:
        upstream = VLLM(UpstreamSettings(url), lambda name: unknown.update([name]))
        for _ in range(2):
            chunks = [chunk async for batch in upstream.chat(request()) for chunk in batch]
            expected = ("", f"<think>\n{THINK}\n</think>\n\n{SAY}") if dialect == "raw" else (THINK, SAY)
            assert text(chunks) == expected
            usage = [chunk.usage for chunk in chunks if chunk.usage is not None][-1]
            assert (usage.reasoning is None) == (dialect not in ("sglang", "deepseek"))
            assert usage.completion > 20
        (model,) = await upstream.models()
        assert model["id"] == "deepseek-r1"
        assert model.get("max_model_len") == (None if dialect == "deepseek" else 131072)
        assert await upstream.count("one two three") == 3
        await upstream.aclose()

    with fake_model(scenes=[SCENE], dialect=dialect) as model:
        asyncio.run(main(model.url))
        assert not unknown
        assert model.wait("finished", 2)
        assert model.aborted == 0


@pytest.mark.parametrize(
    "quirks", [("crlf",), ("dribble",), ("crlf", "dribble"), ("ignores_stream",), ("lingers",), ("no_continuous",)]
)
@pytest.mark.parametrize("dialect", ["vllm-0.12", "sglang"])
def test_every_quirk(dialect: Dialect, quirks: Any) -> None:
    with fake_model(scenes=[SCENE], dialect=dialect, quirks=quirks) as model:
        chunks = ask(model.url)
    assert text(chunks) == (THINK, SAY)
    assert chunks[-1].usage is not None


def test_what_is_sent() -> None:
    with fake_model(scenes=[SCENE], api_key="sk-upstream") as model:
        ask(model.url, request("hi", temperature=0.6), api_key="sk-upstream")
        (body,), (headers,) = model.requests, model.headers
        error = fails(model.url, api_key="wrong")
    assert body == {
        "model": "deepseek-r1",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.6,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }
    assert headers["authorization"] == "Bearer sk-upstream"
    assert headers["x-request-id"] == "xch-1"
    assert headers["accept-encoding"] == "identity"
    assert not {"user-agent", "cookie"} & headers.keys()
    assert (error.kind, error.status) == ("unavailable", 502)
    assert "sk-upstream" not in repr(UpstreamSettings("http://x/v1", api_key="sk-upstream"))


def test_choices_tools_and_logprobs() -> None:
    tools = [{"name": "f", "arguments": {"a": 1}}]
    with fake_model(scenes=[{**SCENE, "variants": [{"say": "two"}], "tools": tools, "logprobs": True}]) as model:
        chunks = ask(model.url, request(n=2))
    assert text(chunks, 0) == (THINK, SAY)
    assert text(chunks, 1) == ("", "two")
    assert "".join(tool.arguments for chunk in chunks if chunk.choice == 1 for tool in chunk.tools) == '{"a":1}'
    assert {chunk.finish for chunk in chunks if chunk.finish} == {"tool_calls"}
    tokens = [entry["token"] for chunk in chunks if chunk.choice == 0 for entry in chunk.logprobs]
    assert "".join(tokens) == THINK + SAY


def test_continuous_usage_is_given_up_where_the_server_refuses_it() -> None:
    async def main(url: str) -> None:
        upstream = VLLM(UpstreamSettings(url))
        for _ in range(2):
            chunks = [chunk async for batch in upstream.chat(request()) for chunk in batch]
            assert isinstance(chunks[-1].usage, Usage)
        await upstream.aclose()

    with fake_model(scenes=[SCENE], quirks=["no_continuous"]) as model:
        asyncio.run(main(model.url))
        asked = ["continuous_usage_stats" in body["stream_options"] for body in model.requests]
    assert asked == [True, False, False]


def test_a_prompt_that_quotes_the_option_changes_nothing() -> None:
    async def main(url: str) -> None:
        upstream = VLLM(UpstreamSettings(url))
        with pytest.raises(UpstreamError):
            await anext(upstream.chat(request("continuous_usage_stats")))
        assert [chunk async for batch in upstream.chat(request("fine")) for chunk in batch]
        await upstream.aclose()

    with fake_model(scenes=[{"when": "continuous", "fail": {"how": "http_400"}}, SCENE]) as model:
        asyncio.run(main(model.url))
        assert "continuous_usage_stats" in model.requests[-1]["stream_options"]


@pytest.mark.parametrize("dialect", ["vllm", "vllm-0.8", "sglang"])
@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("disconnect", "truncated"),
        ("no_done", "truncated"),
        ("no_finish", "truncated"),
        ("error_event", "mid_stream"),
        ("error_string", "mid_stream"),
        ("flat_error", "mid_stream"),
        ("abort", "mid_stream"),
        ("unknown_finish", "protocol"),
        ("invalid_utf8", "protocol"),
        ("garbage", "protocol"),
    ],
)
def test_every_failure_in_the_middle(dialect: Dialect, how: str, kind: str) -> None:
    async def main(url: str) -> tuple[str, UpstreamError]:
        upstream, said = VLLM(UpstreamSettings(url)), ""
        try:
            async for batch in upstream.chat(request()):
                said += "".join(chunk.reasoning + chunk.content for chunk in batch)
        except UpstreamError as error:
            return said, error
        finally:
            await upstream.aclose()
        raise AssertionError("it ended well")

    with fake_model(scenes=[{**SCENE, "pace": "1ms", "fail": {"how": how, "after": 4}}], dialect=dialect) as model:
        said, error = asyncio.run(main(model.url))
        assert len(model.requests) == 1  # never again once a byte was seen
    assert error.kind == kind
    assert error.status == 502
    assert said.startswith("Okay, so I")
    assert "EngineCore" not in error.message + error.detail


@pytest.mark.parametrize("body", ["own", "nested", "flat", "string", "html", "empty", "context"])
@pytest.mark.parametrize(("status", "kind", "ours"), [(400, "rejected", 400), (422, "rejected", 400), (500, "unavailable", 502)])
def test_every_refusal(status: int, kind: str, ours: int, body: str) -> None:
    with fake_model(scenes=[{"fail": {"how": f"http_{status}", "body": body}}]) as model:
        error = fails(model.url, request("my secret prompt"))
        assert len(model.requests) == 1
    assert (error.kind, error.status) == (kind, ours)
    assert "secret" not in error.message + error.detail
    assert (error.code == "context_length_exceeded") == (body == "context" and status != 500)


@pytest.mark.parametrize(("status", "ours"), [(429, 429), (502, 503), (503, 503), (504, 503)])
def test_a_busy_server_is_asked_again(status: int, ours: int) -> None:
    scene = {**SCENE, "fail": {"how": f"http_{status}", "times": 2, "retry_after": "0.01"}}
    with fake_model(scenes=[scene]) as model:
        assert text(ask(model.url)) == (THINK, SAY)
        assert len(model.requests) == 3
    with fake_model(scenes=[{**scene, "fail": {**scene["fail"], "times": 3}}]) as model:  # type: ignore[dict-item]  # a dict of dicts
        error = fails(model.url)
        assert len(model.requests) == 3
        assert (error.kind, error.status, error.retry_after) == ("unavailable", ours, 0.01)


def test_a_server_that_wants_a_long_pause_is_not_asked_again() -> None:
    with fake_model(scenes=[{"fail": {"how": "http_503", "retry_after": "60"}}]) as model:
        assert fails(model.url).retry_after == 60
        assert len(model.requests) == 1


def test_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    began = time.monotonic()
    error = fails(f"http://127.0.0.1:{port}/v1", longest_pause=0.05)
    assert (error.kind, error.status) == ("connect", 503)
    assert time.monotonic() - began < 2
    assert str(port) not in error.message + error.detail


def test_a_pooled_connection_that_the_server_has_closed() -> None:
    def answer(connection: socket.socket, number: int) -> None:
        if number == 2:
            connection.sendall(HEAD + END)

    with raw_server(answer) as (url, requests):  # the first connection is closed without a word
        assert ask(url, longest_pause=0.01) == [Chunk(finish="stop")]
        assert len(requests) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>", "protocol"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nxx",
            "protocol",
        ),
        (b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}", "protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{}", "truncated"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\ndata:\r\n", "truncated"),
        (HEAD + b"data: " + b"x" * 5000 + b"\n\n", "protocol"),
        (HEAD + b"data: " + b"x" * 5000, "protocol"),
        (HEAD, "truncated"),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 999999\r\n\r\nshort", "unavailable"),
    ],
)
def test_strange_answers(answer: bytes, kind: str) -> None:
    with raw_server(lambda connection, number: connection.sendall(answer)) as (url, requests):
        error = fails(url, most_event=4096, retries=0)
        assert error.kind == kind
        assert len(requests) == 1


def test_a_body_over_the_bound() -> None:
    with fake_model(scenes=[{"say": "x " * 5000}], quirks=["ignores_stream"]) as model:
        assert fails(model.url, most_body=4096).kind == "protocol"


def test_a_line_of_a_mebibyte() -> None:
    long = "wheel " * (1 << 18)
    with fake_model(scenes=[{"say": long, "cut": "whole"}]) as model:
        assert text(ask(model.url)) == ("", long)
        assert fails(model.url, most_event=1 << 20).kind == "protocol"


STALLS = {"say": "one two three four", "pace": "1ms", "fail": {"how": "stall", "after": 2}}


@pytest.mark.parametrize(
    ("limits", "scene", "kind"),
    [
        (Timeouts(first_byte=0.2), {"first_after": "20s", "say": "late"}, "timeout_first_byte"),
        (Timeouts(between_bytes=0.2), STALLS, "timeout_between_bytes"),
        (Timeouts(total=0.3), {"say": "word " * 1000, "pace": "10ms"}, "timeout_total"),
    ],
)
@pytest.mark.parametrize("dialect", ["vllm", "sglang"])
def test_time_limits(dialect: Dialect, limits: Timeouts, scene: dict[str, Any], kind: str) -> None:
    with fake_model(scenes=[scene], dialect=dialect) as model:
        began = time.monotonic()
        error = fails(model.url, timeouts=limits)
        assert time.monotonic() - began < 1.5
        assert (error.kind, error.status) == (kind, 504)
        assert model.wait("aborted")


def test_a_server_that_does_not_take_connections() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        fillers = []
        for _ in range(4):  # the backlog is full: further connections hang
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        error = fails(f"http://127.0.0.1:{port}/v1", timeouts=Timeouts(connect=0.2), retries=0)
        for filler in fillers:
            filler.close()
    assert (error.kind, error.status) == ("timeout_connect", 503)


def test_our_own_thinking_is_not_the_servers_silence() -> None:
    async def main(url: str) -> int:
        upstream = VLLM(UpstreamSettings(url, timeouts=Timeouts(between_bytes=0.2)))
        batches = 0
        async for _ in upstream.chat(request()):
            batches += 1
            if batches == 2:
                await asyncio.sleep(0.6)  # a guard that thinks for three times the limit
        await upstream.aclose()
        return batches

    with fake_model(scenes=[{"say": "word " * 60, "pace": "15ms"}]) as model:
        assert asyncio.run(main(model.url)) > 10


def test_a_slow_server_is_no_error() -> None:
    with fake_model(scenes=[{"say": "word " * 5, "pace": "80ms"}]) as model:
        assert text(ask(model.url, timeouts=Timeouts(between_bytes=1.0)))[1] == "word " * 5


async def open_reply(upstream: VLLM) -> AsyncGenerator[Sequence[Chunk], None]:
    reply = upstream.chat(request())
    assert await anext(reply)
    return reply


@pytest.mark.parametrize("dialect", ["vllm", "sglang"])
def test_closing_the_reply_closes_the_connection(dialect: Dialect) -> None:
    async def main(url: str) -> None:
        upstream = VLLM(UpstreamSettings(url))
        reply = await open_reply(upstream)
        await reply.aclose()
        assert await asyncio.to_thread(model.wait, "aborted")
        await upstream.aclose()

    with fake_model(scenes=[{"say": "word " * 5000, "pace": "2ms"}], dialect=dialect) as model:
        asyncio.run(main(model.url))
        assert model.diary.finished == 0


@pytest.mark.parametrize("dialect", ["vllm", "sglang"])  # SGLang sends its headers with the first token
@pytest.mark.parametrize("started", [False, True])
def test_cancelling_closes_the_connection(dialect: Dialect, started: bool) -> None:
    async def main(url: str) -> None:
        upstream = VLLM(UpstreamSettings(url))
        got = asyncio.Event()

        async def consume() -> None:
            async with aclosing(upstream.chat(request())) as reply:
                async for _ in reply:
                    got.set()

        task = asyncio.create_task(consume())
        if started:
            await got.wait()
        else:
            assert await asyncio.to_thread(model.wait, "request")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(model.wait, "aborted")
        await upstream.aclose()

    scene = {"say": "word " * 5000, "pace": "2ms", "first_after": "2ms" if started else "30s"}
    with fake_model(scenes=[scene], dialect=dialect) as model:
        asyncio.run(main(model.url))


def test_connections_are_used_again() -> None:
    async def main(url: str) -> None:
        upstream = VLLM(UpstreamSettings(url, max_connections=4))
        for _ in range(5):
            assert [batch async for batch in upstream.chat(request())]
        await upstream.aclose()

    with fake_model(scenes=[SCENE]) as model:
        asyncio.run(main(model.url))
        assert len(model.diary.peers) == 5
        assert len(set(model.diary.peers)) == 1


def test_a_full_pool_waits_and_then_says_so() -> None:
    async def main(url: str) -> None:
        upstream = VLLM(UpstreamSettings(url, max_connections=1, retries=0, timeouts=Timeouts(pool=0.2)))
        reply = await open_reply(upstream)
        with pytest.raises(UpstreamError) as error:
            await anext(upstream.chat(request()))
        assert error.value.kind == "timeout_connect"
        await reply.aclose()
        await (await open_reply(upstream)).aclose()
        await upstream.aclose()

    with fake_model(scenes=[{"say": "word " * 5000, "pace": "2ms"}]) as model:
        asyncio.run(main(model.url))


def test_a_hundred_thousand_chunks() -> None:
    async def main(url: str) -> tuple[int, int]:
        upstream, chunks, most = VLLM(UpstreamSettings(url)), 0, 0
        async for batch in upstream.chat(request()):
            chunks += len(batch)
            most = max(most, len(batch))
        await upstream.aclose()
        return chunks, most

    with fake_model(scenes=[{"say": " w", "repeat": 100_000, "usage": "none"}]) as model:
        chunks, most = asyncio.run(main(model.url))
    assert chunks == 100_001
    assert most < 2000  # a read is bounded, so is what is held


def test_back_pressure_reaches_the_server() -> None:
    sent, full = [], threading.Event()

    def answer(connection: socket.socket, number: int) -> None:
        connection.sendall(HEAD)
        connection.settimeout(0.5)
        piece = b'data: {"choices":[{"index":0,"delta":{"content":"' + b"x" * 8000 + b'"}}]}\n\n'
        try:
            for _ in range(10_000):
                connection.sendall(piece)
                sent.append(len(piece))
        except TimeoutError:
            full.set()

    async def main(url: str) -> None:
        upstream = VLLM(UpstreamSettings(url))
        reply = await open_reply(upstream)
        assert await asyncio.to_thread(full.wait, 5)  # the guard thinks; the buffers fill and the server has to wait
        await reply.aclose()
        await upstream.aclose()

    with raw_server(answer) as (url, _):
        asyncio.run(main(url))
    assert sum(sent) < 16 << 20


def test_counting_falls_silent_without_a_tokenizer() -> None:
    async def main(url: str) -> list[int | None]:
        upstream = VLLM(UpstreamSettings(url))
        counts = [await upstream.count("a b c") for _ in range(2)]
        await upstream.aclose()
        return counts

    with fake_model(quirks=["no_tokenize"]) as model:
        assert asyncio.run(main(model.url)) == [None, None]
    assert asyncio.run(main("http://127.0.0.1:1/v1")) == [None, None]


@pytest.mark.parametrize("body", [b"{}", b'{"data":{}}', b"[]", b"nonsense"])
def test_model_lists_that_are_none(body: bytes) -> None:
    async def main(url: str) -> None:
        upstream = VLLM(UpstreamSettings(url))
        with pytest.raises(UpstreamError) as error:
            await upstream.models()
        assert error.value.kind == "protocol"
        await upstream.aclose()

    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    with raw_server(lambda connection, number: connection.sendall(head + body)) as (url, _):
        asyncio.run(main(url))


@pytest.mark.parametrize("url", ["127.0.0.1:8000/v1", "ftp://x/v1", "http:///v1", ""])
def test_a_url_that_cannot_be(url: str) -> None:
    with pytest.raises(ValueError, match="write it like http"):
        VLLM(UpstreamSettings(url))
