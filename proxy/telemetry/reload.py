"""The numbers of policies in motion: what was taken in, what was refused, and when."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Literal, Protocol

from policies.policy import Policy
from proxy.telemetry.metrics import Metrics

Outcome = Literal["taken", "refused", "unchanged", "failed", "restart"]


class News(Protocol):
    """Who hears of it when policies change."""

    def looked(self, outcome: Outcome) -> None:
        """Policies had changed, or it was said that they had."""
        ...

    def in_force(self, before: Iterable[Policy], now: Iterable[Policy]) -> None:
        """These are in force now, and those before were."""
        ...


class ReloadMetrics:
    """What a reloader tells."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        text = (
            "Policies and routes that had changed: taken, refused (a mistake, a failed test), unchanged in meaning, "
            "failed (unreadable), restart (upstreams that only a restart takes in)."
        )
        self._reloads = metrics.counter("policy_reload", text, "outcome")
        last = "When a look last ended like this, in Unix seconds."
        self._last = metrics.gauges("policy_last_reload_timestamp", last, "livemax", "outcome")

    def looked(self, outcome: Outcome) -> None:
        """Policies had changed, or it was said that they had."""
        self._reloads(outcome).inc()
        self._last(outcome).set(time.time())

    def in_force(self, before: Iterable[Policy], now: Iterable[Policy]) -> None:
        """These are in force now, and those before were."""
        new = {policy.digest: policy for policy in now}
        for policy in before:
            if policy.digest not in new:
                self._metrics.policy_left(policy)
        for policy in new.values():
            self._metrics.policy(policy)
