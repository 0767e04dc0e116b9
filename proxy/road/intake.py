"""What becomes of the server's text before it is judged: placeholders turn into what they stand for, and it ends where the caller
wants it to."""

from __future__ import annotations

from classifiers.finding import Channel
from proxy.road.plan import Plan
from proxy.road.restore import Restorer, Veil
from proxy.road.stops import Stops


class Intake:
    """That of one choice, over its channels."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.begin()

    def begin(self) -> None:
        """Nothing of the text has come yet."""
        plan = self._plan
        self.stops = Stops(plan.stops) if plan.stops else None
        self.veils: dict[Channel, Veil] = {}
        self.restorers: dict[Channel, Restorer] = {}
        if plan.placeholders:
            for channel in (Channel.REASONING, Channel.ANSWER):
                veil = self.veils[channel] = Veil()
                as_json = plan.wants_json and channel is Channel.ANSWER
                self.restorers[channel] = Restorer(plan.placeholders, veil, as_json)

    def restored(self, channel: Channel, text: str) -> str:
        """As much of the text as can be said now."""
        restorer = self.restorers.get(channel)
        return text if restorer is None else restorer.feed(text)

    def rest(self, channel: Channel) -> str:
        """What was held back of a channel that ends."""
        text = restorer.finish() if (restorer := self.restorers.get(channel)) else ""
        if self.stops and channel is Channel.ANSWER:
            text = self.stops.feed(text) + self.stops.finish()
        return text

    def go_on(self, channel: Channel, at: int) -> None:
        """The text is written again from channel offset `at` on."""
        self.stops = Stops(self._plan.stops) if self._plan.stops else None
        if restorer := self.restorers.get(channel):
            restorer.cut(at)

    @property
    def count(self) -> int:
        """Placeholders that were restored."""
        return sum(restorer.count for restorer in self.restorers.values())
