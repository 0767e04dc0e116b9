"""All routes of one application, and which of them an exchange takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proxy.errors import ApiError
from proxy.prompt.profile import Profile
from proxy.prompt.profile_names import recognised, words
from proxy.routes.condition import Asked, Condition
from proxy.routes.route import Bench, Route
from proxy.upstream.member import Member
from proxy.upstream.pool import Pool
from proxy.upstream.protocol import Upstream
from proxy.wire.request import ChatBody

if TYPE_CHECKING:
    from proxy.routes.load import RoutesFile

MOST_MODELS = 256
"""Names of models whose profiles are remembered; callers choose the names."""


@dataclass(frozen=True, slots=True)
class Junction:
    """One public name. The first branch whose condition holds is taken, else `otherwise`. All have the same policy."""

    otherwise: Route
    branches: Sequence[tuple[Condition, Route]] = ()
    aliases: Sequence[str] = ()

    @property
    def routes(self) -> Sequence[Route]:
        """All routes that begin here."""
        return (*(route for _, route in self.branches), self.otherwise)

    def reseated(self, bench: Callable[[Route], Bench]) -> Junction:
        """The same with another bench at each route."""
        branches = tuple((condition, replace(route, bench=bench(route))) for condition, route in self.branches)
        return replace(self, otherwise=replace(self.otherwise, bench=bench(self.otherwise)), branches=branches)

    def choose(self, body: ChatBody) -> Route:
        """The route for this request."""
        if self.branches:
            asked = Asked(body, self.otherwise.task)
            for condition, route in self.branches:
                if condition.holds(asked):
                    return route
        return self.otherwise


class Routes:
    """The routes by their public names and aliases.

    `default` is the name that is meant where a request names none (moderations); empty names lead to it. With `any_name` there is
    one route, which takes every name, and the model server decides which it knows. `by_name` are the upstreams of `file`.
    """

    def __init__(
        self,
        junctions: Mapping[str, Junction],
        default: str,
        *,
        any_name: bool = False,
        profiles: Sequence[Profile] = (),
        file: RoutesFile | None = None,
        members: Mapping[str, Member] | None = None,
    ) -> None:
        self.any_name, self._profiles = any_name, profiles
        self.by_name = members or {}
        self.lay(junctions, default, file)

    def lay(self, junctions: Mapping[str, Junction], default: str, file: RoutesFile | None) -> None:
        """Puts other routes in the place of these, for the exchanges that begin from now on. `file` is what they were read from,
        if they were. As with `reseat`, it does not wait."""
        self.junctions, self._default, self.file = junctions, default, file
        self._by_model: dict[str, Route] = {}
        self.default = junctions[default].otherwise
        self._named = {alias: one for one in junctions.values() for alias in one.aliases} | dict(junctions)

    def reseat(self, bench: Callable[[Route], Bench]) -> None:
        """Puts another bench at each route, for the exchanges that begin from now on: those that run hold the route they took.

        Call it on the event loop. It does not wait, so no exchange sees one half of it.
        """
        self.lay({name: junction.reseated(bench) for name, junction in self.junctions.items()}, self._default, self.file)

    def choose(self, body: ChatBody) -> Route:
        """The route for this request. Raises `ApiError` 404 where no route has the name."""
        if self.any_name:
            return self._recognised(body.model) if self._profiles else self.default
        junction = self._named.get(body.model)
        if junction is None:
            raise ApiError(404, "There is no model of this name here.", code="model_not_found", param="model")
        return junction.choose(body)

    def named(self, model: str) -> Route:
        """The route called `model`, else the default one."""
        junction = self._named.get(model)
        return self.default if junction is None else junction.otherwise

    def __iter__(self) -> Iterator[Route]:
        """All routes, those of one name together."""
        return (route for junction in self.junctions.values() for route in junction.routes)

    def _recognised(self, model: str) -> Route:
        """The one route, with what the model of this name needs."""
        route = self._by_model.get(model)
        if route is None:
            profile = recognised(words(model), self._profiles)
            route = self.default if profile is None else replace(self.default, profile=profile)
            if len(self._by_model) < MOST_MODELS:
                self._by_model[model] = route
        return route

    @property
    def members(self) -> Sequence[Member]:
        """The upstreams of all pools, each once, and those of the routes file that no pool has now."""
        pools = [route.upstream for route in self if isinstance(route.upstream, Pool)]
        every = (*(member for pool in pools for member in pool.members), *self.by_name.values())
        return tuple({id(member): member for member in every}.values())

    async def aclose(self) -> None:
        """Closes the connections to all upstreams."""
        single: list[Upstream] = [route.upstream for route in self if not isinstance(route.upstream, Pool)]
        ends = [*single, *(member.upstream for member in self.members)]
        for upstream in {id(one): one for one in ends}.values():
            await upstream.aclose()


def only(route: Route, profiles: Sequence[Profile] = ()) -> Routes:
    """One route, which takes every model name. What the model needs is said by the route, or else by that of `profiles` which
    the name speaks of."""
    return Routes({route.name: Junction(route)}, route.name, any_name=True, profiles=profiles)
