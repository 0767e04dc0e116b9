"""Whether a choice is written again, and what is asked for it then."""

from __future__ import annotations

from dataclasses import replace

from classifiers.finding import Channel
from policies.policy import Rule
from proxy.records.audit import Way
from proxy.road.lane import Blocked, Lane
from proxy.road.repair import Broken, Mender
from proxy.road.speech import Speech

MOST_TRIES = 8
"""How often one choice is written again, whichever rules ask for it."""


class Rewriting:
    """Counts the tries of one choice, by rule."""

    def __init__(self, mender: Mender | None) -> None:
        self._mender = mender
        self._tries: dict[str, int] = {}

    def broken(self, channel: Channel, lane: Lane, blocked: Blocked, speech: Speech, used: int, waiting: int) -> Broken | None:
        """What to ask so that the choice is written again; None where that cannot be, or was tried often enough.

        `used` counts the tokens that the choice has had, `waiting` the characters that its lane did not get yet.
        """
        mender, rule = self._mender, lane.rule(blocked.rule)
        tries = self._tries.get(rule.name, 0)
        if mender is None or tries >= rule.tries or sum(self._tries.values()) >= MOST_TRIES:
            return None
        said = speech.said
        way: Way = "continued"
        request = None if said is None else mender.onward(said, channel, rule, tries + 1, used)
        if request is None and not speech.spoken:
            way, request = "asked_again", mender.afresh(rule, tries + 1, used)
        if request is None:
            return None
        self._tries[rule.name] = tries + 1
        at = lane.window.base + lane.window.done
        return Broken(rule.name, blocked.say, channel, at, way, request, lane.window.held + waiting)

    def afresh(self, broken: Broken | None, rule: Rule, speech: Speech, used: int) -> Broken | None:
        """The server could not go on: the same as a question for a whole new reply; None where it cannot be asked that."""
        mender = self._mender
        if broken is None or mender is None or broken.way == "asked_again" or speech.spoken:
            return None
        request = mender.afresh(rule, self._tries[rule.name], used)
        return None if request is None else replace(broken, way="asked_again", request=request)
