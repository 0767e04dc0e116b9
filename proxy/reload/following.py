"""Looks at the policies again and again while the application runs, and when SIGHUP says so."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from policies.bind import Builder
from policies.policy import Policy
from proxy.access.choice import Choices
from proxy.reload.reloader import Reloader
from proxy.routes.routes import Routes
from proxy.settings import Settings
from proxy.state.notices import ByTheClock, Ear, Notices
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.reload import ReloadMetrics

log = logging.getLogger("sluicegate")

SETTLES = 0.5
"""Seconds to the next look at something that must stand still first, however seldom one looks otherwise."""


def reloader_of(
    settings: Settings,
    routes: Routes,
    choices: Choices,
    builder: Builder,
    metrics: Metrics,
    check: Callable[[Policy], None],
) -> Reloader | None:
    """What follows the policies as the settings say; None where nothing shall. `check` is the reloader's."""
    if settings.policy_reload == "off":
        return None
    return Reloader(settings, routes, choices, builder, ReloadMetrics(metrics), check)


@asynccontextmanager
async def following(settings: Settings, *all_of_them: Reloader | None, notices: Notices | None = None) -> AsyncIterator[None]:
    """While the block runs. Without a reloader nothing is followed. `notices` let it be looked before it is time."""
    reloaders = [one for one in all_of_them if one is not None]
    if not reloaders:
        yield
        return
    told = asyncio.Event()
    tasks = [asyncio.create_task(_on_word(reloaders, told), name="policies-sighup")]
    if settings.policy_reload == "on":
        every, channel = settings.policy_reload_seconds, notices or ByTheClock()
        tasks += [asyncio.create_task(_again(one, every, channel.ear("policies")), name="policies") for one in reloaders]
    loop, listens = asyncio.get_running_loop(), False
    with suppress(ValueError, RuntimeError, NotImplementedError):  # signals come to the main thread only
        loop.add_signal_handler(signal.SIGHUP, told.set)
        listens = True
    try:
        yield
    finally:
        if listens:
            loop.remove_signal_handler(signal.SIGHUP)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for reloader in reloaders:
            await reloader.aclose()


async def _again(reloader: Reloader, seconds: float, ear: Ear) -> None:
    while True:
        await _look(reloader, asked=False)
        await ear.within(min(seconds, SETTLES) if reloader.unsettled else seconds)


async def _on_word(reloaders: Sequence[Reloader], told: asyncio.Event) -> None:
    while True:
        await told.wait()
        told.clear()
        for reloader in reloaders:
            await _look(reloader, asked=True)


async def _look(reloader: Reloader, *, asked: bool) -> None:
    try:
        await reloader.look(asked=asked)
    except Exception:  # a watch that ended would leave the policies as they are for ever
        log.exception("policies")
