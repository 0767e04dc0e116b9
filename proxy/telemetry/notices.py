"""The numbers of notices among replicas."""

from __future__ import annotations

from proxy.state.notices import Topic
from proxy.telemetry.metrics import Metrics


class NoticeMetrics:
    """What the notices tell; see `proxy.state.notices.News`."""

    def __init__(self, metrics: Metrics) -> None:
        self._heard = metrics.counter("notices", "Notices of changes that were heard: look at keys, look at policies.", "topic")
        text = (
            "Whether notices would be heard: the fewest of all workers, 1 or 0. Without them changes are looked for by the clock."
        )
        self._listening = metrics.gauges("notices_listening", text, "livemin")

    def heard(self, topic: Topic) -> None:
        """There was word of a change."""
        self._heard(topic).inc()

    def listening(self, well: bool) -> None:
        """Whether word would be heard from now on."""
        self._listening().set(well)
