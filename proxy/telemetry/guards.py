"""The guard's spans of one traced exchange: one for the prompt and one for the reply, within them one for each channel, and
within those one for each look that had to wait, for a worker or a server. All looks are added up by classifier; of patterns,
which look at every token and never wait, that is all there is.

Nothing here is text of a conversation: rules, places, lengths, categories and the words of `Unjudged`.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from classifiers.finding import Channel, Finding, Passage, Unjudged
from policies.decide import counts
from proxy.telemetry.span import Span, Value

if TYPE_CHECKING:
    from proxy.road.guard import Watch

MOST_LOOKS = 200
"""Spans of looks within one exchange; those beyond are counted."""
MOST_WORDS = 32
"""Rules and categories named on a span."""
MOST_REASON = 64
LATE = 0.8
"""The part of its time after which a look that was cancelled counts as late. A loop's clock stands still while others compute, so
that its timers can be early."""


@dataclass(slots=True)
class Tally:
    """What one watch did on one channel."""

    watch: Watch
    looks: int = 0
    seconds: float = 0.0
    unjudged: int = 0

    def __str__(self) -> str:
        rules = ",".join(rule.name for rule in self.watch.rules[:MOST_WORDS])
        name = self.watch.classifier.name
        return f"{name} rules={rules} looks={self.looks} seconds={self.seconds:.6f} unjudged={self.unjudged}"


class Guards:
    """All of them. `since`: the seconds since the reply began."""

    def __init__(self, whole: Span, since: Callable[[], float]) -> None:
        self._whole, self._since = whole, since
        self._stage: Span | None = None
        self._reply: Span | None = None
        self._channels: dict[Channel, ChannelGuard] = {}
        self.left = MOST_LOOKS
        self.turn = 0  # another one: the channels are begun anew

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
        self.turn += 1


class ChannelGuard:
    """The span of one channel."""

    def __init__(self, guards: Guards, channel: Channel, within: Span) -> None:
        self._guards, self._channel = guards, channel
        self.span = within.begin(f"guard {channel.value}")
        self._tallies: list[Tally] = []
        self._left_out = 0

    def tally(self, watch: Watch) -> Tally:
        """A new one, whose numbers are told when the channel ends."""
        tally = Tally(watch)
        self._tallies.append(tally)
        return tally

    def room(self) -> bool:
        """Whether one more look gets a span; it is counted where it does not."""
        if self._guards.left > 0:
            self._guards.left -= 1
            return True
        self._left_out += 1
        return False

    def end(self) -> None:
        """The channel is over: what was added up is told."""
        tallies = self._tallies
        self.span.note(
            {
                "sluicegate.channel": self._channel.value,
                "sluicegate.guard.looks": sum(each.looks for each in tallies),
                "sluicegate.guard.busy_seconds": round(sum(each.seconds for each in tallies), 6),
                "sluicegate.guard.spans_left_out": self._left_out,
                "sluicegate.guard.by_classifier": [str(tally) for tally in tallies[:MOST_WORDS]],
            }
        )
        self.span.end()


class Look:
    """One look of one watch. It gets a span once it waits, or once a server shall be told which trace it is part of."""

    __slots__ = ("_began", "_channel", "_passage", "_span", "_spanned", "_tally", "_watch")

    def __init__(self, channel: ChannelGuard, tally: Tally, passage: Passage) -> None:
        self._channel, self._tally, self._watch, self._passage = channel, tally, tally.watch, passage
        self._span: Span | None = None
        self._spanned = False
        self._began = time.perf_counter()

    def waits(self) -> None:
        """It has to wait for something."""
        if self._spanned:
            return
        self._spanned = True
        if self._channel.room():
            name = f"classifier {self._watch.classifier.name}"
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
        late = isinstance(error, asyncio.CancelledError) and time.perf_counter() - self._began >= LATE * self._watch.within
        self._end((), "timeout" if late or isinstance(error, TimeoutError) else f"error: {type(error).__name__}")

    def _counted(self, answer: Sequence[object]) -> list[str]:
        """The categories of findings that are enough for one of the rules; models report a little of everything."""
        rules = self._watch.rules
        return [each.category for each in answer if isinstance(each, Finding) and any(counts(rule, each) for rule in rules)]

    def _end(self, found: Sequence[str], blind: str) -> None:
        self._tally.looks += 1
        self._tally.seconds += time.perf_counter() - self._began
        self._tally.unjudged += bool(blind)
        if self._span is None:
            return
        self._span.note({**_who(self._watch), **_where(self._passage), **self._outcome(found, blind)})
        if blind:
            self._span.fail(blind[:MOST_REASON])
        self._span.end()

    def _outcome(self, found: Sequence[str], blind: str) -> dict[str, Value]:
        known = self._watch.classifier.categories  # a classifier's promise; whatever else it says may be text
        words = Counter(each if each in known else "other" for each in found)
        notes: dict[str, Value] = {"sluicegate.findings": len(found)}
        if words:
            notes["sluicegate.categories"] = [f"{name}:{count}" for name, count in sorted(words.items())[:MOST_WORDS]]
        if blind:
            notes["sluicegate.unjudged"] = blind[:MOST_REASON]
        return notes


def _who(watch: Watch) -> dict[str, Value]:
    rules = [rule.name for rule in watch.rules[:MOST_WORDS]]
    return {"sluicegate.classifier": watch.classifier.name, "sluicegate.guard.rules": rules}


def _where(passage: Passage) -> dict[str, Value]:
    """The judged part, in characters of its channel; what stands in front of it is only there to be understood by."""
    return {
        "sluicegate.channel": passage.channel.value,
        "sluicegate.passage.offset": passage.offset + passage.begin,
        "sluicegate.passage.chars": len(passage.text) - passage.begin,
        "sluicegate.passage.final": passage.final,
    }
