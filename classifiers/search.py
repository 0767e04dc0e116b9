"""Searches a text as it was written and as it reads when folded, and says how much of a growing text is settled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from classifiers.fold import LONGEST_UNIT, SIGHT, Folded, Folding, fold_safe
from classifiers.literals import Hit, distinct

LOOKBACK: Final = SIGHT + LONGEST_UNIT
"""Characters in front of the judged text that may bear on it: what is in sight, and a unit that starts there."""


class Bank(Protocol):
    """Patterns that are searched for together, in one kind of view."""

    @property
    def longest(self) -> int:
        """Most characters of the view that a match can have."""
        ...

    def quiet(self, text: str, begin: int) -> int | None:
        """For plain text, in one look: where the leftmost live match starts, else its length; None if anything may be found."""
        ...

    def find(self, view: Folded, begin: int) -> Iterator[Hit]:
        """All hits that start at `begin` or later, an index of the original."""
        ...

    def live(self, view: Folded) -> int | None:
        """The index in the view of the leftmost unfinished or unsettled match."""
        ...


@dataclass(frozen=True, slots=True)
class Seat:
    """A bank and the view it looks at; None is the text as written.

    `plain`: the bank also looks at text that no folding changes but for its case. Where two banks would see the same there, only
    one of them does.
    `encoded`: the bank looks only where something may have been decoded, and sees it undecoded.
    """

    bank: Bank
    folding: Folding | None
    plain: bool = True
    encoded: bool = False

    @property
    def lower(self) -> bool:
        """Whether plain text reads in lower case from here."""
        return self.folding is not None and self.folding.case

    def view(self, text: str, plain: bool) -> Folded:
        """What the bank sees of `text`; `plain` text is one that folding leaves alone."""
        if self.folding is None:
            return Folded(text, text)
        return self.folding.plain(text) if plain else self.folding(text)


class Search:
    """All the banks of a classifier. `plain` tells text that folding changes in nothing but its case."""

    def __init__(self, seats: Sequence[Seat], plain: Folding) -> None:
        self._plain, self._escapes = plain, plain.escapes
        self._encoded_seats = tuple(seats)
        self._seats = tuple(seat for seat in seats if not seat.encoded)
        self._plain_seats = tuple(seat for seat in self._seats if seat.plain)
        self._longest = max((seat.bank.longest for seat in seats), default=0)

    def find(self, text: str, begin: int) -> list[Hit]:
        """All hits starting at `begin` or later: each stretch once per pattern, in order."""
        cut = begin - LOOKBACK
        if cut > 0:  # what lies further back has no bearing, but would have to be folded
            return [(number, start + cut, end + cut) for number, start, end in self.find(text[cut:], begin - cut)]
        seats, plain = self._looking(text)
        views: dict[Folding | None, Folded] = {}
        hits: list[Hit] = []
        for seat in seats:
            view = views.get(seat.folding)
            if view is None:
                view = views[seat.folding] = seat.view(text, plain)
            hits.extend(seat.bank.find(view, begin))
        return distinct(hits) if hits else hits

    def glance(self, text: str, begin: int) -> int | None:
        """`safe_upto` where plain text holds no hit from `begin` on; None for all other text."""
        cut = min(begin, len(text) - self._longest) - LOOKBACK
        if cut > 0:
            text, begin = text[cut:], begin - cut
        else:
            cut = 0
        if not self._plain.leaves(text):
            return None
        settled, lower = len(text), text.lower()
        for seat in self._plain_seats:
            live = seat.bank.quiet(lower if seat.lower else text, begin)
            if live is None:
                return None
            settled = min(settled, live)
        return cut + settled

    def safe_upto(self, text: str) -> int:
        """How much of the growing `text` is settled. Looks only as far back as the longest match could reach."""
        reach = self._longest + LOOKBACK
        while True:
            cut = len(text) - reach
            settled, seen = self._settled(text[cut:] if cut > 0 else text)
            if cut <= 0:
                return settled
            if seen > self._longest + LONGEST_UNIT:
                return cut + settled
            reach *= 4

    def _looking(self, text: str) -> tuple[Sequence[Seat], bool]:
        """Who looks at this text, and whether it is plain."""
        if self._plain.leaves(text):
            return self._plain_seats, True
        return self._encoded_seats if "&" in text or (self._escapes and "\\" in text) else self._seats, False

    def _settled(self, text: str) -> tuple[int, int]:
        """How much of `text` is settled, and the length of the shortest view that was looked at."""
        seats, plain = self._looking(text)
        settled = seen = len(text)
        decided = text
        if not plain:
            settled = fold_safe(text, escapes=self._escapes)
            decided = text[:settled]
        for seat in seats:
            view = seat.view(text if seat.encoded or seat.folding is None else decided, plain)
            seen = min(seen, len(view.text))
            live = seat.bank.live(view)
            if live is not None:
                settled = min(settled, view.starts[live])
        return settled, seen
