"""When the client goes the work stops, wherever it stands; otherwise attending changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from proxy.road.attended import ClientLeftError, attended


class Client:
    """Sends what is left of its body, and goes when it is told to."""

    def __init__(self, messages: int = 0) -> None:
        self.leaves = asyncio.Event()
        self._messages = messages

    async def receive(self) -> MutableMapping[str, Any]:
        if self._messages:
            self._messages -= 1
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.leaves.wait()
        return {"type": "http.disconnect"}


def test_work_of_a_client_who_stays() -> None:
    async def go() -> str:
        client = Client(messages=3)
        async with attended(client.receive):
            await asyncio.sleep(0)
            return "done"

    assert asyncio.run(go()) == "done"


async def _settled() -> bool:
    """Whether no watcher is left after a turn of the loop."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return len(asyncio.all_tasks()) == 1


def test_no_watcher_stays_behind() -> None:
    async def go() -> None:
        for _ in range(5):
            async with attended(Client().receive):
                await asyncio.sleep(0)
        assert await _settled()

    asyncio.run(go())


@pytest.mark.parametrize("steps", [0, 1, 5])
def test_a_client_who_leaves_stops_the_work(steps: int) -> None:
    events: list[str] = []

    async def go() -> None:
        client = Client()
        try:
            async with attended(client.receive):
                try:
                    for _ in range(steps):
                        await asyncio.sleep(0)
                    client.leaves.set()
                    await asyncio.Event().wait()
                finally:
                    events.append("cleaned up")
        except ClientLeftError:
            events.append("left")
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)  # works on, uncancelled
        events.append("recorded")

    asyncio.run(go())
    assert events == ["cleaned up", "left", "recorded"]


def test_a_client_who_is_gone_before_the_first_step() -> None:
    async def go() -> None:
        client = Client()
        client.leaves.set()
        with pytest.raises(ClientLeftError):
            async with attended(client.receive):
                await asyncio.Event().wait()

    asyncio.run(go())


def test_a_cancellation_from_elsewhere_stays_one() -> None:
    async def go() -> None:
        async def work() -> None:
            async with attended(Client().receive):
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())


def test_a_shutdown_wins_over_a_leaving_client() -> None:
    async def go() -> None:
        client = Client()

        async def work() -> None:
            async with attended(client.receive):
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        client.leaves.set()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())


def test_an_error_inside_comes_out() -> None:
    async def go() -> None:
        with pytest.raises(ZeroDivisionError):
            async with attended(Client().receive):
                raise ZeroDivisionError

    asyncio.run(go())
