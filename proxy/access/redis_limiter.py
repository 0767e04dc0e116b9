"""Limits counted in Redis, exactly, for all workers and replicas together. One Lua script decides, at one time, over the key, its
tenant and the route; the clock is Redis'.

All counts share one hash tag and so live on one node of a cluster: a limit on a route holds for all tenants together, and what is
to be decided at one time has to lie in one place. Every script may be called twice for the same exchange and counts once.

Where Redis is gone, requests do not wait for it: they get this process's share of the limits, or are refused, by setting. What
exchanges cost meanwhile is owed, and counted when Redis is back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Literal

from proxy.access.caller import Caller, Limits
from proxy.access.estimate import Estimate, fitted
from proxy.access.limiter import NOTHING, Entry, Lease, News, Silent, Unlimited, entry, kinds
from proxy.access.local import Local, LocalLease
from proxy.access.subject import subjects
from proxy.access.told import Seen, headers_of, passed, refusal
from proxy.access.windows import DAY, NAMES, asked, vector
from proxy.errors import ApiError
from proxy.state.redis import GoneError, Script, Shared
from proxy.upstream.protocol import Usage

PLACE = 30.0
"""Seconds after which the places of a process that died are free."""
RENEWED = PLACE / 3
KEPT, MARKED = 3600, 900
"""Seconds that the record of an exchange is kept: while it goes on (and is renewed), and after its end."""
PROBED = 0.25
"""Seconds between two looks whether Redis is back."""
SLOW = 2
"""Answers in a row that did not come in time, after which Redis counts as gone."""
MOST_OWED = 100_000
AT_ONCE = 32
Without = Literal["local", "refuse"]
log = logging.getLogger("sluicegate")


def _script(name: str) -> Script:
    return Script(files("proxy.access").joinpath("scripts", name).read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Scripts:
    """What runs in Redis."""

    enter: Script
    settle: Script
    renew: Script


def scripts() -> Scripts:
    """As they come with the program."""
    return Scripts(_script("enter.lua"), _script("settle.lua"), _script("renew.lua"))


@dataclass(frozen=True, slots=True)
class Owed:
    """An exchange that has ended and is not counted yet. `ended` is a `time.monotonic()`."""

    entry: Entry
    real: tuple[int, int, int]
    ended: float


class RedisLimiter:
    """See the module. `share` is among how many processes the limits are divided while Redis is gone."""

    def __init__(
        self,
        redis: Shared,
        default: Limits | None = None,
        *,
        without: Without = "local",
        share: int = 1,
        prefix: str = "sluicegate",
        news: News | None = None,
    ) -> None:
        self._redis, self._default, self._without = redis, default or Limits(), without
        self._news = news or Silent()
        self._local = Local(self._default, self._news, share=share)
        self._scripts, self._prefix = scripts(), prefix + ":{limits}:"
        self._open: dict[str, Entry] = {}
        self._owed: deque[Owed] = deque()
        self._settling: set[asyncio.Task[None]] = set()
        self._slow, self._gone = 0, False
        self._woken = asyncio.Event()

    @property
    def gone(self) -> bool:
        """Whether Redis is not asked at present."""
        return self._gone

    # ---- in

    async def enter(self, caller: Caller, route: str, route_limits: Limits, estimate: Estimate) -> Lease:
        """See `Limiter.enter`. Raises `ApiError` 503 where Redis is gone and the setting says so."""
        held = subjects(caller, route, route_limits, self._default)
        if not held:
            return Unlimited()
        one = entry(held, fitted(estimate, [each.limits for each in held]))
        if self._gone:
            return self._alone(one)
        try:
            granted, now, seen = await self._ask(one)
        except GoneError as error:
            self._failed(error)
            return self._alone(one, asked_redis=error.slow)
        except BaseException:  # cancelled, or an answer that nobody understands
            self._take_back(one)
            raise
        if not granted:
            bound = passed(seen, asked(one.estimate), now)
            if bound is not None:
                self._news.refused(bound.subject.kind, bound.name)
                raise refusal(bound, seen, now)
        self._open[one.id] = one
        return RedisLease(self, one, headers_of(seen, now))

    async def _ask(self, one: Entry) -> tuple[bool, float, Sequence[Seen]]:
        """Whether it may begin, Redis' clock in seconds, and what is used."""
        limits = [-1 if bound is None else bound for each in one.subjects for bound in vector(each.limits)]
        given = [0, int(PLACE * 1000), KEPT, *asked(one.estimate), *limits]
        said = await self._redis.run(self._scripts.enter, self._keys(one), [one.id, " ".join(map(str, given))])
        answer = [int(number) for number in said.split()]
        self._slow = 0
        width = len(NAMES)
        counts = [answer[2 + width * at : 2 + width * (at + 1)] for at in range(len(one.subjects))]
        return bool(answer[0]), answer[1] / 1000, [Seen(each, used) for each, used in zip(one.subjects, counts, strict=True)]

    def _keys(self, one: Entry) -> list[str]:
        every = [self._prefix + "exchange:" + one.id]
        for each in one.subjects:
            every += [f"{self._prefix}{each.name}:used", f"{self._prefix}{each.name}:places"]
        return every

    def _alone(self, one: Entry, *, asked_redis: bool = False) -> Lease:
        """Without Redis, which may have let the exchange in all the same where it was asked."""
        try:
            if self._without == "refuse":
                text = "The limits cannot be checked at present. Please try again."
                raise ApiError(503, text, code="limits_unavailable", headers={"retry-after": "1"})
            local = self._local.admit(one)
        except ApiError:
            if asked_redis:
                self._take_back(one)
            raise
        self._open[one.id] = one
        return RedisLease(self, one, local.headers, local)

    def _take_back(self, one: Entry) -> None:
        """The exchange does not take place. Redis gives back what it has reserved, if it has: one that is not known and seems to
        be days old is not counted."""
        self._owe(Owed(replace(one, entered=one.entered - 2 * DAY), (0, 0, 0), time.monotonic()))

    # ---- out

    async def end(self, one: Entry, usage: Usage | None) -> None:
        """An exchange is over. Waits for Redis, though not for long; a cancelled caller does not stop it."""
        self._open.pop(one.id, None)
        owed = Owed(one, kinds(usage, one.estimate), time.monotonic())
        if self._gone:
            self._owe(owed)
            return
        task = asyncio.get_running_loop().create_task(self._settle(owed))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        await asyncio.shield(task)

    async def _settle(self, owed: Owed) -> None:
        one, now = owed.entry, time.monotonic()
        ages = [round((now - one.entered) * 1000), round((now - owed.ended) * 1000)]
        try:
            await self._redis.run(self._scripts.settle, self._keys(one), [one.id, "", *ages, MARKED, *owed.real])
            self._slow = 0
        except GoneError as error:
            self._owe(owed)
            self._failed(error)

    def _owe(self, owed: Owed) -> None:
        if len(self._owed) >= MOST_OWED:
            self._owed.popleft()
            log.error("limits: more than %d exchanges are not counted yet, the oldest is forgotten", MOST_OWED)
        self._owed.append(owed)
        self._news.owed(len(self._owed))
        self._woken.set()

    # ---- gone, and back

    def _failed(self, error: GoneError) -> None:
        if error.slow:
            self._slow += 1
            self._news.late()
        if not self._gone and (not error.slow or self._slow >= SLOW):
            self._gone = True
            self._tell()
            log.error(
                "limits: Redis is gone (%s); %s",
                error,
                "a share of them is counted here" if self._without == "local" else "refusing",
            )
        self._woken.set()

    def _tell(self) -> None:
        self._news.backend("redis" if not self._gone else "local_share" if self._without == "local" else "nobody")

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """While the block runs, places are renewed, and what is owed is paid when it can be."""
        self._tell()
        await self._look()
        tasks = [asyncio.get_running_loop().create_task(work()) for work in (self._renewing, self._paying)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, *self._settling, return_exceptions=True)
            if not self._gone:
                await self._pay()
            await self._redis.aclose()

    async def _look(self) -> None:
        try:
            await self._redis.ping(self._prefix + "ping")
        except GoneError as error:
            self._failed(GoneError(str(error)))
            return
        if self._gone:
            self._gone, self._slow = False, 0
            self._tell()
            log.warning("limits: Redis is back")
            await self._renew()

    async def _paying(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._gone or self._owed:
                await asyncio.sleep(PROBED)
                await self._look()
                if not self._gone:
                    await self._pay()

    async def _pay(self) -> None:
        """Counts what is owed, as far as that works."""
        left = len(self._owed)
        while left > 0 and not self._gone:
            some = [self._owed.popleft() for _ in range(min(AT_ONCE, left))]
            left -= len(some)
            try:
                await asyncio.gather(*(self._settle(each) for each in some))
            except asyncio.CancelledError:  # to be paid once more: what is paid twice counts once
                self._owed.extend(some)
                raise
        self._news.owed(len(self._owed))

    async def _renewing(self) -> None:
        while True:
            await asyncio.sleep(RENEWED)
            if not self._gone:
                await self._renew()

    async def _renew(self) -> None:
        every = list(self._open.values())
        for start in range(0, len(every), AT_ONCE):
            some = [one for one in every[start : start + AT_ONCE] if one.id in self._open]
            keys, ids = list[str](), list[str]()
            for one in some:
                record, *rest = self._keys(one)
                places = [place for place, each in zip(rest[1::2], one.subjects, strict=True) if each.limits.streams is not None]
                keys += [record, *places]
                ids += ["", *[one.id] * len(places)]
            try:
                await self._redis.run(self._scripts.renew, keys, ["", int(PLACE * 1000), KEPT, *ids])
            except GoneError as error:
                self._failed(error)
                return


class RedisLease:
    """What the limiter gives. `local` is that of the local share, where Redis was gone."""

    __slots__ = ("_ended", "_entry", "_limiter", "_local", "headers")

    def __init__(self, limiter: RedisLimiter, one: Entry, headers: Mapping[str, str], local: LocalLease | None = None) -> None:
        self._limiter, self._entry, self._local, self.headers = limiter, one, local, headers
        self._ended = False

    async def settle(self, usage: Usage | None) -> None:
        """See `Lease.settle`."""
        if self._ended:
            return
        self._ended = True
        if self._local is not None:
            self._local.end(usage)
        await self._limiter.end(self._entry, usage)

    async def release(self) -> None:
        """See `Lease.release`."""
        await self.settle(NOTHING)
