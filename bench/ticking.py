"""A model server that keeps its pace and writes into every token when it was sent: `python -m bench.ticking PORT`.

A sleep per token would drift with the load of the machine, and one could not tell a late token from a late server. Here one clock
serves all streams, and the token is the time: nine letters, base 26, of the microseconds of the system's monotonic clock, which
all processes share. The model `tick-50` sends a token every 50 ms; `max_tokens` of them.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import sys
import time
from itertools import count
from typing import Any, cast

import httptools
import uvloop

LETTERS = 9
STEP = 0.001
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


def now() -> int:
    """Microseconds."""
    return time.monotonic_ns() // 1000


def word(moment: int) -> str:
    """A moment as nine small letters."""
    letters = bytearray(LETTERS)
    for place in range(LETTERS - 1, -1, -1):
        moment, digit = divmod(moment, 26)
        letters[place] = 97 + digit
    return letters.decode()


def moment(written: bytes) -> int:
    """Back again."""
    value = 0
    for letter in written:
        value = value * 26 + letter - 97
    return value


def chunk(delta: dict[str, str], finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    """One event, as one HTTP chunk."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    body: dict[str, Any] = {"id": "chatcmpl-t", "object": "chat.completion.chunk", "created": 1700000000, "model": "tick"}
    body["choices"] = [] if usage else [choice]
    if usage:
        body["usage"] = usage
    data = b"data: " + json.dumps(body).encode() + b"\n\n"
    return b"%x\r\n" % len(data) + data + b"\r\n"


class Clock:
    """Calls what is due, in the order in which it is due."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Reply]] = []
        self._numbers = count()

    def put(self, reply: Reply, due: int) -> None:
        """From `due` on, every `reply.every` microseconds."""
        heapq.heappush(self._due, (due, next(self._numbers), reply))

    async def run(self) -> None:
        """For ever."""
        while True:
            at = now()
            while self._due and self._due[0][0] <= at:
                due, _, reply = heapq.heappop(self._due)
                if reply.tick():
                    self.put(reply, due + reply.every)
            await asyncio.sleep(STEP)


class Reply:
    """One stream: the first half is thought, the second said."""

    def __init__(self, transport: asyncio.WriteTransport, tokens: int, every: int) -> None:
        self._transport, self._tokens, self.every, self._sent = transport, tokens, every, 0
        thought, self._parts = chunk({"reasoning_content": "#" * LETTERS + " "}), []
        for piece in (thought, chunk({"content": "#" * LETTERS + " "})):
            before, _, after = piece.partition(b"#" * LETTERS)
            self._parts.append((before, after))
        transport.write(HEAD + chunk({"role": "assistant", "content": ""}))

    def tick(self) -> bool:
        """One token; false where it was the last one, or nobody listens any more."""
        if self._transport.is_closing():
            return False
        before, after = self._parts[self._sent >= self._tokens // 2]
        self._transport.write(before + word(now()).encode() + after)
        self._sent += 1
        if self._sent < self._tokens:
            return True
        usage = {"prompt_tokens": 20, "completion_tokens": self._tokens, "total_tokens": 20 + self._tokens}
        self._transport.write(chunk({}, "stop") + chunk({}, usage=usage) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        return False


class Connection(asyncio.Protocol):
    """One connection, of as many requests as come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport, self._parser = cast(asyncio.WriteTransport, transport), httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """A new request."""
        self._body, self._url = bytearray(), bytearray()

    def on_url(self, url: bytes) -> None:
        """Some of the address."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """A whole request."""
        if not self._url.endswith(b"/chat/completions"):
            listed = b'{"object": "list", "data": [{"id": "tick-50", "object": "model"}]}'
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(listed) + listed)
            return
        asked = json.loads(self._body)
        every = int(float(asked["model"].rsplit("-", 1)[1]) * 1000)
        self._clock.put(Reply(self._transport, asked.get("max_tokens") or 64, every), now() + every)


async def main(port: int) -> None:
    """Serves until it is stopped."""
    clock = Clock()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(clock), "127.0.0.1", port, backlog=2048)
    async with server:
        await clock.run()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
