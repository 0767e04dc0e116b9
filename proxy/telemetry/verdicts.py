"""The numbers of verdicts that replicas share."""

from __future__ import annotations

from proxy.state.verdicts import Outcome
from proxy.telemetry.metrics import Metrics


class VerdictMetrics:
    """What the shared verdicts tell; see `proxy.state.verdicts.News`."""

    def __init__(self, metrics: Metrics) -> None:
        text = "Verdicts looked for in Redis (hit, miss, foreign, late, gone) and put there (kept, not_kept)."
        self._shared = metrics.counter("verdict_cache", text, "outcome")

    def verdicts(self, outcome: Outcome, number: int) -> None:
        """So many verdicts were found, missed or kept like this."""
        self._shared(outcome).inc(number)
