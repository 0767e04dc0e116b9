"""What one application is made of. There is no global state: a test builds ten of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from classifiers.finding import Classifier
from policies.policy import Policy
from proxy.exchange import Exchange
from proxy.records.audit import Audit
from proxy.road.guard import Guard
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics
from proxy.upstream.protocol import Upstream


@dataclass(frozen=True, slots=True)
class House:
    """The parts that every exchange uses."""

    settings: Settings
    policy: Policy
    classifiers: Mapping[str, Classifier]
    guard: Guard
    onlooker: Guard  # the same rules, none of which stops anything: for moderations
    upstream: Upstream
    audit: Audit
    metrics: Metrics

    def close(self, exchange: Exchange) -> None:
        """Puts the end of an exchange into the metrics and on record. Raises `AuditError`."""
        metrics = self.metrics
        record = exchange.closed()
        metrics.exchange(exchange.outcome, record.timings["total"] / 1e3)
        metrics.verdicts(exchange.reasons)
        metrics.unjudged(exchange.blind)
        for channel, seconds in exchange.held.items():
            metrics.held(channel, seconds)
        metrics.first_token(exchange.client_first, exchange.upstream_first)
        if exchange.usage is not None:
            metrics.tokens(exchange.usage)
        if exchange.upstream_error:
            metrics.upstream_error(exchange.upstream_error)
        self.audit.close(record)
