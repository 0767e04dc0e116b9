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
from proxy.telemetry.guards import Guards, Look, Looker

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
    own.across, own.before, own.after = (_over(post, guards) for post in (guard.across, guard.before, guard.after))
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
    known: dict[int, Watch] = {id(watch): replace(watch, classifier=Watched(watch, guards)) for watch in _all(post)}

    def over(watches: tuple[Watch, ...]) -> tuple[Watch, ...]:
        return tuple(known[id(watch)] for watch in watches)

    stream, passage, first, second = map(over, (post.stream, post.passage, post.first, post.second))
    unrepaired = _over(post.unrepaired, guards) if post.unrepaired is not None else None
    return replace(post, stream=stream, passage=passage, first=first, second=second, unrepaired=unrepaired)


def _all(post: Post) -> tuple[Watch, ...]:
    return (*post.stream, *post.passage)


class Watched:
    """A classifier whose looks are counted, and have a span where they wait. All else about it is the classifier's own."""

    def __init__(self, watch: Watch, guards: Guards) -> None:
        classifier = self._classifier = watch.classifier
        self.name, self.unit, self.categories = classifier.name, classifier.unit, classifier.categories
        self.lookback, self.opener, self.safe_upto = classifier.lookback, classifier.opener, classifier.safe_upto
        self._guards = guards
        self._looker = Looker(classifier.name, watch.rules, classifier.categories, watch.within)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._classifier, name)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Answers:
        look = Look(self._guards.of(passages[0].channel), self._looker, passages[0])
        try:
            if self.unit == "stream":
                answers = await _Driven(self._classifier(passages, context), look.waits)
            else:
                with asked_within(look.headers):
                    answers = await _Driven(self._classifier(passages, context), look.waits)
        except BaseException as error:
            look.gave_up(error)
            raise
        look.answered(answers)
        return answers


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
