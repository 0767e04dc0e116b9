"""What one application is made of. There is no global state: a test builds ten of these."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from proxy.access.admit import Door, Headers
from proxy.access.caller import Caller
from proxy.access.choice import Choices
from proxy.access.gates import Gates
from proxy.exchange import Exchange
from proxy.records.archive import Whose
from proxy.records.audit import Audit, AuditError
from proxy.records.copies import Copies
from proxy.routes.route import Route
from proxy.routes.routes import Routes
from proxy.settings import Settings
from proxy.shadow.shadow import Shadow
from proxy.state.notices import ByTheClock, Notices
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.tracing import Tracing, Untraced


@dataclass(frozen=True, slots=True)
class House:
    """The parts that every exchange uses."""

    settings: Settings
    routes: Routes
    audit: Audit
    metrics: Metrics
    door: Door
    choices: Choices
    gates: Gates = field(default_factory=Gates)
    tracing: Tracing = field(default_factory=Untraced)
    shadow: Shadow | None = None
    notices: Notices = field(default_factory=ByTheClock)

    async def permitted(self, caller: Caller, route: Route, headers: Headers, name: str) -> Route:
        """The route, with the policy that is in force for this caller. `name` is the model's public name, empty for everybody's.

        Raises `ApiError` 403 where the caller may not use it, or not with the policy it picks.
        """
        self.door.route(caller, name)
        usual = route.policy.name
        policy = self.door.policy(caller, headers, usual)
        return route if policy == usual else replace(route, bench=await self.choices.bench(policy))

    def close(self, exchange: Exchange, copies: Copies | None = None) -> None:
        """Keeps the texts of an exchange where its policy says so, and puts its end into the metrics and on record.

        Raises `AuditError`. An exchange whose texts could not be kept is on record as failed.
        """
        try:
            if copies is not None:
                whose = Whose(exchange.id, exchange.policy.name, exchange.tenant)
                exchange.texts = self.audit.archive.keep(whose, copies, flagged=bool(exchange.reasons or exchange.blind))
        except AuditError:
            exchange.outcome, exchange.status = "failed", 500
            raise
        finally:
            record = exchange.closed()
            try:
                self._count(exchange, record.timings["total"] / 1e3)
            finally:
                self.audit.close(record)

    def _count(self, exchange: Exchange, seconds: float) -> None:
        metrics = self.metrics
        seen_in = {"exchange_id": exchange.id}
        if trace := exchange.span.trace_id:
            seen_in["trace_id"] = trace
        metrics.exchange(exchange.outcome, seconds, seen_in)
        metrics.judged(exchange.policy, exchange.tenant, exchange.worst)
        if exchange.model_route:
            metrics.routed(exchange.model_route, exchange.outcome)
        metrics.verdicts(exchange.reasons)
        metrics.unjudged(exchange.blind)
        metrics.repaired(exchange.repaired)
        for channel, seconds in exchange.held.items():
            metrics.held(channel, seconds, seen_in)
        metrics.first_token(exchange.client_first, exchange.upstream_first, seen_in)
        if exchange.usage is not None:
            metrics.tokens(exchange.usage)
        if exchange.upstream_error:
            metrics.upstream_error(exchange.upstream_error)
