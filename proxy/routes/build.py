"""From a routes file to routes that exchanges can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from policies.bind import Builder
from policies.mistakes import LoadError, Mistake
from policies.positions import find
from proxy.prompt.profile import Profile
from proxy.routes.condition import Condition
from proxy.routes.load import RoutesFile
from proxy.routes.route import Bench, Route, bench
from proxy.routes.routes import Junction, Routes
from proxy.routes.written import RouteWritten, WhenWritten
from proxy.upstream.breaker import Limits
from proxy.upstream.health import Checks
from proxy.upstream.kinds import SecretMissingError, Site
from proxy.upstream.member import Member, News
from proxy.upstream.pool import Group, Pool


@dataclass(frozen=True, slots=True)
class Built:
    """The routes, every upstream once, and how they are looked after."""

    routes: Routes
    members: Sequence[Member]
    checks: Checks


def build_routes(file: RoutesFile, builder: Builder, site: Site, news: News | None = None) -> Built:
    """Builds classifiers and upstreams. Raises `LoadError` where a secret that the file names is not in the environment."""
    members = members_of(file, site, news)
    benches = _benches(file, builder)
    junctions = {name: junction_of(name, file, members, benches[file.policies[name].digest]) for name in file.written.routes}
    written = file.written.checks
    checks = Checks(written.how, written.every, written.within, written.down_after)
    return Built(Routes(junctions, file.default, file=file, members=members), tuple(members.values()), checks)


def _benches(file: RoutesFile, builder: Builder) -> Mapping[str, Bench]:
    """One for each policy, however many routes have it."""
    policies = {policy.digest: policy for policy in file.policies.values()}
    return {digest: bench(policy, builder) for digest, policy in policies.items()}


def members_of(file: RoutesFile, site: Site, news: News | None = None) -> dict[str, Member]:
    """The upstreams by name. Raises `LoadError` where a secret is not in the environment. Nothing is connected yet."""
    limits = Limits(file.written.breaker.failures, file.written.breaker.pause, file.written.breaker.longest)
    members: dict[str, Member] = {}
    mistakes: list[Mistake] = []
    for name, one in file.upstreams.items():
        try:
            upstream = one.kind.build(name, one.written, replace(site, retries=0 if _stood_in(file, name) else site.retries))
        except SecretMissingError as error:
            path = ("upstreams", name, error.key)
            mistakes.append(find(file.document, path).mistake(".".join(path), str(error)))
            continue
        members[name] = Member(
            name,
            upstream,
            model=one.written.model,
            template=_template(one.profile),
            weight=one.written.weight,
            limits=limits,
            news=news,
        )
    if mistakes:
        raise LoadError(mistakes)
    return members


def _stood_in(file: RoutesFile, name: str) -> bool:
    """Whether, wherever this upstream is asked, another can be asked in its place."""
    return all(
        len({*group, *(one for back in route.fallbacks for one in back)}) > 1
        for route in file.written.routes.values()
        for group in _ways(route)
        if name in group or any(name in back for back in route.fallbacks)
    )


def _ways(route: RouteWritten) -> list[list[str]]:
    return [*(one.use for one in route.choose), route.use]


def junction_of(name: str, file: RoutesFile, members: Mapping[str, Member], judges: Bench) -> Junction:
    """One public name with its ways, over these upstreams."""
    written = file.written.routes[name]
    ways = [_route(name, file, group, members, judges) for group in _ways(written)]
    conditions = [_condition(one.when) for one in written.choose]
    return Junction(ways[-1], tuple(zip(conditions, ways[:-1], strict=True)), tuple(written.aliases))


def _route(name: str, file: RoutesFile, group: Sequence[str], members: Mapping[str, Member], judges: Bench) -> Route:
    written = file.written.routes[name]
    profile = file.profile(name, group)
    groups = [Group([members[one] for one in names], written.balance) for names in (group, *written.fallbacks)]
    return Route(
        name,
        judges,
        Pool(name, groups, affinity=written.affinity == "session", template=_template(profile)),
        name,
        profile,
        written.task,
        written.description,
        written.limits.meant(),
    )


def _template(profile: Profile | None) -> str:
    return profile.template or "" if profile else ""


def _condition(written: WhenWritten) -> Condition:
    return Condition(
        frozenset(written.task),
        frozenset(written.effort),
        written.prompt_chars_over or 0,
        written.prompt_tokens_over or 0,
    )
