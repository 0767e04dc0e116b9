"""The queue in front of the model servers: bounded, fair by tokens, and left at once by who leaves."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.access.queue import FairQueue
from proxy.access.shedding import IN_A_ROW, Shedding
from proxy.errors import ApiError

LONG = 3600.0


async def served(queue: FairQueue, tasks: Sequence[tuple[str, float]], most: int) -> list[str]:
    """The tenants in the order in which they get the one place; every exchange uses what it said."""
    order: list[str] = []
    gate = asyncio.Event()

    async def first() -> None:
        async with queue.turn("first", 0):
            await gate.wait()

    async def one(tenant: str, cost: float) -> None:
        async with queue.turn(tenant, cost) as turn:
            turn.used = cost
            order.append(tenant)

    holds = asyncio.create_task(first())
    await asyncio.sleep(0)
    waiting = []
    for tenant, cost in tasks:
        waiting.append(asyncio.create_task(one(tenant, cost)))
        await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(holds, *waiting)
    assert (queue.running, queue.waiting) == (0, 0)
    return order[:most]


def test_thoughts_of_one_tenant_do_not_starve_the_others() -> None:
    """A hundred long thoughts came first; a hundred short questions of another do not wait for them."""
    tasks = [("thinker", 32_000.0)] * 100 + [("asker", 100.0)] * 100
    order = asyncio.run(served(FairQueue(1, seconds=LONG), tasks, 102))
    assert order.index("asker") <= 1
    assert Counter(order)["asker"] == 100


def test_what_was_really_used_is_what_counts() -> None:
    """Both say the same beforehand; one thinks for ten times as long as it said."""

    async def play() -> Counter[str]:
        queue, order = FairQueue(1, seconds=LONG), list[str]()

        async def client(tenant: str, used: float) -> None:
            while len(order) < 220:
                async with queue.turn(tenant, 100) as turn:
                    order.append(tenant)
                    await asyncio.sleep(0)
                    turn.used = used

        await asyncio.gather(*(client("thinker", 1000) for _ in range(4)), *(client("asker", 100) for _ in range(4)))
        return Counter(order[:220])

    counts = asyncio.run(play())
    assert 8 <= counts["asker"] / counts["thinker"] <= 12


def test_who_leaves_pays_for_the_time_it_had_a_place() -> None:
    """One's clients always leave before the end, after ten times as long as the other's answers take."""

    async def play() -> Counter[str]:
        now = [0.0]
        queue, order = FairQueue(1, seconds=LONG, clock=lambda: now[0]), list[str]()

        async def client(tenant: str, seconds: float) -> None:
            while len(order) < 220:
                with suppress(ConnectionError):
                    async with queue.turn(tenant, 100) as turn:
                        order.append(tenant)
                        await asyncio.sleep(0)
                        now[0] += seconds
                        if tenant == "leaver":
                            raise ConnectionError
                        turn.used = 100

        await asyncio.gather(*(client("leaver", 10) for _ in range(4)), *(client("asker", 1) for _ in range(4)))
        return Counter(order[:220])

    counts = asyncio.run(play())
    assert 8 <= counts["asker"] / counts["leaver"] <= 12


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 1000)), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_among_those_who_wait_nobody_is_ahead_by_more_than_one_exchange(tasks: list[tuple[str, int]]) -> None:
    """The bound of start-time fair queueing: while both wait, what they had differs by at most the two largest costs."""
    order = asyncio.run(served(FairQueue(1, seconds=LONG), [(tenant, float(cost)) for tenant, cost in tasks], len(tasks)))
    left = {tenant: [cost for who, cost in tasks if who == tenant] for tenant in "ab"}
    most = {tenant: max(costs, default=0) for tenant, costs in left.items()}
    had = dict.fromkeys("ab", 0)
    for tenant in order:
        if not (left["a"] and left["b"]):
            break
        had[tenant] += left[tenant].pop(0)
        assert abs(had["a"] - had["b"]) <= most["a"] + most["b"]


def test_weights_are_shares() -> None:
    tasks = [("large", 100.0)] * 60 + [("small", 100.0)] * 60
    order = asyncio.run(served(FairQueue(1, seconds=LONG, weights={"large": 3}), tasks, 60))
    assert 2.5 <= Counter(order)["large"] / Counter(order)["small"] <= 3.5


def test_the_line_is_bounded() -> None:
    async def play() -> None:
        queue = FairQueue(1, length=2, seconds=LONG)
        async with queue.turn("a", 1):
            waiting = [asyncio.create_task(_pass(queue)) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(ApiError) as refused:
                await _pass(queue)
            assert (refused.value.status, refused.value.code) == (503, "queue_full")
            assert int(refused.value.headers["retry-after"]) >= 1
            assert refused.value.headers["x-should-retry"] == "true"
            with pytest.raises(ApiError):
                Shedding(0, queue).check()
        await asyncio.gather(*waiting)
        Shedding(0, queue).check()

    asyncio.run(play())


async def _pass(queue: FairQueue, tenant: str = "b") -> None:
    async with queue.turn(tenant, 1):
        await asyncio.sleep(0)


def test_nobody_waits_longer_than_that() -> None:
    async def play() -> None:
        queue = FairQueue(1, seconds=0.02)
        async with queue.turn("a", 1):
            with pytest.raises(ApiError) as refused:
                await _pass(queue)
            assert refused.value.code == "queue_time"
            assert queue.waiting == 0
        await _pass(queue)

    asyncio.run(play())


@given(st.lists(st.sampled_from(["come", "leave", "end"]), max_size=40), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_no_place_is_ever_lost(script: list[str], places: int) -> None:
    """Whoever leaves, whenever: never more than the places, never one free while somebody waits, and all free in the end."""

    async def play() -> None:
        queue, inside, going = FairQueue(places, seconds=LONG), list[asyncio.Event](), list[asyncio.Task[None]]()

        async def one(tenant: str) -> None:
            async with queue.turn(tenant, 1):
                done = asyncio.Event()
                inside.append(done)
                try:
                    await done.wait()
                finally:
                    inside.remove(done)

        for step, what in enumerate(script):
            if what == "come":
                going.append(asyncio.create_task(one("ab"[step % 2])))
            elif what == "leave" and going:
                going.pop(step % len(going)).cancel()
            elif inside:
                inside[0].set()
            if step % 3:  # now and then two things happen in one moment
                for _ in range(4):
                    await asyncio.sleep(0)
                assert len(inside) == queue.running <= places
                assert queue.running == places or queue.waiting == 0
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)
        for _ in range(4):
            await asyncio.sleep(0)
        assert (queue.running, queue.waiting, queue._accounts) == (0, 0, {})

    asyncio.run(play())


def test_a_place_is_given_back_though_nobody_can_be_told() -> None:
    """What counts fails at the moment when a place is taken, or the line is joined."""

    class Failing:
        def __init__(self) -> None:
            self.fails = True

        def queue(self, waiting: int, running: int) -> None:
            if self.fails:
                raise ZeroDivisionError

        def served(self, waited: float) -> None: ...
        def shed(self, why: str) -> None: ...

    async def play() -> None:
        news = Failing()
        queue = FairQueue(1, news=news)
        with pytest.raises(ZeroDivisionError):
            await _pass(queue)
        assert (queue.running, queue.waiting) == (0, 0)
        news.fails = False
        async with queue.turn("a", 1):
            news.fails = True
            with pytest.raises(ZeroDivisionError):
                await _pass(queue)
            news.fails = False
        assert (queue.running, queue.waiting) == (0, 0)
        await _pass(queue)

    asyncio.run(play())


def test_a_loop_that_lags_sheds_and_recovers() -> None:
    shedding = Shedding(1.0)
    for _ in range(IN_A_ROW - 1):
        shedding.looked(5.0)
    shedding.check()  # one long breath is no reason
    shedding.looked(5.0)
    with pytest.raises(ApiError) as refused:
        shedding.check()
    assert (refused.value.status, refused.value.code, refused.value.headers["retry-after"]) == (503, "overloaded", "2")
    shedding.looked(0.0)
    shedding.check()
