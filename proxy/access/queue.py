"""A fair, bounded queue in front of the model servers.

At most so many exchanges have a place there; the others wait, each tenant's in a line of its own. A free place goes to the tenant
who has had least, in tokens: start-time fair queueing (Goyal, Vin and Cheng, 1996), whose clock is the tokens served. When an
exchange ends, what it really used is put on its tenant's account, so that thirty thousand tokens of thought are paid for with
patience and not by the others. Who was away does not come back with credit, nor with debt of a time when nobody else waited.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from proxy.errors import ApiError

PATIENCE = {"x-should-retry": "true"}


class QueueNews(Protocol):
    """Whom the queue tells how it stands."""

    def queue(self, waiting: int, running: int) -> None:
        """So many wait, so many have a place."""

    def served(self, waited: float) -> None:
        """One got its place, after so many seconds."""

    def shed(self, why: str) -> None:
        """One was turned away."""


@dataclass(slots=True, eq=False)
class Waiting:
    """One who waits. `cost` is what it is expected to use, in tokens by its tenant's weight."""

    tenant: str
    cost: float
    came: float
    turn: asyncio.Future[None]


@dataclass(slots=True)
class Account:
    """A tenant's: `had` is where the clock stood when its last exchange began, and what that costs."""

    had: float = 0.0
    running: int = 0
    line: deque[Waiting] = field(default_factory=deque)


@dataclass(slots=True)
class Turn:
    """A place. `used` is to be set to what was used, in tokens, before it is given back."""

    cost: float
    used: float | None = None


class FairQueue:
    """`places` at one time, a line of `length` for all, in which nobody stands longer than `seconds`. `weights` are shares by
    tenant, 1 for those without."""

    def __init__(
        self,
        places: int,
        *,
        length: int = 1000,
        seconds: float = 60.0,
        weights: Mapping[str, float] | None = None,
        news: QueueNews | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places, self._length, self._seconds = places, length, seconds
        self._weights, self._news, self._clock = weights or {}, news, clock
        self._accounts: dict[str, Account] = {}
        self._served = 0.0  # the clock of the queue: where those stand whose turn it is
        self._pace = 1.0  # seconds that an exchange keeps its place, as of late
        self._tokens = self._seconds_of_them = 0.0  # of exchanges that came to their end; the last eight or so count
        self.running = self.waiting = 0

    @property
    def full(self) -> bool:
        """Whether nobody else may wait."""
        return self.running >= self._places and self.waiting >= self._length

    def refuse_when_full(self) -> None:
        """Raises `ApiError` 503 when there is no room to wait."""
        if self.full:
            raise self._refusal("queue_full", "Too many requests are waiting. Please try again.")

    @asynccontextmanager
    async def turn(self, tenant: str, cost: float) -> AsyncIterator[Turn]:
        """A place, as long as the block runs. Raises `ApiError` 503 where the line is too long, or was. Who is cancelled leaves
        it at once."""
        turn, came = Turn(cost), self._clock()
        if self.running < self._places and not self.waiting:
            self._begin(tenant, cost)
        else:
            await self._wait(tenant, cost, came)
        began = self._clock()
        try:
            self._tell(began - came)
            yield turn
        finally:
            self._end(tenant, turn, began)

    async def _wait(self, tenant: str, cost: float, came: float) -> None:
        self.refuse_when_full()
        account = self._accounts.setdefault(tenant, Account())
        one = Waiting(tenant, cost, came, asyncio.get_running_loop().create_future())
        account.line.append(one)
        self.waiting += 1
        try:
            self._tell()
            async with asyncio.timeout(self._seconds):
                await one.turn
        except BaseException as error:
            if one.turn.done() and not one.turn.cancelled():  # its turn came in the very moment it left
                self._end(tenant, Turn(cost, 0.0), self._clock(), learn=False)
            elif one in account.line:
                account.line.remove(one)
                self.waiting -= 1
                self._forget(tenant)
                self._tell()
            if isinstance(error, TimeoutError):
                raise self._refusal("queue_time", "The request waited too long for its turn. Please try again.") from None
            raise

    def _begin(self, tenant: str, cost: float) -> None:
        account = self._accounts.setdefault(tenant, Account())
        start = max(self._served, account.had)
        self._served = start
        account.had = start + cost / self._weight(tenant)
        account.running += 1
        self.running += 1

    def _end(self, tenant: str, turn: Turn, began: float, *, learn: bool = True) -> None:
        account = self._accounts[tenant]
        account.running -= 1
        self.running -= 1
        took = self._clock() - began
        used = turn.used if turn.used is not None else self._by_time(took)
        if turn.used is not None and learn:
            self._tokens += turn.used - self._tokens / 8
            self._seconds_of_them += took - self._seconds_of_them / 8
        if used is not None:
            account.had += (used - turn.cost) / self._weight(tenant)
        if learn:
            self._pace += (took - self._pace) / 8
        self._next()
        self._forget(tenant)
        if not self.running:
            self._accounts.clear()
            self._served = 0.0
        self._tell()

    def _by_time(self, took: float) -> float | None:
        """What an exchange that was cut off has used: nobody has counted it, but for so long nobody else had its place."""
        return took * self._tokens / self._seconds_of_them if self._seconds_of_them > 0 else None

    def _next(self) -> None:
        while self.running < self._places and self.waiting:
            name, account = min(
                ((name, each) for name, each in self._accounts.items() if each.line),
                key=lambda item: (max(self._served, item[1].had), item[1].line[0].came),
            )
            one = account.line.popleft()
            self.waiting -= 1
            if one.turn.done():  # it is just leaving
                self._forget(name)
                continue
            self._begin(name, one.cost)
            one.turn.set_result(None)

    def _weight(self, tenant: str) -> float:
        return self._weights.get(tenant, 1.0)

    def _forget(self, tenant: str) -> None:
        """Who neither waits nor runs, nor has had more than the others, needs no account."""
        account = self._accounts.get(tenant)
        if account is not None and not account.running and not account.line and (account.had <= self._served or not self.waiting):
            del self._accounts[tenant]

    def _refusal(self, why: str, text: str) -> ApiError:
        if self._news is not None:
            self._news.shed(why)
        wait = min(60, max(1, round(self._pace * (self.waiting + 1) / self._places)))
        return ApiError(503, text, code=why, headers={"retry-after": str(wait), **PATIENCE})

    def _tell(self, waited: float | None = None) -> None:
        if self._news is not None:
            self._news.queue(self.waiting, self.running)
            if waited is not None:
                self._news.served(waited)
