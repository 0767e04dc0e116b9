"""Time limits of one reply."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from proxy.upstream.protocol import UpstreamError

T = TypeVar("T")

_TICK = 0.05  # seconds between looks at a limit that has passed while no read waited


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds.

    `first_byte` covers the server's queue and the reading of a long prompt: vLLM sends headers at once and then nothing until
    the first token, SGLang sends nothing at all. `total` fits 32k tokens of thought at 10 tokens a second, with room. `pool` is
    how long a request waits for one of the pool's connections, connecting included. `close` is how long the end of a finished
    reply is awaited, so that its connection can be used again.
    """

    connect: float = 5.0
    pool: float = 10.0
    first_byte: float = 600.0
    between_bytes: float = 120.0
    total: float = 3600.0
    close: float = 0.1


class Watch:
    """The clock of one reply. `total` runs on while our side thinks; the other limits count only while we wait for the server.

    Reads are watched by one timer for the whole reply, which looks where the limit stands when it rings: a timer for every read
    would cost as much as the parsing of a token.
    """

    __slots__ = ("_abort", "_begun", "_due", "_first", "_kind", "_limits", "_loop", "_timer", "_total", "_waiting", "fault")

    def __init__(self, limits: Timeouts) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._first, self._total = now + limits.first_byte, now + limits.total
        self._begun = self._waiting = False
        self._abort: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due, self._kind = self._first, ""
        self.fault: UpstreamError | None = None

    async def within(self, work: Awaitable[T]) -> T:
        """Awaits `work`, something before the first byte or whole; raises `UpstreamError` when its time is up."""
        self._set_due()
        try:
            async with asyncio.timeout_at(self._due):
                return await work
        except TimeoutError:
            raise _too_long(self._kind) from None

    def guard(self, abort: Callable[[], None]) -> None:
        """From now on, until `stop`, reads between `wait` and `came` are watched. `abort` breaks one off; `fault` says why."""
        self._abort = abort
        self._arm()

    def wait(self) -> None:
        """A read begins."""
        self._set_due()
        self._waiting = True

    def came(self) -> None:
        """A read has ended."""
        self._waiting, self._begun = False, True

    def stop(self) -> None:
        """The reply is over."""
        if self._timer is not None:
            self._timer.cancel()
        self._abort = None

    def left(self) -> float:
        """Seconds until the limit that applies now."""
        self._set_due()
        return self._due - self._loop.time()

    def _set_due(self) -> None:
        if self._begun:
            self._due, self._kind = self._loop.time() + self._limits.between_bytes, "timeout_between_bytes"
        else:
            self._due, self._kind = self._first, "timeout_first_byte"
        if self._total < self._due:
            self._due, self._kind = self._total, "timeout_total"

    def _arm(self) -> None:
        # No later than the limit of any read that waits or may begin until then; `_due` of a read that waits only moves later.
        now = self._loop.time()
        when = min(now + self._limits.between_bytes, self._total)
        if not self._begun:
            when = min(when, self._first)
        elif self._waiting:
            when = min(when, self._due)
        self._timer = self._loop.call_at(max(when, now + _TICK), self._ring)

    def _ring(self) -> None:
        if self._abort is None:
            return
        if self._waiting and self._loop.time() >= self._due:
            self.fault = _too_long(self._kind)
            self._abort()
        else:
            self._arm()


def _too_long(kind: str) -> UpstreamError:
    return UpstreamError(kind, "The model server took too long.", status=504, detail=kind)
