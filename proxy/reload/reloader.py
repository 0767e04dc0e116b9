"""Follows the policies that the settings lead to, and puts a good candidate in the place of what is in force.

A candidate is read, built and tested by its own tests first, in a thread, so that no stream waits for it. What is in force stays
on any fault. The change itself is one step on the event loop: exchanges that run keep the bench that they began with.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from policies.bind import Builder
from policies.compare import compared, summary
from policies.mistakes import LoadError, Mistake, listed
from policies.policy import Policy
from policies.watch import Stamp, being_written, stamp
from proxy.access.choice import Choices
from proxy.access.gates import NEEDS_REDIS
from proxy.disclosure.language import prepare
from proxy.records.audit import AuditError
from proxy.reload.candidate import Candidate, failed_tests, from_store, gathered, sources
from proxy.reload.shelf import shelf_of
from proxy.reload.tenure import Tenure
from proxy.routes.route import Bench, bench
from proxy.routes.routes import Routes
from proxy.routes.standing import laid_anew, lay, needs_restart
from proxy.settings import Settings
from proxy.telemetry.reload import News, Outcome

log = logging.getLogger("sluicegate")

RETRY = 30.0
"""Seconds after which what was refused is looked at again although no stamp has changed: a file may have come that it names."""
SOON = 1.0
"""The same where it could not be looked at."""
MOST_TOLD = 50

Seen = tuple[Stamp, int]
"""The stamp of all files, and the store's notice."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A candidate with its judges: by the digest of their policy, those that are in force already among them.

    `anew` are keys of the routes file that have changed; `waiting` those that wait for a restart, and all routes with them.
    """

    candidate: Candidate
    anew: Sequence[str]
    waiting: Sequence[str]
    benches: Mapping[str, Bench]
    new: Sequence[Policy]
    builder: Builder
    tenure: Tenure


class Reloader:
    """Follows one application's policies. `builder` has built those in force. `check` raises `AuditError` where this house could
    not do what a policy asks of its records."""

    def __init__(
        self,
        settings: Settings,
        routes: Routes,
        choices: Choices,
        builder: Builder,
        news: News,
        check: Callable[[Policy], None] = lambda _: None,
    ) -> None:
        self._settings, self._routes, self._choices, self._news = settings, routes, choices, news
        self._check = check
        self._shelf = shelf_of(settings) if from_store(settings) else None
        self._builder = builder
        self._builders: weakref.WeakSet[Builder] = weakref.WeakSet([builder])
        self._files: frozenset[Path] = frozenset()
        self._taken: Seen | None = None
        self._before: Seen | None = None
        self._waiting: tuple[str, ...] = ()
        self._told: tuple[str, ...] = ()
        self._retry = float("inf")
        self._turn = asyncio.Lock()
        self.unsettled = False
        """Whether something was seen that is to be looked at once more before it is taken in."""
        self._hold(Tenure(builder.retire))

    def _hold(self, tenure: Tenure) -> None:
        """Lets the benches that the application began with hold their tenure."""
        held: dict[int, Bench] = {}
        for one in (*(route.bench for route in self._routes), *self._choices.benches.values()):
            held.setdefault(id(one), replace(one, tenure=tenure))
        self._choices.renew([held[id(one)] for one in self._choices.benches.values()], None, self._builder, tenure)
        self._routes.reseat(lambda route: held[id(route.bench)])

    # ---- looking

    async def look(self, *, asked: bool = False) -> None:
        """Takes in what has changed and stands still; with `asked` whatever is there now."""
        async with self._turn:
            self.unsettled = True  # until one knows better
            if self._before is None:  # the first look: what is there may be another thing than was loaded, or half of it
                self._files = await asyncio.to_thread(sources, self._settings)
            seen = await self._seen()
            still, self._before = seen == self._before, seen
            if not asked:
                if seen == self._taken and time.monotonic() < self._retry:
                    self.unsettled = False
                    return
                same_files = self._taken is not None and seen[0] == self._taken[0]
                if not same_files and not still:
                    return
            files = await asyncio.to_thread(sources, self._settings)
            if not asked and await asyncio.to_thread(being_written, files):
                return
            self._files = files
            await self._try()

    async def _seen(self) -> Seen:
        """What can be seen from outside. New files of a folder count at once."""

        def files() -> Stamp:
            return stamp(self._files | _listed(self._settings))

        return await asyncio.to_thread(files), await self._shelf.notice() if self._shelf else 0

    async def _try(self) -> None:
        seen = await self._seen()
        builder = self._builder.successor()
        outcome: Outcome = "refused"
        mistakes: Sequence[str] = ()
        try:
            stored = await self._shelf.active() if self._shelf else {}
            made = await asyncio.to_thread(lambda: self._made(gathered(self._settings, builder, stored), builder))
        except LoadError as error:
            mistakes = [str(mistake) for mistake in error.mistakes]
        except Exception as error:  # whatever it is, the policies in force stay
            outcome, mistakes = "failed", [f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')[:300]}"]
        if await self._seen() != seen:
            await asyncio.to_thread(builder.retire)
            return  # it changed while it was read: what was read may be half of one and half of another
        first, self._taken, self.unsettled = self._taken is None, seen, False
        if mistakes:
            await asyncio.to_thread(builder.retire)
            self._refuse(mistakes, outcome)
        else:
            self._take(made, first)

    # ---- in a thread

    def _made(self, candidate: Candidate, builder: Builder) -> _Made:
        """Builds the judges of what is new, and runs its tests. Raises `LoadError`."""
        known = {one.policy.digest: one for one in self._in_force()}
        before, after = self._routes.file, candidate.routes
        waiting = needs_restart(before, after) if before and after else []
        anew = laid_anew(before, after) if before and after and not waiting else []
        self._check_routes(candidate, anew)
        names = {*(route.name for route in self._routes), *(after.written.routes if after and anew else ())}
        wanted = [candidate.of(name) for name in sorted(names)]
        wanted += [candidate.named[name] for name in self._choices.benches if name in candidate.named]
        new = {policy.digest: policy for policy in wanted if policy.digest not in known}
        mistakes: list[Mistake] = []
        tenure = Tenure(builder.retire)
        for policy in {(one.digest, one.tests): one for one in wanted}.values():
            if policy.digest in new or policy.tests != known[policy.digest].policy.tests:
                mistakes += [*failed_tests(policy, builder), *self._refused(policy)]
        if mistakes:
            raise LoadError(mistakes)
        prepare(new.values())
        known |= {digest: bench(policy, builder, tenure) for digest, policy in new.items()}
        return _Made(candidate, anew, waiting, known, list(new.values()), builder, tenure)

    def _check_routes(self, candidate: Candidate, anew: Sequence[str]) -> None:
        """Raises `LoadError` for limits of routes that nobody here could count."""
        settings = self._settings
        if candidate.routes is None or not anew or settings.redis_url or settings.workers * settings.replicas == 1:
            return
        limits = {name: route.limits.meant() for name, route in candidate.routes.written.routes.items()}
        if any(limits.values()):
            name = next(name for name, each in limits.items() if each)
            raise LoadError([Mistake(settings.routes, 1, 1, f"routes.{name}.limits", NEEDS_REDIS)])

    def _refused(self, policy: Policy) -> list[Mistake]:
        try:
            self._check(policy)
        except AuditError as error:
            return [Mistake(policy.name, 1, 1, "record", str(error))]
        return []

    def _in_force(self) -> list[Bench]:
        return [*self._choices.benches.values(), *(route.bench for route in self._routes)]

    # ---- on the event loop, without waiting

    def _take(self, made: _Made, first: bool) -> None:
        before = [one.policy for one in self._in_force()]
        candidate, benches = made.candidate, made.benches
        if made.anew and candidate.routes is not None:
            lay(self._routes, candidate.routes, lambda name: benches[candidate.of(name).digest])
        else:
            self._routes.reseat(lambda route: benches[candidate.of(route.name).digest])
        of_routes = {route.policy.name: route.bench for route in self._routes}
        ready = {name: self._ready(name, one, made) for name, one in self._choices.benches.items()}
        kept = {name: one for name, one in ready.items() if one is not None} | of_routes
        self._choices.renew(kept.values(), candidate.named, made.builder, made.tenure)
        self._builder = made.builder
        self._builders.add(made.builder)
        self._retry, self._told = float("inf"), ()
        self._news.in_force(before, [one.policy for one in self._in_force()])
        self._tell_of_routes(made)
        if made.new or made.anew:
            self._news.looked("taken")
        elif not first and not made.waiting:
            self._news.looked("unchanged")
        for policy in made.new:
            old = next((one for one in before if one.name == policy.name), None)
            log.info("policy %s: %s is in force%s", policy.name, policy.digest[:12], _said(old, policy))

    def _tell_of_routes(self, made: _Made) -> None:
        """What was taken in of a routes file, and what is not, once."""
        if made.anew:
            log.info("routes: %s is in force: %s", self._settings.routes, listed(made.anew, 20))
        before, self._waiting = self._waiting, tuple(made.waiting)
        if made.waiting and before != self._waiting:
            self._news.looked("restart")
            what = listed(made.waiting, 20)
            log.error("routes: %s: %s: RESTART NEEDED; until then all routes stay as they were", self._settings.routes, what)

    def _ready(self, name: str, one: Bench, made: _Made) -> Bench | None:
        """What judges for those who name a policy; None where it is gone."""
        if name in made.candidate.named:
            return made.benches[made.candidate.named[name].digest]
        return one if name in self._choices.shipped() else None

    def _refuse(self, mistakes: Sequence[str], outcome: Outcome) -> None:
        self._retry = time.monotonic() + (RETRY if outcome == "refused" else SOON)
        if self._told == tuple(mistakes):
            return
        self._told = tuple(mistakes)
        self._news.looked(outcome)
        for mistake in mistakes[:MOST_TOLD]:
            log.error("policy: %s", mistake)
        stays = ", ".join(sorted({f"{one.policy.name} {one.policy.digest[:12]}" for one in self._in_force()}))
        log.error("policy: not taken in (%d mistakes); in force stays %s", len(mistakes), stays)

    async def aclose(self) -> None:
        """Lets go of everything that it has had built."""
        if self._shelf is not None:
            await self._shelf.aclose()
        for builder in list(self._builders):
            await asyncio.to_thread(builder.retire)


def _listed(settings: Settings) -> set[Path]:
    folder = Path(settings.policy)
    return {file for file in folder.glob("*.yaml") if not file.name.startswith(".")} if folder.is_dir() else set()


def _said(old: Policy | None, new: Policy) -> str:
    if old is None:
        return ""
    differences = summary(compared(old, new))
    return f", after {old.digest[:12]}" + (f": {differences[:300]}" if differences else "")
