"""Searching all views of a text: who looks at what, and how far back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from classifiers.fold import Folded, folding
from classifiers.literals import Hit, Literal, Literals
from classifiers.search import LOOKBACK, Search, Seat

FOLD = folding(True, True, True, True, True, False, False)
UNDECODED = folding(True, True, True, True, False, False, False)


@dataclass
class Watched:
    """A bank that notes the views it was shown."""

    bank: Literals
    shown: list[str] = field(default_factory=list)

    @property
    def longest(self) -> int:
        return self.bank.longest

    def find(self, view: Folded, begin: int) -> Iterator[Hit]:
        self.shown.append(view.text)
        yield from self.bank.find(view, begin)

    def live(self, view: Folded) -> int | None:
        self.shown.append(view.text)
        return self.bank.live(view)

    def quiet(self, text: str, begin: int) -> int | None:
        self.shown.append(text)
        return self.bank.quiet(text, begin)


def watched(word: str) -> Watched:
    return Watched(Literals([Literal(0, word, False)]))


def test_plain_text_is_looked_at_once() -> None:
    written, folded, undecoded = watched("ab"), watched("ab"), watched("ab")
    search = Search([Seat(written, None), Seat(folded, FOLD, plain=False), Seat(undecoded, UNDECODED, encoded=True)], plain=FOLD)
    assert search.find("xab", 0) == [(0, 1, 3)]
    assert (written.shown, folded.shown, undecoded.shown) == (["xab"], [], [])
    assert search.find("xÁb", 0) == [(0, 1, 3)]
    assert (written.shown[1:], folded.shown, undecoded.shown) == (["xÁb"], ["xab"], [])
    assert search.find("&#97;b", 0) == [(0, 0, 6)]
    assert (written.shown[2:], folded.shown[1:], undecoded.shown) == (["&#97;b"], ["ab"], ["&#97;b"])


def test_no_further_back_than_a_match_can_reach() -> None:
    bank = watched("abcd")
    search = Search([Seat(bank, FOLD)], plain=FOLD)
    assert search.safe_upto("x" * 10_000 + "ab") == 10_000
    assert [len(text) for text in bank.shown] == [4 + LOOKBACK]


def test_further_back_where_much_has_vanished() -> None:
    search = Search([Seat(watched("abcd"), FOLD)], plain=FOLD)
    for many in (10, 100, 1000):
        text = "xx a" + "\u200b" * many + "&zwnj;" * many + "b" + "\u0301" * many
        assert search.safe_upto(text) == 3


def test_an_unfinished_entity_is_not_settled() -> None:
    search = Search([Seat(watched("abcd"), FOLD)], plain=FOLD)
    assert search.safe_upto("hello &#9") == 6
    assert search.safe_upto("hello a&#9") == 6
    assert search.safe_upto("hello\\u00") == 9
    assert (
        Search([Seat(watched("abcd"), FOLD)], plain=folding(True, True, True, True, True, True, False)).safe_upto("hello\\u00")
        == 5
    )


def test_a_glance_looks_no_further_back_either() -> None:
    bank = watched("abcd")
    search = Search([Seat(bank, FOLD)], plain=FOLD)
    assert search.glance("x" * 10_000 + "ab", 10_000) == 10_000
    assert [len(text) for text in bank.shown] == [4 + LOOKBACK]
    assert search.glance("xÁb", 0) is None
    assert search.glance("x abcd x", 0) is None
