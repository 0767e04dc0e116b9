"""All policies that the settings lead to, as they are now: what a server starts with, and what may take its place later."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from policies.bind import Builder, bind
from policies.inherit import library
from policies.load import chosen, load_all
from policies.mistakes import LoadError, Mistake, listed
from policies.policy import Policy
from policies.try_out import try_out
from policies.watch import files_of
from proxy.reload.version import PREFIX, Version, policies_of
from proxy.routes.load import RoutesFile, load_routes
from proxy.settings import Settings


@dataclass(frozen=True, slots=True)
class Candidate:
    """`usual` is the policy of routes that name none. `named` are those of the folder and the store, by name."""

    usual: Policy
    named: Mapping[str, Policy]
    routes: RoutesFile | None

    def of(self, route: str) -> Policy:
        """The policy of the route of this name."""
        return self.usual if self.routes is None else self.routes.policies.get(route, self.usual)


def from_store(settings: Settings) -> bool:
    """Whether policies come from the store."""
    return settings.policy_store or settings.policy.startswith(PREFIX)


def gathered(settings: Settings, builder: Builder, stored: Mapping[str, Version]) -> Candidate:
    """Reads, checks and builds them. Raises `LoadError` with every mistake."""
    kept = policies_of(stored, builder)
    if settings.policy.startswith(PREFIX):
        found: Mapping[str, Policy] = {}
        usual = _stored(settings.policy.removeprefix(PREFIX).partition("@")[0], kept)
    else:
        found = load_all(settings.policy, builder.registry, builder)
        usual = _chosen(found, settings)
        usual = kept.get(usual.name, usual)
    named = {**(found if Path(settings.policy).is_dir() else {}), **kept}
    if not settings.routes:
        return Candidate(usual, named, None)
    return Candidate(usual, named, load_routes(settings.routes, builder, {**named, usual.name: usual}, usual))


def _stored(name: str, kept: Mapping[str, Policy]) -> Policy:
    if name in kept:
        return kept[name]
    there = f"in force there: {listed(sorted(kept), 40)}" if kept else "nothing is in force there"
    raise LoadError([Mistake(f"{PREFIX}{name}", 1, 1, "", f"the store has no such policy in force ({there}); push it first")])


def _chosen(found: Mapping[str, Policy], settings: Settings) -> Policy:
    try:
        return chosen(found, settings.policy_name)
    except KeyError as error:
        raise LoadError([Mistake(settings.policy, 1, 1, "policy_name", str(error.args[0]))]) from None


def sources(settings: Settings) -> frozenset[Path]:
    """The files that all this was read from, and the folders that more may come into. Those of the library are left out."""
    begin: list[Path] = [Path(settings.routes)] if settings.routes else []
    policy = Path(settings.policy)
    if policy.is_dir():
        begin += sorted(file for file in policy.glob("*.yaml") if not file.name.startswith("."))
    elif not settings.policy.startswith(PREFIX) and settings.policy not in library():
        begin.append(policy)
    found, waiting = set[Path](), list(begin)
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        if file in begin or file.suffix in (".yaml", ".yml"):
            waiting += files_of(file) - found
    return frozenset(found)


def failed_tests(policy: Policy, builder: Builder) -> list[Mistake]:
    """What is wrong with a policy by its own tests. The texts of the tests are not told. Call it outside of any event loop."""
    trials = asyncio.run(try_out(policy, bind(policy, builder.registry, builder)))
    mistakes: list[Mistake] = []
    for number, trial in enumerate(trials):
        if not trial.passed:
            came = trial.verdict.action.word + (f" by {', '.join(sorted(trial.acted))}" if trial.acted else "")
            blind = "".join(f"; {one.rule} could not look: {one.reason}" for one in trial.verdict.blind)
            wanted = f"expected {trial.example.expect.word}, came {came}{blind}"
            mistakes.append(Mistake(policy.name, 1, 1, f"tests[{number}]", f"its own test on {trial.example.on.value}: {wanted}"))
    return mistakes
