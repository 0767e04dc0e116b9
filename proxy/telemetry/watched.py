"""A guard whose looks are told to a trace. Only a traced exchange has one: all others use the guard itself, and pay nothing."""

from __future__ import annotations

import copy
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from classifiers.asked_within import asked_within
from classifiers.finding import Channel, Context, Findings, Passage, Unjudged
from proxy.exchange import Exchange
from proxy.road.guard import Guard, Post, Watch
from proxy.telemetry.guards import Guards, Look

Answers = Sequence[Findings | Unjudged]


def watched(exchange: Exchange, guard: Guard) -> Guard:
    """The guard for this exchange; itself where nobody will see the spans."""
    if not exchange.span.live:
        return guard

    def since() -> float:
        first = exchange.upstream_first
        return 0.0 if first is None else time.perf_counter() - exchange.started - first

    guards = exchange.guards = Guards(exchange.span, since)
    own = copy.copy(guard)
    own.posts = Posts(guard.posts, guards)
    own.across = _over(guard.across, guards)
    if guard.restores:
        own.before, own.after = _over(guard.before, guards), _over(guard.after, guards)
    return own


def prompt_judged(exchange: Exchange) -> AbstractContextManager[object]:
    """What is judged in the block is the prompt."""
    return exchange.guards.prompt() if exchange.guards is not None else exchange.span.begin("prompt guard")


class Posts(dict[Channel, Post]):
    """Those of a guard, each made when it is first wanted: most exchanges have two or three channels."""

    def __init__(self, posts: Mapping[Channel, Post], guards: Guards) -> None:
        super().__init__()
        self._posts, self._guards = posts, guards

    def __missing__(self, channel: Channel) -> Post:
        post = self[channel] = _over(self._posts[channel], self._guards)
        return post


def _over(post: Post, guards: Guards) -> Post:
    """The post with each of its classifiers watched, one watch for each as before."""
    if not post:
        return post
    known: dict[int, Watch] = {id(watch): _watch(watch, guards) for watch in (*post.stream, *post.passage)}

    def over(watches: tuple[Watch, ...]) -> tuple[Watch, ...]:
        return tuple(known[id(watch)] for watch in watches)

    stream, passage, first, second = map(over, (post.stream, post.passage, post.first, post.second))
    unrepaired = _over(post.unrepaired, guards) if post.unrepaired is not None else None
    return replace(post, stream=stream, passage=passage, first=first, second=second, unrepaired=unrepaired)


def _watch(watch: Watch, guards: Guards) -> Watch:
    return Watch(Watched(watch, guards), watch.rules, watch.within, watch.veiled)


class Watched:
    """A classifier whose looks are counted; of unit `passage`, one that waits has a span. All else about it is its own."""

    def __init__(self, watch: Watch, guards: Guards) -> None:
        classifier = self._classifier = watch.classifier
        self.name, self.unit, self.categories = classifier.name, classifier.unit, classifier.categories
        self.lookback, self.opener, self.safe_upto = classifier.lookback, classifier.opener, classifier.safe_upto
        self._watch, self._guards = watch, guards
        self._turn = -1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._classifier, name)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Answers:
        if self._turn != self._guards.turn:
            self._channel, self._turn = self._guards.of(passages[0].channel), self._guards.turn
            self._tally = self._channel.tally(self._watch)
        if self.unit == "stream":
            return await self._counted(passages, context)
        look = Look(self._channel, self._tally, passages[0])
        try:
            with asked_within(look.headers):
                answers = await _Driven(self._classifier(passages, context), look.waits)
        except BaseException as error:
            look.gave_up(error)
            raise
        look.answered(answers)
        return answers

    async def _counted(self, passages: Sequence[Passage], context: Context) -> Answers:
        """Nearly every token comes here."""
        tally, began, blind = self._tally, time.perf_counter(), True
        try:
            answers = await self._classifier(passages, context)
            blind = len(answers) != 1 or isinstance(answers[0], Unjudged)
            return answers
        finally:
            tally.looks += 1
            tally.seconds += time.perf_counter() - began
            tally.unjudged += blind


class _Driven(Awaitable[Answers]):
    """A coroutine, and word of it when it has to wait for something. A bare `yield` waits for nothing: it gives others a turn."""

    def __init__(self, coroutine: Coroutine[Any, Any, Answers], waits: Callable[[], None]) -> None:
        self._coroutine, self._waits = coroutine, waits

    def __await__(self) -> Generator[Any, Any, Answers]:
        sent: Any = None
        error: BaseException | None = None
        while True:
            try:
                waits_for = self._coroutine.send(sent) if error is None else self._coroutine.throw(error)
            except StopIteration as done:
                result: Answers = done.value
                return result
            if waits_for is not None:
                self._waits()
            sent, error = None, None
            try:
                sent = yield waits_for
            except BaseException as thrown:  # a cancellation or a time-out belongs to the coroutine as well
                error = thrown
