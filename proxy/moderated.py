"""The answer to `POST /v1/moderations`: admitted, within limits, on record."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.responses import Response

from proxy import moderations
from proxy.access.caller import Caller
from proxy.errors import ApiError
from proxy.exchange import Exchange
from proxy.house import House
from proxy.records.audit import AuditError
from proxy.road.attended import ClientLeftError
from proxy.road.budget import check_length
from proxy.road.screen import Screen
from proxy.routes.route import Route
from proxy.telemetry.current import within_exchange
from proxy.wire import headers
from proxy.wire.body import read_body

log = logging.getLogger("sluicegate")


async def moderation_of(house: House, request: Request, caller: Caller) -> Response:
    """Judges the inputs of one request. Raises `ApiError`."""
    exchange = Exchange(house.routes.default.policy, "/v1/moderations", tenant=caller.tenant, key=caller.key)
    try:
        raw = await read_body(request.scope, request.receive, house.settings.max_body_bytes)
        body = moderations.ModerationBody.model_validate_json(raw)
    except ClientLeftError:
        return Response(status_code=499)
    except ValidationError:
        message = "input must be a text, a list of texts, or a list of text parts."
        raise ApiError(400, message, param="input", code="invalid_value") from None
    route = house.routes.named(body.model)
    route = await house.permitted(caller, route, request.headers.raw, route.name)
    exchange.policy, exchange.model_route = route.policy, route.name
    inputs = moderations.texts(body)
    check_length(sum(map(len, inputs)), house.settings.max_prompt_chars, "input")
    async with house.gates.request(caller, route.name, route.limits) as lease:
        with within_exchange(exchange.id):
            response = await _on_record(house, exchange, inputs, lambda: _judge_inputs(route, exchange, body.model, inputs))
        response.headers.update(lease.headers)
        return response


async def _judge_inputs(route: Route, exchange: Exchange, model: str, inputs: Sequence[str]) -> Response:
    screen = Screen(route.bench.onlooker, exchange)
    results = [await moderations.moderate(screen, exchange, route.policy, text) for text in inputs]
    exchange.prompt_judged = time.perf_counter() - exchange.started
    response = JSONResponse(moderations.answer(model, results))
    response.headers.update(headers.of_exchange(exchange, route.policy))
    return response


async def _on_record(
    house: House, exchange: Exchange, inputs: Sequence[str], work: Callable[[], Awaitable[Response]]
) -> Response:
    """Runs `work` between the two records of an exchange."""
    try:
        house.audit.open(exchange.opened("", False, 1, len(inputs), sum(map(len, inputs))))
        try:
            response = await work()
        except ApiError as error:
            exchange.outcome, exchange.status = "failed", error.status
            raise
        except asyncio.CancelledError:
            exchange.outcome, exchange.status = "client_left", 499
            raise
        except Exception:
            exchange.outcome, exchange.status = "failed", 500
            raise
        finally:
            house.close(exchange)
    except AuditError as error:
        log.exception("audit")
        raise ApiError(500, "The exchange could not be put on record.", code="not_recorded") from error
    house.metrics.request("/v1/moderations", response.status_code)
    return response
