"""The guard's spans of one traced exchange: one for the prompt and one for the reply, within them one for each channel, and
within those one for each look that had to wait, for a worker or a server. Looks that never wait (patterns) are added up.

Nothing here is text of a conversation: rules, places, lengths, categories and the words of `Unjudged`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from classifiers.finding import Channel, Finding, Passage, Unjudged
from policies.decide import counts
from policies.policy import Rule
from proxy.telemetry.span import Span, Value

MOST_LOOKS = 200
"""Spans of looks within one exchange; those beyond are counted."""
MOST_WORDS = 32
"""Rules and categories named on a span."""
MOST_REASON = 64
LATE = 0.8
"""The part of its time after which a look that was cancelled counts as late. A loop's clock stands still while others compute, so
that its timers can be early."""


@dataclass(frozen=True, slots=True, eq=False)
class Looker:
    """Who looks: a classifier, the rules that use it, all categories it can report, and the seconds that a look may take."""

    classifier: str
    rules: tuple[Rule, ...]
    categories: Collection[str]
    within: float


@dataclass(slots=True)
class Tally:
    """What one looker did on one channel. `spans` of its looks have a span of their own."""

    looks: int = 0
    seconds: float = 0.0
    unjudged: int = 0
    spans: int = 0


class Guards:
    """All of them. `since`: the seconds since the reply began."""

    def __init__(self, whole: Span, since: Callable[[], float]) -> None:
        self._whole, self._since = whole, since
        self._stage: Span | None = None
        self._reply: Span | None = None
        self._channels: dict[Channel, ChannelGuard] = {}
        self.left = MOST_LOOKS

    @contextmanager
    def prompt(self) -> Iterator[None]:
        """What is judged in the block is the prompt."""
        with self._whole.begin("prompt guard") as self._stage:
            try:
                yield
            finally:
                self._end_channels()
                self._stage = None

    def of(self, channel: Channel) -> ChannelGuard:
        """The channel's, which begins with its first look."""
        known = self._channels.get(channel)
        if known is None:
            known = self._channels[channel] = ChannelGuard(self, channel, self._here())
        return known

    def _here(self) -> Span:
        if self._stage is None:
            self._stage = self._reply = self._whole.begin("reply guard", ago=self._since())
        return self._stage

    def end(self, notes: Mapping[str, Value]) -> bool:
        """The exchange is over. Whether a reply was judged; its span got the notes then."""
        self._end_channels()
        if self._reply is None:
            return False
        self._reply.note(notes)
        self._reply.end()
        return True

    def _end_channels(self) -> None:
        for channel in self._channels.values():
            channel.end()
        self._channels.clear()


class ChannelGuard:
    """The span of one channel."""

    def __init__(self, guards: Guards, channel: Channel, within: Span) -> None:
        self._guards, self._channel = guards, channel
        self.span = within.begin(f"guard {channel.value}")
        self._tallies: dict[Looker, Tally] = {}
        self._left_out = 0

    def tally(self, looker: Looker) -> Tally:
        """That of one looker."""
        known = self._tallies.get(looker)
        if known is None:
            known = self._tallies[looker] = Tally()
        return known

    def room(self) -> bool:
        """Whether one more look gets a span; it is counted where it does not."""
        if self._guards.left > 0:
            self._guards.left -= 1
            return True
        self._left_out += 1
        return False

    def end(self) -> None:
        """The channel is over: what was added up is told, of each looker as an event."""
        tallies = self._tallies.values()
        self.span.note(
            {
                "sluicegate.channel": self._channel.value,
                "sluicegate.guard.looks": sum(each.looks for each in tallies),
                "sluicegate.guard.busy_seconds": round(sum(each.seconds for each in tallies), 6),
                "sluicegate.guard.spans_left_out": self._left_out,
            }
        )
        for looker, tally in self._tallies.items():
            self.span.event("looked", {**_who(looker), **_did(tally)})
        self.span.end()


class Look:
    """One look of one looker. It gets a span once it waits, or once a server shall be told which trace it is part of."""

    __slots__ = ("_began", "_channel", "_looker", "_passage", "_span", "_spanned")

    def __init__(self, channel: ChannelGuard, looker: Looker, passage: Passage) -> None:
        self._channel, self._looker, self._passage = channel, looker, passage
        self._span: Span | None = None
        self._spanned = False
        self._began = time.perf_counter()

    def waits(self) -> None:
        """It has to wait for something."""
        if self._spanned:
            return
        self._spanned = True
        if self._channel.room():
            name = f"classifier {self._looker.classifier}"
            self._span = self._channel.span.begin(name, ago=time.perf_counter() - self._began)

    def headers(self) -> Sequence[tuple[str, str]]:
        """See `classifiers.asked_within`."""
        self.waits()
        return (self._span or self._channel.span).headers

    def answered(self, answers: object) -> None:
        """It came to an end; `answers` are whatever the classifier gave."""
        answer = answers[0] if isinstance(answers, list | tuple) and len(answers) == 1 else None
        found = self._counted(answer) if isinstance(answer, list | tuple) else []
        blind = "" if isinstance(answer, list | tuple) else answer.reason if isinstance(answer, Unjudged) else "error"
        self._end(found, blind)

    def gave_up(self, error: BaseException) -> None:
        """It raised, or somebody lost patience: the guard with it, or the caller with us."""
        late = isinstance(error, asyncio.CancelledError) and time.perf_counter() - self._began >= LATE * self._looker.within
        self._end((), "timeout" if late or isinstance(error, TimeoutError) else f"error: {type(error).__name__}")

    def _counted(self, answer: Sequence[object]) -> list[str]:
        """The categories of findings that are enough for one of the rules; models report a little of everything."""
        rules = self._looker.rules
        return [each.category for each in answer if isinstance(each, Finding) and any(counts(rule, each) for rule in rules)]

    def _end(self, found: Sequence[str], blind: str) -> None:
        tally = self._channel.tally(self._looker)
        tally.looks += 1
        tally.seconds += time.perf_counter() - self._began
        tally.unjudged += bool(blind)
        if self._span is None:
            return
        tally.spans += 1
        self._span.note({**_who(self._looker), **_where(self._passage), **self._outcome(found, blind)})
        if blind:
            self._span.fail(blind[:MOST_REASON])
        self._span.end()

    def _outcome(self, found: Sequence[str], blind: str) -> dict[str, Value]:
        known = self._looker.categories  # a classifier's promise; whatever else it says may be text
        words = Counter(each if each in known else "other" for each in found)
        notes: dict[str, Value] = {"sluicegate.findings": len(found)}
        if words:
            notes["sluicegate.categories"] = [f"{name}:{count}" for name, count in sorted(words.items())[:MOST_WORDS]]
        if blind:
            notes["sluicegate.unjudged"] = blind[:MOST_REASON]
        return notes


def _who(looker: Looker) -> dict[str, Value]:
    rules = [rule.name for rule in looker.rules[:MOST_WORDS]]
    return {"sluicegate.classifier": looker.classifier, "sluicegate.guard.rules": rules}


def _where(passage: Passage) -> dict[str, Value]:
    """The judged part, in characters of its channel; what stands in front of it is only there to be understood by."""
    return {
        "sluicegate.channel": passage.channel.value,
        "sluicegate.passage.offset": passage.offset + passage.begin,
        "sluicegate.passage.chars": len(passage.text) - passage.begin,
        "sluicegate.passage.final": passage.final,
    }


def _did(tally: Tally) -> dict[str, Value]:
    return {
        "sluicegate.guard.looks": tally.looks,
        "sluicegate.guard.busy_seconds": round(tally.seconds, 6),
        "sluicegate.guard.unjudged": tally.unjudged,
        "sluicegate.guard.spans": tally.spans,
    }
