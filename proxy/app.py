"""The composition root: builds one application out of settings, a policy and a model server."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from classifiers.registry import Registry
from policies.bind import Builder
from policies.policy import Policy
from proxy import moderations
from proxy.access.admit import Door, door_of
from proxy.access.caller import Caller
from proxy.access.choice import Choices
from proxy.access.gates import gates_of
from proxy.access.strangers import tell_of_strangers
from proxy.admin.api import admin_api
from proxy.chat import ROUTE, Chat
from proxy.disclosure.document import route as disclosure_document
from proxy.disclosure.language import prepare
from proxy.errors import ApiError, of_upstream, our_fault
from proxy.house import House
from proxy.moderated import moderation_of
from proxy.prompt.profile import load_profile, profile_for
from proxy.records.audit import Audit
from proxy.records.ledger import ledger_of, tended
from proxy.reload.following import following, reloader_of
from proxy.routes.route import Route, bench, shipped_profiles
from proxy.routes.routes import Routes, only
from proxy.settings import Settings
from proxy.shadow.seat import seat, shadowing
from proxy.state.sharing import notices_of, sharing, verdicts_of
from proxy.telemetry.access import AccessMetrics
from proxy.telemetry.ledger import LedgerMetrics
from proxy.telemetry.limits import LimitMetrics
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.notices import NoticeMetrics
from proxy.telemetry.queue import counted
from proxy.telemetry.tracing import tracing_of
from proxy.upstream.health import Checks, watched
from proxy.upstream.protocol import Upstream, UpstreamError
from proxy.wire import headers
from proxy.wire.openapi import describe_errors
from proxy.wire.request import ChatBody

log = logging.getLogger("sluicegate")
JSON = "application/json"
EXPOSED = (
    *(f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")),
    "x-request-id",
    "x-sluicegate-policy",
    "x-sluicegate-policy-digest",
    "x-sluicegate-ai-generated",
    "x-sluicegate-advice",
    "x-sluicegate-dialogue",
    "x-sluicegate-identity",
    "x-sluicegate-model",
    "x-sluicegate-provider",
    "x-sluicegate-route",
    "x-sluicegate-upstream",
)
"""Headers that pages of other origins may read."""


def create(
    settings: Settings,
    policy: Policy,
    upstream: Upstream,
    *,
    registry: Registry | None = None,
    builder: Builder | None = None,
    audit: Audit | None = None,
    metrics: Metrics | None = None,
    follows: bool = False,
) -> FastAPI:
    """An application. Builds the policy's classifiers now, so that a missing package or model stops the start.

    `builder` is the one the policy was loaded with, if its classifiers are to be used again.
    """
    builder = builder or Builder(registry or Registry(), verdicts=verdicts_of(settings, os.environ))
    if settings.profile or settings.model:
        profile = load_profile(settings.profile) if settings.profile else profile_for(settings.model)
        routes = only(Route("", bench(policy, builder), upstream, settings.model, profile))
    else:
        routes = only(Route("", bench(policy, builder), upstream), shipped_profiles())
    return assemble(settings, routes, builder, audit=audit, metrics=metrics, follows=follows)


def assemble(
    settings: Settings,
    routes: Routes,
    builder: Builder,
    *,
    checks: Checks | None = None,
    audit: Audit | None = None,
    metrics: Metrics | None = None,
    door: Door | None = None,
    follows: bool = False,
) -> FastAPI:
    """An application with these routes, whose classifiers `builder` has built. `checks` say how their upstreams are looked
    after. With `follows` the policies are those that the settings lead to, and are followed as the settings say."""
    metrics = metrics or Metrics()
    for route in routes:
        metrics.policy(route.policy)
    audit = audit or ledger_of(settings)
    for route in routes:
        audit.archive.check(route.policy.record)
    notices = notices_of(settings, os.environ)
    door = door or door_of(settings, os.environ, AccessMetrics(metrics), notices)
    choices = Choices((route.bench for route in routes), settings.policy, builder, metrics.policy)
    gates = gates_of(settings, os.environ, LimitMetrics(metrics))
    tracing = tracing_of(settings.traces, os.environ, metrics)
    beside = seat(settings, builder, metrics)
    shadow = beside.shadow if beside else None
    house = House(settings, routes, audit, metrics, door, choices, gates, tracing=tracing, shadow=shadow, notices=notices)

    def keeps(one: Policy) -> None:
        audit.archive.check(one.record)

    reloader = reloader_of(settings, routes, choices, builder, metrics, keeps) if follows else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        looked_after = tended(audit, settings, LedgerMetrics(metrics))
        seen_to = watched(routes.members, checks or Checks())
        async with looked_after, counted(builder.pool, metrics), seen_to, door.watched(), gates.watched():
            await tell_of_strangers(door, choices)
            async with (
                sharing(builder, metrics),
                shadowing(beside),
                following(settings, reloader, beside.reloader if beside else None, notices=notices),
                notices.watched(NoticeMetrics(metrics)),
            ):
                yield
        await routes.aclose()
        await tracing.aclose()
        builder.close()

    app = Gate(
        title="Sluicegate",
        summary="A guardrail proxy for DeepSeek-R1 with OpenAI's API.",
        docs_url="/docs" if settings.docs else None,
        openapi_url="/openapi.json" if settings.docs else None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,  # a redirect is no answer in the API's shape
        lifespan=lifespan,
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],  # SDKs in pages send headers of their own (x-stainless-*)
            expose_headers=EXPOSED,
        )
    _errors(app, house)
    _routes(app, house)
    if not settings.cors_origins:  # pages of other origins need the framework's CORS headers
        app.short_cut = Chat(house)
    return app


class Gate(FastAPI):
    """The API, with a short cut for the one route that streams.

    A chat request needs nothing of the framework, and each of its tokens would pass five layers of middleware on the way out
    (`docs/decisions/0004-below-the-framework.md`). The route is declared all the same, for the OpenAPI document.
    """

    short_cut: Chat | None = None

    def openapi(self) -> dict[str, Any]:
        """The document. The parts of the bodies stand where its references look for them."""
        if self.openapi_schema is None:
            schemas = super().openapi().setdefault("components", {}).setdefault("schemas", {})
            schemas |= _schema(ChatBody).get("$defs", {}) | _schema(moderations.ModerationBody).get("$defs", {})
            describe_errors(super().openapi())
        return super().openapi()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.short_cut and scope["type"] == "http" and scope["path"] == ROUTE and scope["method"] == "POST":
            await self.short_cut(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _schema(body: type[BaseModel]) -> dict[str, Any]:
    return body.model_json_schema(ref_template="#/components/schemas/{model}")


def _described(body: type[BaseModel]) -> dict[str, Any]:
    """What the document says of a route's body, which the route reads by itself."""
    schema = {name: value for name, value in _schema(body).items() if name != "$defs"}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


def _errors(app: FastAPI, house: House) -> None:
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


def _routes(app: FastAPI, house: House) -> None:
    @app.post(ROUTE, response_class=Response, openapi_extra=_described(ChatBody), summary="One chat completion, streamed or not")
    async def chat() -> Response:
        return Chat(house)

    @app.post(
        "/v1/moderations",
        response_class=Response,
        openapi_extra=_described(moderations.ModerationBody),
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
