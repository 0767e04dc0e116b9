"""What a server builds once out of its routes file, and what of it may change while it runs.

Connections, checks and breakers are built at the start: whoever changes those restarts. Public names, conditions, groups, limits,
weights and whatever else stands under `routes` only says who of them is asked, and can be laid anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from proxy.routes.build import junction_of
from proxy.routes.load import RoutesFile
from proxy.routes.route import Bench
from proxy.routes.routes import Routes


def needs_restart(before: RoutesFile, after: RoutesFile) -> list[str]:
    """The keys that have changed and that only a restart takes in: `upstreams.a.url`, `upstreams.b (new)`, `checks.every`."""
    old, new = _standing(before), _standing(after)
    found: list[str] = []
    for place in sorted({*old, *new}):
        if place not in new:
            found.append(f"{place} (gone)")
        elif place not in old:
            found.append(f"{place} (new)")
        else:
            found += [f"{place}.{key}" for key in {**old[place], **new[place]} if old[place].get(key) != new[place].get(key)]
    return found


def _standing(file: RoutesFile) -> Mapping[str, dict[str, Any]]:
    parts = {"checks": file.written.checks.model_dump(), "breaker": file.written.breaker.model_dump()}
    for name, one in file.upstreams.items():
        written = one.written.model_dump(exclude={"weight"})
        parts[f"upstreams.{name}"] = {**written, "kind": one.kind, "profile": one.profile}
    return parts


def laid_anew(before: RoutesFile, after: RoutesFile) -> list[str]:
    """The keys that have changed and can be taken in while the server runs, policies left out."""
    old, new = (_laid(file) for file in (before, after))
    return [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]


def _laid(file: RoutesFile) -> Mapping[str, Any]:
    """By place. The order of routes counts: without `default` the first is the default."""
    parts: dict[str, Any] = {"default": file.default}
    for name, route in file.written.routes.items():
        parts |= {f"routes.{name}.{key}": value for key, value in route.model_dump(exclude={"policy", "profile"}).items()}
        parts[f"routes.{name}.profile"] = file.profiles.get(name)
    return parts | {f"upstreams.{name}.weight": one.written.weight for name, one in file.upstreams.items()}


def lay(routes: Routes, file: RoutesFile, judges: Callable[[str], Bench]) -> None:
    """Puts the routes of `file` in the place of those in force, over the same upstreams. `judges` gives a route's bench.

    Call it on the event loop: it does not wait, and exchanges that run go on as they began.
    """
    members = routes.by_name
    junctions = {name: junction_of(name, file, members, judges(name)) for name in file.written.routes}
    for name, member in members.items():
        member.weight = file.upstreams[name].written.weight
    routes.lay(junctions, file.default, file)
