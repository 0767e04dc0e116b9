"""Work for a client who may leave: when the client goes, the work is cancelled, before or after the first byte.

Whoever awaits something before sending must listen for the client's leave-taking, or the model goes on thinking for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientLeftError(Exception):
    """The client closed its connection."""


@asynccontextmanager
async def attended(receive: Receive) -> AsyncIterator[None]:
    """Runs its body while the client is there; cancels it and raises `ClientLeftError` when the client has gone."""
    work = asyncio.current_task()
    assert work is not None  # noqa: S101  # a coroutine always runs in a task
    left = False

    async def watch() -> None:
        nonlocal left
        while (await receive())["type"] != "http.disconnect":
            pass
        left = True
        work.cancel()

    watcher = asyncio.get_running_loop().create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if left and work.uncancel() == 0:
            raise ClientLeftError from None
        raise
    finally:
        watcher.cancel()
