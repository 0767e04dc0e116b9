"""The line to a client: headers once, bytes in order, a sign of life in silence, and no patience with one who does not read."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from proxy.errors import ApiError
from proxy.wire import line as lines
from proxy.wire.line import Line
from proxy.wire.render import COMMENT

SOON = 0.02
HEADERS = {"content-type": "text/event-stream"}


class Client:
    """Keeps what it is sent. `reads`, when cleared, makes every send wait, as a full socket does."""

    def __init__(self) -> None:
        self.messages: list[MutableMapping[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.got = asyncio.Event()
        self.called = asyncio.Event()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.called.set()
        await self.reads.wait()
        self.messages.append(message)
        self.got.set()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def starts(self) -> list[MutableMapping[str, Any]]:
        return [message for message in self.messages if message["type"] == "http.response.start"]

    async def until(self, text: bytes) -> None:
        async with asyncio.timeout(5):
            while text not in self.body:
                self.got.clear()
                await self.got.wait()


def never() -> None:
    raise AssertionError("the client was thought to have stalled")


def test_headers_go_out_once_and_bytes_in_order() -> None:
    async def go() -> None:
        client = Client()
        line = Line(client.send, 0, never)
        await line.start(200, HEADERS)
        await line.start(500, {"x": "y"})
        await line.write(b"one ")
        await line.write(b"two", more=False)
        assert [message["type"] for message in client.messages] == ["http.response.start", *["http.response.body"] * 2]
        assert client.messages[0]["headers"] == [(b"content-type", b"text/event-stream")]
        assert (line.status, client.messages[0]["status"], client.body) == (200, 200, b"one two")
        assert [message["more_body"] for message in client.messages[1:]] == [True, False]
        line.close()

    asyncio.run(go())


def test_a_whole_response() -> None:
    async def go() -> None:
        client = Client()
        line = Line(client.send, 0, never)
        await line.whole(200, {"x-request-id": "e"}, b"{}")
        headers = dict(client.messages[0]["headers"])
        assert headers == {b"x-request-id": b"e", b"content-type": b"application/json", b"content-length": b"2"}
        assert (client.body, client.messages[-1]["more_body"]) == (b"{}", False)

    asyncio.run(go())


@pytest.mark.parametrize(
    ("status", "retry"),
    [(400, True), (401, True), (404, True), (413, True), (408, False), (429, False), (500, False), (502, False)],
)
def test_errors_say_whether_to_try_again(status: int, retry: bool) -> None:
    async def go() -> None:
        client = Client()
        await Line(client.send, 0, never).fail(ApiError(status, "no", headers={"retry-after": "3"}), {"x-request-id": "e"})
        headers = dict(client.messages[0]["headers"])
        assert (headers.get(b"x-should-retry") == b"false") == retry
        assert headers[b"retry-after"] == b"3"
        assert headers[b"x-request-id"] == b"e"
        assert client.messages[0]["status"] == status

    asyncio.run(go())


def test_a_sign_of_life_in_silence() -> None:
    async def go() -> None:
        client = Client()
        line = Line(client.send, SOON, never)
        line.watch(lambda: HEADERS)
        await client.until(COMMENT * 2)
        assert (len(client.starts), line.started) == (1, True)
        await line.start(200, {"too": "late"})
        await line.write(b"data: x\n\n", more=False)
        line.close()
        assert len(client.starts) == 1
        assert client.body.endswith(b"data: x\n\n")
        assert client.body.replace(COMMENT, b"") == b"data: x\n\n"

    asyncio.run(go())


def test_no_sign_of_life_while_there_is_something_to_say() -> None:
    async def go() -> None:
        client = Client()
        line = Line(client.send, 10.0, never)
        line.watch(lambda: HEADERS)
        await line.start(200, HEADERS)
        for number in range(50):
            await line.write(b"%d" % number)
            await asyncio.sleep(0)
        line.close()
        assert COMMENT not in client.body

    asyncio.run(go())


def test_none_where_the_setting_says_so() -> None:
    async def go() -> None:
        client = Client()
        line = Line(client.send, 0, never)
        line.watch(lambda: HEADERS)
        await asyncio.sleep(3 * SOON)
        line.close()
        assert client.messages == []

    asyncio.run(go())


def test_bytes_wait_for_a_sign_of_life_that_is_on_its_way() -> None:
    async def go() -> None:
        client = Client()
        line = Line(client.send, SOON, never)
        line.watch(lambda: HEADERS)
        await client.until(COMMENT)
        client.reads.clear()
        client.called.clear()
        await client.called.wait()
        writing = asyncio.create_task(line.write(b"data: x\n\n", more=False))
        await asyncio.sleep(0)
        assert not writing.done()
        client.reads.set()
        await writing
        line.close()
        assert client.body.endswith(COMMENT + b"data: x\n\n")

    asyncio.run(go())


@pytest.mark.parametrize(("writing", "every"), [(True, SOON), (True, 0), (False, SOON)])
def test_a_client_who_does_not_read_is_given_up(writing: bool, every: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_STALLED", 3 * SOON)

    async def go() -> None:
        client, gone = Client(), asyncio.Event()
        line = Line(client.send, every, gone.set)
        line.watch(lambda: HEADERS)
        await line.start(200, HEADERS)
        client.reads.clear()
        task = asyncio.create_task(line.write(b"x")) if writing else None
        async with asyncio.timeout(5):
            await gone.wait()
        line.close()
        if task is not None:
            task.cancel()

    asyncio.run(go())


def test_close_stops_the_signs_of_life() -> None:
    async def go() -> None:
        client = Client()
        line = Line(client.send, SOON, never)
        line.watch(lambda: HEADERS)
        await client.until(COMMENT)
        line.close()
        await asyncio.sleep(0)
        sent = len(client.messages)
        await asyncio.sleep(4 * SOON)
        assert len(client.messages) == sent

    asyncio.run(go())
