"""The composition root: builds one application out of settings, a policy and a model server."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from classifiers.registry import Registry
from policies.bind import Builder
from policies.policy import Policy
from proxy.access.admit import Door, door_of
from proxy.access.choice import Choices
from proxy.access.gates import gates_of
from proxy.access.strangers import tell_of_strangers
from proxy.chat import Chat
from proxy.endpoints import endpoints, errors
from proxy.gate import Gate
from proxy.house import House
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
from proxy.upstream.protocol import Upstream

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
    errors(app, house)
    endpoints(app, house)
    if not settings.cors_origins:  # pages of other origins need the framework's CORS headers
        app.short_cut = Chat(house)
    return app
