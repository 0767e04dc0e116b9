"""Runs the rules' classifiers on passages, within their time budgets. One that fails answers `Unjudged`, never nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from classifiers.finding import Channel, Classifier, Context, Finding, Findings, Glance, Passage, Unjudged
from policies.policy import Policy, Rule

Answers = Sequence[Findings | Unjudged]


@dataclass(frozen=True, slots=True)
class Watch:
    """One classifier and the rules that use it with the same options."""

    classifier: Classifier
    rules: tuple[Rule, ...]
    within: float


@dataclass(frozen=True, slots=True)
class Post:
    """All that watches one channel. `glances` are those of all its classifiers, None where one of them has none."""

    channel: Channel
    stream: tuple[Watch, ...]
    passage: tuple[Watch, ...]
    stream_rules: tuple[Rule, ...]
    passage_rules: tuple[Rule, ...]
    lookback: int
    glances: tuple[Glance, ...] | None

    def __bool__(self) -> bool:
        return bool(self.stream or self.passage)


class Guard:
    """A policy's rules with their classifiers, sorted by channel."""

    def __init__(self, policy: Policy, classifiers: Mapping[str, Classifier]) -> None:
        self.policy = policy
        self.posts: Mapping[Channel, Post] = {channel: _post(channel, policy, classifiers) for channel in Channel}

    @staticmethod
    async def look(watches: Sequence[Watch], passage: Passage, context: Context) -> dict[str, Findings | Unjudged]:
        """What each rule's classifier says of one passage, by rule name."""
        found: dict[str, Findings | Unjudged] = {}
        for watch in watches:
            answer = await look(watch, passage, context)
            for rule in watch.rules:
                found[rule.name] = answer
        return found


async def look(watch: Watch, passage: Passage, context: Context) -> Findings | Unjudged:
    """The classifier's answer; `Unjudged` if it failed, took too long or answered nonsense."""
    try:
        coroutine = watch.classifier((passage,), context)
        try:
            waits_for = coroutine.send(None)
        except StopIteration as done:  # it never waited (patterns, per token): no timer has to be paid for
            answers: Answers = done.value
        else:
            answers = await _in_time(coroutine, waits_for, watch.within)
        return _sound(answers, passage)
    except TimeoutError:
        return Unjudged("timeout")
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return Unjudged("error: CancelledError")  # something that the classifier waited for was given up, not our exchange
    except Exception as error:  # whatever a classifier throws is a verdict by policy, not a crash
        return Unjudged(f"error: {type(error).__name__}")


def _sound(answers: Answers, passage: Passage) -> Findings | Unjudged:
    """The one answer of a classifier, if it is one: what makes no sense must not pass for having found nothing."""
    if len(answers) != 1:
        return Unjudged("error: answers missing")
    answer = answers[0]
    if answer == ():
        return ()
    if isinstance(answer, Unjudged):
        return answer
    if not isinstance(answer, list | tuple):
        return Unjudged("error: no findings")
    for each in answer:
        if not isinstance(each, Finding) or not (0 <= each.start <= each.end <= len(passage.text) and 0 <= each.score <= 1):
            return Unjudged("error: unsound finding")
    return answer


class _Rest:
    """Goes on with a coroutine whose first step was already made, and which waits for `first`."""

    def __init__(self, coroutine: Coroutine[Any, Any, Answers], first: object) -> None:
        self._coroutine, self._first = coroutine, first

    def __await__(self) -> Generator[Any, Any, Answers]:
        waits_for = self._first
        while True:
            sent, error = None, None
            try:
                sent = yield waits_for
            except BaseException as thrown:  # a cancellation or a time-out belongs to the coroutine as well
                error = thrown
            try:
                waits_for = self._coroutine.send(sent) if error is None else self._coroutine.throw(error)
            except StopIteration as done:
                result: Answers = done.value
                return result


async def _in_time(coroutine: Coroutine[Any, Any, Answers], waits_for: object, seconds: float) -> Answers:
    """Goes on under a deadline with a coroutine that made its first step."""
    async with asyncio.timeout(seconds):
        return await _Rest(coroutine, waits_for)


def _post(channel: Channel, policy: Policy, classifiers: Mapping[str, Classifier]) -> Post:
    rules = [rule for rule in policy.rules if channel in rule.on]
    by_classifier: dict[int, list[Rule]] = {}
    for rule in rules:
        by_classifier.setdefault(id(classifiers[rule.name]), []).append(rule)
    watches = [
        Watch(classifiers[users[0].name], tuple(users), min(rule.within for rule in users)) for users in by_classifier.values()
    ]
    stream = tuple(watch for watch in watches if watch.classifier.unit == "stream")
    passage = tuple(watch for watch in watches if watch.classifier.unit == "passage")
    return Post(
        channel,
        stream,
        passage,
        tuple(rule for rule in rules if classifiers[rule.name].unit == "stream"),
        tuple(rule for rule in rules if classifiers[rule.name].unit == "passage"),
        max((watch.classifier.lookback for watch in watches), default=0),
        _glances(stream) if not passage else None,
    )


def _glances(stream: Sequence[Watch]) -> tuple[Glance, ...] | None:
    glances = tuple(getattr(watch.classifier, "glance", None) for watch in stream)
    return None if None in glances else cast(tuple[Glance, ...], glances)
