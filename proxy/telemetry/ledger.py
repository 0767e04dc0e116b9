"""The numbers of the ledger: how long its chain is, and how much of it is anchored elsewhere."""

from __future__ import annotations

from proxy.telemetry.metrics import Metrics


class LedgerMetrics:
    """What the ledger tells; see `proxy.records.ledger.News`."""

    def __init__(self, metrics: Metrics) -> None:
        self._lines = metrics.gauges(
            "ledger_lines",
            "Lines that the running writers of the ledger wrote, and those whose head is anchored.",
            "livesum",
            "state",
        )
        self._waiting = metrics.gauges("ledger_waiting", "What waits on the disk to be sent on.", "livemax", "unit")
        self._refusing = metrics.gauges("ledger_refusing", "1 while new exchanges are refused: the database is gone.", "livemax")
        self._failures = metrics.gauges("ledger_failures", "What could not be done for the ledger.", "livesum", "what")

    def anchored(self, lines: int, anchored: int, failed: int) -> None:
        """How far the chain and its anchor are."""
        self._lines("written").set(lines)
        self._lines("anchored").set(anchored)
        self._failures("anchor").set(failed)

    def expired(self, failed: int) -> None:
        """How often old texts could not be erased."""
        self._failures("erase").set(failed)

    def waiting(self, size: int, lines: int, texts: int) -> None:
        """What waits on the disk to be sent to the database."""
        self._waiting("bytes").set(size)
        self._waiting("text_bytes").set(texts)
        self._waiting("lines").set(lines)

    def unshipped(self, failed: int) -> None:
        """How often the database did not take lines."""
        self._failures("ship").set(failed)

    def refusing(self, full: bool) -> None:
        """Whether new exchanges are refused, since no more may wait."""
        self._refusing().set(full)
