"""The routes besides the streaming one, and every error in the API's own shape."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from proxy.access.caller import Caller
from proxy.admin.api import admin_api
from proxy.chat import ROUTE, Chat
from proxy.disclosure.document import route as disclosure_document
from proxy.disclosure.language import prepare
from proxy.errors import ApiError, of_upstream, our_fault
from proxy.gate import JSON, described
from proxy.house import House
from proxy.moderated import moderation_of
from proxy.moderations import ModerationBody
from proxy.routes.route import Route
from proxy.upstream.protocol import UpstreamError
from proxy.wire import headers
from proxy.wire.request import ChatBody

log = logging.getLogger("sluicegate")


def errors(app: FastAPI, house: House) -> None:
    """Every error in the API's own shape."""

    async def api_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)  # noqa: S101  # registered for it
        house.metrics.request(_route(request), error.status)
        retry = {"x-should-retry": "false"} if error.status < 500 and error.status not in (408, 429) else {}
        said = headers.of_policy(house.routes.default.policy)
        return Response(error.body(), error.status, {**said, **error.headers, **retry}, JSON)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # registered for it
        known = {
            404: ("Unknown route. This server has /v1/chat/completions, /v1/models and /v1/moderations.", "unknown_route"),
            405: ("This route does not take this method.", "method_not_allowed"),
        }
        message, code = known.get(error.status_code, ("The request could not be handled.", None))
        return await api_error(request, ApiError(error.status_code, message, code=code, headers=dict(error.headers or {})))

    async def failure(request: Request, error: Exception) -> Response:
        log.error("%s failed: %s", _route(request), type(error).__name__)
        return await api_error(request, our_fault())

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, failure)


def _route(request: Request) -> str:
    route = request.scope.get("route")
    return str(getattr(route, "path", "other")).replace(":path}", "}")


def endpoints(app: FastAPI, house: House) -> None:
    """Every route."""

    @app.post(ROUTE, response_class=Response, openapi_extra=described(ChatBody), summary="One chat completion, streamed or not")
    async def chat() -> Response:
        return Chat(house)

    @app.post(
        "/v1/moderations",
        response_class=Response,
        openapi_extra=described(ModerationBody),
        summary="The policy's prompt rules on a text",
    )
    async def moderation(request: Request) -> Response:
        return await moderation_of(house, request, house.door.admit(request.headers.raw))

    @app.get("/v1/models", response_class=Response, summary="The models that can be asked for")
    async def models(request: Request) -> Response:
        listed = await _models(house, house.door.admit(request.headers.raw))
        return _json(house, "/v1/models", {"object": "list", "data": listed})

    @app.get("/v1/models/{id:path}", response_class=Response, summary="One model")
    async def model(request: Request, id: str) -> Response:  # noqa: A002  # OpenAI's name
        for each in await _models(house, house.door.admit(request.headers.raw)):
            if each["id"] == id:
                return _json(house, "/v1/models/{id}", each)
        raise ApiError(404, "There is no such model.", code="model_not_found", param="model")

    @app.get("/health/live", response_class=Response, summary="The process runs")
    async def live() -> Response:
        return _json(house, "/health/live", {"status": "live"})

    @app.get("/health/ready", response_class=Response, summary="This process can judge")
    async def ready() -> Response:
        return _ready(house)

    prepare(route.policy for route in house.routes)
    app.router.routes.append(disclosure_document(lambda: [route.policy for route in house.routes]))

    if house.settings.admin:
        admin_api(app, house)

    if house.settings.metrics:

        @app.get("/metrics", response_class=Response, summary="For Prometheus")
        async def metrics(request: Request) -> Response:
            page, kind = house.metrics.render(request.headers.get("accept", ""))
            return Response(page, media_type=kind)


def _json(house: House, route: str, body: Mapping[str, Any], status: int = 200) -> Response:
    house.metrics.request(route, status)
    return JSONResponse(body, status)


def _ready(house: House) -> Response:
    """Ready means that this process, its classifiers and its door work. A dead model server is a 503 on requests, and shows in
    metrics."""
    benches = [*(route.bench for route in house.routes), *house.choices.benches.values()]
    every = [item for one in benches for item in one.classifiers.items()]
    sick = sorted({name for name, classifier in every if not getattr(classifier, "healthy", lambda: True)()})
    policy = house.routes.default.policy
    well = not sick and house.door.in_step
    body = {"status": "ready" if well else "unready", "policy": policy.name, "digest": policy.digest}
    why = ({"rules": sick} if sick else {}) | ({} if house.door.in_step else {"keys": "unavailable"})
    return _json(house, "/health/ready", body | why, 200 if well else 503)


async def _models(house: House, caller: Caller) -> Sequence[Mapping[str, Any]]:
    """The routes; where one takes every name, the server's models: known fields only, and the pinned one alone. Those that the
    caller may not use are left out."""
    if not house.routes.any_name:
        named = house.routes.junctions.items()
        return [_listed(name, junction.otherwise) for name, junction in named if caller.may_use(name)]
    route = house.routes.default
    try:
        listed = await route.upstream.models()
    except UpstreamError as error:
        house.metrics.upstream_error(error.kind)
        raise of_upstream(error) from error
    pinned = route.model
    return [
        {
            "id": str(each["id"]),
            "object": "model",
            "created": each.get("created") or 0,
            "owned_by": "sluicegate",
            **({"max_model_len": each["max_model_len"]} if each.get("max_model_len") else {}),
        }
        for each in listed
        if (not pinned or each["id"] == pinned) and caller.may_use(each["id"])
    ]


def _listed(name: str, route: Route) -> Mapping[str, Any]:
    described = {"description": route.description} if route.description else {}
    return {"id": name, "object": "model", "created": 0, "owned_by": "sluicegate", **described}
