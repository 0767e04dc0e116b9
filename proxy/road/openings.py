"""Findings that have begun and go on behind what has left: a private key, a token of unknown length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from classifiers.finding import Finding, Findings, Passage, Unjudged
from policies.policy import Rule
from policies.verdict import Action, Mask
from proxy.road.guard import Watch
from proxy.road.window import Window


@dataclass(slots=True)
class Opened:
    """An open finding that goes on: the channel offset of its start, the first characters of it that its classifier wants to see
    again, and whether it is masked."""

    watch: Watch
    start: int
    masked: bool
    head: str = ""


class Openings(dict[int, Opened]):
    """What is open in one channel now, one of each classifier at most. A dictionary: every token asks whether it is empty."""

    __slots__ = ()

    def of(self, watch: Watch) -> Opened | None:
        """What is open of this watch's classifier."""
        return self.get(id(watch.classifier))

    def note(self, watch: Watch, rule: Rule, settled: Sequence[Finding], passage: Passage) -> None:
        """Takes in those of the findings which go on."""
        for finding in settled:
            if finding.open:
                known = self.of(watch)
                masked = rule.do is Action.REDACT or (known is not None and known.masked)
                self[id(watch.classifier)] = Opened(watch, passage.offset + finding.start, masked)

    def going_on(self, found: Mapping[str, Findings | Unjudged], passage: Passage, safe: int) -> list[Mask]:
        """The continuations of what was open when the last text left; open as long as its end is not settled."""
        masks: list[Mask] = []
        for key, opened in list(self.items()):
            answer = found[opened.watch.rules[0].name]
            end: int | None = safe  # could not see the end: then it goes on
            if not isinstance(answer, Unjudged):
                on = [each for each in answer if each.start < passage.begin < each.end]
                end = safe if any(each.open or each.end > safe for each in on) else None
            if end is None:
                del self[key]
                end = max((each.end for each in on), default=passage.begin)
            if opened.masked:
                masks.append(Mask(passage.offset + passage.begin - 1, passage.offset + end, "", key in self))
        return masks

    def keep_heads(self, window: Window, upto: int) -> None:
        """Text up to index `upto` of the window is about to leave: the beginnings are kept that classifiers want to see again."""
        for opened in self.values():
            first = opened.start + len(opened.head) - window.base
            last = min(opened.start + opened.watch.classifier.opener - window.base, upto)
            opened.head += window.text[first:last] if first < last else ""

    def cut(self, end: int) -> None:
        """What begins at channel offset `end` or behind it was taken back."""
        for key in [key for key, opened in self.items() if opened.start >= end]:
            del self[key]
