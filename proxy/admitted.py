"""What stands before an exchange: who asks, for what, and by which policy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from starlette.types import Receive, Scope

from proxy.access.caller import Caller
from proxy.exchange import Exchange
from proxy.house import House
from proxy.prompt.tongue import stated
from proxy.road.budget import check_length
from proxy.routes.route import Route
from proxy.telemetry import said
from proxy.wire.body import read_body
from proxy.wire.chat import ChatRequest, build, read


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be made. Its limits have not been asked yet."""

    caller: Caller
    route: Route
    request: ChatRequest


async def admitted(house: House, scope: Scope, receive: Receive, exchange: Exchange) -> Admitted:
    """Reads a request. Raises `ApiError` where it may not be made, or is none; `ClientLeftError` where its client left."""
    house.gates.shedding.check()
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    caller = house.door.admit(headers)
    exchange.tenant, exchange.key = caller.tenant, caller.key
    body = read(await read_body(scope, receive, house.settings.max_body_bytes), house.settings.max_messages)
    route = house.routes.choose(body)
    route = await house.permitted(caller, route, headers, route.name or body.model)
    exchange.policy, exchange.model_route = route.policy, route.name
    request = build(body, route.policy)
    request.context = replace(request.context, language=stated(headers, route.policy), tenant=caller.tenant)
    said.read(exchange, request)
    check_length(request.chars, house.settings.max_prompt_chars)
    return Admitted(caller, route, request)
