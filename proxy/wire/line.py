"""The line to one client: headers once, then bytes, and a sign of life whenever there was nothing to say for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from proxy.errors import ApiError
from proxy.wire.headers import raw
from proxy.wire.render import COMMENT

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
MOST_STALLED = 300.0
"""Seconds that a client may leave us waiting with data it does not read."""


class Line:
    """Sends to one client. `stalled` is called when the client has not read for `MOST_STALLED` seconds."""

    def __init__(self, send: Send, keep_alive: float, stalled: Callable[[], object]) -> None:
        self._send, self._every, self._stalled = send, keep_alive, stalled
        self.started = False
        self.status = 200
        self._last = time.monotonic()
        self._sending: float | None = None
        self._beat: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, headers: Callable[[], Mapping[str, str]]) -> None:
        """From now on an event stream is kept alive with comments; `headers` are those it begins with, should it not have."""
        every = self._every or MOST_STALLED
        self._timer = asyncio.get_running_loop().call_later(every, self._tick, every, headers)

    def _tick(self, every: float, headers: Callable[[], Mapping[str, str]]) -> None:
        now = time.monotonic()
        if self._sending is not None:
            if now - self._sending > MOST_STALLED:
                self._stalled()
        elif self._every and now - self._last >= self._every * 0.9 and (self._beat is None or self._beat.done()):
            self._beat = asyncio.get_running_loop().create_task(self._alive(headers))
        self._timer = asyncio.get_running_loop().call_later(every, self._tick, every, headers)

    async def _alive(self, headers: Callable[[], Mapping[str, str]]) -> None:
        self._sending = self._last = time.monotonic()
        if not self.started:
            await self._begin(200, headers())
        await self._send({"type": "http.response.body", "body": COMMENT, "more_body": True})
        self._sending = None

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """The headers, unless they are out."""
        if self._beat is not None:
            await self._beat
        if not self.started:
            await self._begin(status, headers)

    async def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.started, self.status = True, status
        await self._send({"type": "http.response.start", "status": status, "headers": raw(headers)})

    async def write(self, data: bytes, more: bool = True) -> None:
        """Bytes of the body. Waits while the client does not read."""
        if self._beat is not None:
            await self._beat
            self._beat = None
        self._sending = self._last = time.monotonic()
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
        self._sending = None

    async def whole(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole JSON response."""
        await self.start(status, {**headers, "content-type": "application/json", "content-length": str(len(body))})
        await self.write(body, more=False)

    async def fail(self, error: ApiError, headers: Mapping[str, str]) -> None:
        """An error as a whole response."""
        retry = {"x-should-retry": "false"} if error.status < 500 and error.status not in (408, 429) else {}
        await self.whole(error.status, {**headers, **retry, **error.headers}, error.body())

    async def hush(self) -> None:
        """No more signs of life; one that is on its way goes first. From now on `started` does not change behind one's back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._beat is not None:
            await self._beat
            self._beat = None

    def close(self) -> None:
        """Stops the signs of life."""
        if self._timer is not None:
            self._timer.cancel()
        if self._beat is not None:
            self._beat.cancel()
