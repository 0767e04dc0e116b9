"""Clients and model servers that do the worst they can, against the program as a process: bounded memory, a clean error."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.raw_model import DONE, RawModel, event, raw_model
from tests.stack import events_of, finish_of, text_of
from tests.system.watched import Gate, gate, until

HELLO = [event({"reasoning": "Hm.\n"}), event({"content": "Hello."}), event({}, "stop"), DONE]
BLOCK = "x" * 2000 + " "
BLOCKS = 12_000


class Script:
    """What the model server says, by the prompt, and how much of it has been taken from it."""

    def __init__(self) -> None:
        self.said = 0
        self.go_on = threading.Event()

    async def __call__(self, body: dict[str, Any]) -> AsyncIterator[bytes]:
        prompt = body["messages"][-1]["content"]
        parts = getattr(self, prompt.split()[0], None)
        if parts is None:
            for part in HELLO:
                yield part
            return
        self.said = 0
        yield event({"reasoning": "Hm.\n"})
        for part in parts():
            self.said += 1
            yield part
            await asyncio.sleep(0)  # a client's leaving is noticed in between

    def flood(self) -> Iterator[bytes]:
        """24 MB of answer in blocks of 2 kB: more than all buffers between it and the client."""
        one = event({"content": BLOCK})
        for _ in range(BLOCKS):
            yield one
        yield event({}, "stop") + DONE

    def crumbs(self) -> Iterator[bytes]:
        """200,000 chunks of one character, many to a write."""
        some = b"".join(event({"content": each}) for each in "abcdefghi ") * 100
        for _ in range(200):
            yield some
        yield event({}, "stop") + DONE

    def line(self) -> Iterator[bytes]:
        """One event of 1 MiB, in writes of 16 KiB."""
        whole = event({"content": "wide " * (1 << 20 >> 3)}) + event({"content": "end."}) + event({}, "stop") + DONE
        for at in range(0, len(whole), 1 << 14):
            yield whole[at : at + (1 << 14)]

    def endless(self) -> Iterator[bytes]:
        """A line that never ends."""
        yield b'data: {"choices": [{"index": 0, "delta": {"content": "'
        for _ in range(1 << 14):
            yield b"x" * (1 << 14)

    def blank(self) -> Iterator[bytes]:
        """Comments and empty lines without end, and then an answer."""
        for _ in range(2000):
            yield b": nothing\n\n" * 1000
        yield event({"content": "At last."}) + event({}, "stop") + DONE

    def calls(self) -> Iterator[bytes]:
        """Arguments of a tool call that never end."""
        function: dict[str, Any] = {"name": "f", "arguments": ""}
        yield event({"tool_calls": [{"index": 0, "id": "x", "type": "function", "function": function}]})
        piece = event({"tool_calls": [{"index": 0, "function": {"arguments": "[" * 4000}}]})
        for _ in range(10_000):
            yield piece
        yield event({}, "tool_calls") + DONE

    def secret(self) -> Iterator[bytes]:
        """A private key that never ends: masked from its beginning, and forgotten as it goes."""
        yield event({"content": "Here: -----BEGIN RSA PRIVATE KEY-----\n"})
        piece = event({"content": "MIIEowIBAAKCAQEA" * 128 + "\n"})
        for _ in range(5000):
            yield piece
        yield event({}, "stop") + DONE


@pytest.fixture(scope="module")
def script() -> Script:
    return Script()


@pytest.fixture(scope="module")
def model(script: Script) -> Iterator[RawModel]:
    with raw_model(script) as running:
        yield running


@pytest.fixture(scope="module")
def running(model: RawModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with gate(tmp_path_factory.mktemp("gate"), model.url) as each:
        yield each


def request(prompt: str, **body: Any) -> bytes:
    """The bytes of a streamed request on a connection of its own."""
    content = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": prompt}], "stream": True, **body})
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


# ---- clients


def test_a_client_that_does_not_read_holds_back_the_model(running: Gate, model: RawModel, script: Script) -> None:
    """Nothing piles up: the server can send no more. When the client reads again all of it comes, whole."""
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.settimeout(30)
        client.sendall(request("flood"))
        held = _stands_still(script)
        assert held < BLOCKS * 0.9, held
        data = b""
        while more := client.recv(1 << 20):
            data += more
    assert data.count(BLOCK.encode()) == BLOCKS
    assert b"[DONE]" in data[-100:]


def test_a_client_that_does_not_read_and_leaves_stops_the_model(running: Gate, model: RawModel, script: Script) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.sendall(request("flood"))
        assert _stands_still(script) < BLOCKS * 0.9
        model.left.clear()
    assert model.left.wait(10)
    assert until(lambda: running.metric("in_flight") == 0)


def _stands_still(script: Script) -> int:
    """How far the model server came when nobody took more from it for a while."""
    seen, still = -1, threading.Event()
    while seen != script.said or script.said == 0:
        seen = script.said
        still.wait(0.4)
    return seen


def _reset(client: socket.socket) -> None:
    """Leaves with a reset, as a killed process does."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("rude", [False, True], ids=["closed", "reset"])
def test_a_client_may_leave_at_any_moment(running: Gate, rude: bool) -> None:
    """After the connection, in the head, in the body, before the first byte, in the stream: nothing stays behind."""
    whole = request("flood")
    head = whole.index(b"\r\n\r\n") + 4
    files = running.files
    for sent, read in ((0, 0), (10, 0), (head, 0), (head + 5, 0), (len(whole), 0), (len(whole), 1), (len(whole), 100_000)):
        for _ in range(4):
            with socket.create_connection(("127.0.0.1", running.port)) as client:
                client.settimeout(10)
                if rude:
                    _reset(client)
                client.sendall(whole[:sent])
                got = 0
                while got < read:
                    got += len(client.recv(1 << 16))
    assert until(lambda: running.metric("in_flight") == 0)
    assert until(lambda: running.files <= files + 8), running.files
    assert running.ask("hello").status_code == 200


def test_garbage_on_the_port_harms_nobody(running: Gate) -> None:
    """No HTTP, heads without end, a body longer than said, chunks that are none, a length that is no number."""
    path = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n" * 10_000,
        path + b"x: " + b"y" * 300_000 + b"\r\n\r\n",
        path + b"".join(b"x-%d: y\r\n" % at for at in range(5000)) + b"\r\n",
        path + b"content-length: many\r\n\r\n{}",
        path + b"content-length: -1\r\n\r\n{}",
        path + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        path + b"content-length: 99999999999999999999999\r\n\r\n{}",
        path + b"transfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        path + b"transfer-encoding: chunked\r\n\r\nfffffffffffffff\r\n{}",
        path + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            client.settimeout(10)
            try:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                answer = client.recv(1 << 16)
            except ConnectionError:
                answer = b""
            assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 413", b"HTTP/1.1 404", b"HTTP/1.1 431"), (data[:80], answer)
    assert running.ask("hello").status_code == 200


def test_a_client_of_http_1_0_is_answered(running: Gate) -> None:
    """As nginx speaks to its backends unless told otherwise: whole and streamed, and the connection ends."""
    for stream in (False, True):
        content = request("hello", stream=stream)
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            client.settimeout(10)
            client.sendall(content.replace(b"HTTP/1.1", b"HTTP/1.0", 1).replace(b"connection: close\r\n", b""))
            answer = b""
            while more := client.recv(1 << 16):
                answer += more
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 200 " in head
        assert b"Hello." in body
        assert not stream or b"data: [DONE]" in body


def test_requests_in_a_pipeline_are_answered_in_order(running: Gate) -> None:
    """Three at once on one connection: good, refused, streamed. Each reply belongs to its request."""
    keep = b"connection: keep-alive"
    asked = [
        request("hello", stream=False).replace(b"connection: close", keep),
        request("a kumquat").replace(b"connection: close", keep),
        request("hello"),
    ]
    with socket.create_connection(("127.0.0.1", running.port)) as client:
        client.settimeout(10)
        client.sendall(b"".join(asked))
        answer = b""
        while more := client.recv(1 << 16):
            answer += more
    places = [answer.index(b'chat.completion"'), answer.index(b"content_filter"), answer.index(b"chat.completion.chunk")]
    assert places == sorted(places)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.count(b"HTTP/1.1 400") == 1
    assert b"[DONE]" in answer


# ---- model servers


def test_two_hundred_thousand_tiny_chunks(running: Gate) -> None:
    """One character each, over the socket; all of them arrive."""
    reply = running.ask("crumbs", stream=True)
    assert text_of(events_of(reply.content)) == "abcdefghi " * 20_000
    whole = running.ask("crumbs").json()["choices"][0]
    assert (whole["message"]["content"], whole["finish_reason"]) == ("abcdefghi " * 20_000, "stop")


def test_a_reply_longer_than_the_policy_allows_is_ended(model: RawModel, script: Script, tmp_path: Path) -> None:
    """However many chunks a server goes on to send: the policy's cap, finish length, and the model is left."""
    policy = "name: short\nreasoning: show\nlimits: {tokens: 500}\nrules: {s: {use: secrets, on: [answer], do: redact}}\n"
    with gate(tmp_path, model.url, policy=policy) as short:
        model.left.clear()
        events = events_of(short.ask("flood", stream=True).content)
        assert finish_of(events) == "length"
        assert len(text_of(events)) <= 1500 * len(BLOCK)  # the read that reached the cap is given whole
        assert model.left.wait(10)


def test_a_line_of_a_mebibyte(running: Gate) -> None:
    """Within what an event may be: it goes through, whole."""
    expected = "wide " * (1 << 20 >> 3) + "end."
    assert text_of(events_of(running.ask("line", stream=True).content)) == expected
    assert running.ask("line").json()["choices"][0]["message"]["content"] == expected


def test_a_line_without_end_is_a_clean_error(running: Gate, model: RawModel, script: Script) -> None:
    """256 MB are on offer; a few are taken."""
    for stream in (True, False):
        model.left.clear()
        reply = running.ask("endless", stream=stream)
        assert '"code":"upstream_protocol"' in reply.text
        assert reply.status_code == (200 if stream else 502)
        assert model.left.wait(10)
        assert script.said < 1 << 11


def test_silence_with_many_words_is_no_answer_yet(running: Gate) -> None:
    assert running.ask("blank").json()["choices"][0]["message"]["content"] == "At last."


def test_arguments_without_end_are_refused(running: Gate, model: RawModel, script: Script) -> None:
    """40 MB are on offer; at the bound of one the choice ends, and the model with it."""
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    model.left.clear()
    choice = running.ask("calls", tools=[tool]).json()["choices"][0]
    assert choice["finish_reason"] == "content_filter"
    assert not choice["message"].get("tool_calls")
    assert model.left.wait(10)
    assert script.said < 5000


def test_a_key_without_end_is_masked_and_forgotten(running: Gate) -> None:
    """10 MB of it: nothing shows, nothing is kept."""
    reply = running.ask("secret", stream=True)
    assert "MIIE" not in reply.text
    assert finish_of(events_of(reply.content)) == "stop"


WRONG: dict[str, bytes] = {
    "nothing": b"",
    "only done": DONE,
    "no event": b"\x00\xff\x00\xff" * 100,
    "a web page": b"<html><body>502 Bad Gateway</body></html>",
    "half an event": event({"content": "kum"})[:40],
    "no JSON": b"data: {'choices': []}\n\n" + DONE,
    "a list": b"data: []\n\n" + DONE,
    "choices as text": b'data: {"choices": "x"}\n\n' + DONE,
    "a choice as text": b'data: {"choices": ["x"]}\n\n' + DONE,
    "a delta as list": b'data: {"choices": [{"index": 0, "delta": ["x"]}]}\n\n' + DONE,
    "content as number": event({"content": 5}) + event({}, "stop") + DONE,
    "content as list": event({"content": [{"type": "text", "text": "kumquat"}]}) + event({}, "stop") + DONE,
    "a choice nobody asked for": event({"content": "x"}, index=7) + event({}, "stop", index=7) + DONE,
    "an index below zero": event({"content": "x"}, index=-1) + DONE,
    "an unknown finish": event({"content": "x"}, "bored") + DONE,
    "text after the end": event({"content": "x"}, "stop") + event({"content": "kumquat"}) + DONE,
    "no finish": event({"content": "x"}) + DONE,
    "no done": event({"content": "x"}) + event({}, "stop"),
    "invalid UTF-8": event({"content": "@@"}).replace(b"@@", b"\xff\xfe") + event({}, "stop") + DONE,
    "a lone surrogate": event({"content": "@@"}).replace(b"@@", b"\\ud800") + event({}, "stop") + DONE,
    "nested without end": b'data: {"choices": ' + b"[" * 100_000 + b"\n\n" + DONE,
    "an error": b'data: {"error": {"message": "kumquat", "type": "X", "code": 500}}\n\n' + DONE,
    "a flat error": b'data: {"object": "error", "message": "kumquat", "code": 500}\n\n' + DONE,
    "an error as text": b'data: {"error": "kumquat"}\n\n' + DONE,
}  # fmt: skip


def test_a_server_that_makes_no_sense_is_a_clean_error(tmp_path: Path) -> None:
    """502 whole, an error event in a stream, with our own words; and the next request is answered."""
    said: list[bytes] = HELLO

    async def reply(body: dict[str, Any]) -> AsyncIterator[bytes]:
        for part in said:
            yield part

    with raw_model(reply) as model, gate(tmp_path, model.url) as running:
        for name, data in WRONG.items():
            said = [data]
            whole = running.ask("hello")
            assert whole.status_code == 502, (name, whole.text)
            assert whole.json()["error"]["code"].startswith("upstream_"), name
            streamed = running.ask("hello", stream=True)
            assert streamed.status_code in (200, 502), name
            assert b'"error"' in streamed.content, name
            assert streamed.status_code == 502 or streamed.content.endswith(DONE), name
            assert "kumquat" not in whole.text + streamed.text, name
            said = HELLO
            assert running.ask("hello").status_code == 200, name
        assert running.metric("in_flight") == 0


def test_a_server_that_is_no_http_server_is_a_clean_error(tmp_path: Path) -> None:
    """It closes at once, speaks another language, sends heads without end, or a body shorter than it said."""
    answers = [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: %s\r\n" % (at, b"y" * 4000) for at in range(2000)) + b"\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\ncontent-type: text/event-stream\r\n\r\n" + event({"content": "x"}),
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-type: text/event-stream\r\n\r\n\x1f\x8b\x08\x00",
        b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>kumquat</html>",
        b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"choices": [{"kumquat": ',
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/kumquat\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 418 Teapot\r\ncontent-length: 7\r\n\r\nkumquat",
    ]
    now = [b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n" + b"".join(HELLO)]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer, args=(listener, now), daemon=True)
        thread.start()
        with gate(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "--set", "upstream_retries=0") as running:
            for data in answers:
                now[0] = data
                for stream in (False, True):
                    reply = running.ask("hello", stream=stream)
                    assert b'"error"' in reply.content, data[:60]
                    assert reply.status_code in ((502, 503) if not stream else (200, 502, 503)), data[:60]
                    assert "kumquat" not in reply.text + str(reply.headers)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _answer(listener: socket.socket, now: list[bytes]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            try:
                connection.recv(1 << 16)
                connection.sendall(now[0])
            except OSError:
                continue
