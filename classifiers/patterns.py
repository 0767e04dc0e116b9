"""Words and regular expressions, thousands of them, found in linear time however they are disguised.

Everything is looked for in the text as written and in its folding (`classifiers.fold`), and reported where the original has it.
Words: every occurrence. Expressions: the leftmost matches which do not overlap, for each expression by itself. What one pattern
finds in both ways is reported once; a match inside a larger one of the same pattern is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from classifiers.expressions import Expression as Bounded
from classifiers.expressions import Expressions, expression
from classifiers.finding import Context, Finding, Findings, Passage, Unit, Unjudged
from classifiers.fold import Folding, folding
from classifiers.literals import Literal, Literals
from classifiers.registry import classifier
from classifiers.search import LOOKBACK, Search, Seat
from classifiers.spellings import folded, foldings
from classifiers.tree import source
from classifiers.word_list import Expression, PatternsOptions, Word


@dataclass(frozen=True, slots=True)
class Label:
    """What a pattern's findings say."""

    category: str
    score: float
    mask: str


@classifier("patterns", options=PatternsOptions)
class Patterns:
    """Finds words and regular expressions, in any disguise."""

    name = "patterns"
    unit: Unit = "stream"
    lookback = LOOKBACK
    opener = 0

    def __init__(self, options: PatternsOptions) -> None:
        words = list(options.all_words())
        self._labels = [_label(word, options) for word in words] + [_label(entry, options) for entry in options.expressions]
        self.categories = frozenset(label.category for label in self._labels)
        seats = [*_word_seats(words, options), *_expression_seats(options, first=len(words))]
        self._search = Search(seats, plain=foldings()[0])

    def safe_upto(self, text: str) -> int:
        return self._search.safe_upto(text)

    def glance(self, text: str, begin: int) -> int | None:
        return self._search.glance(text, begin)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Sequence[Findings | Unjudged]:
        return [self._one(passage) for passage in passages]

    def _one(self, passage: Passage) -> Findings | Unjudged:
        try:
            hits = self._search.find(passage.text, passage.begin)
            if not hits:
                return ()
            found = [(self._labels[number], start, end) for number, start, end in hits]
            return tuple(
                dict.fromkeys(Finding(label.category, label.score, start, end, label.mask) for label, start, end in found)
            )
        except Exception as error:  # a fault in one passage is a verdict on that passage
            return Unjudged(f"error: {type(error).__name__}")


def _label(entry: Word | Expression, options: PatternsOptions) -> Label:
    return Label(entry.category or options.category, entry.score, entry.mask or "")


def _word_seats(words: Sequence[Word], options: PatternsOptions) -> Iterator[Seat]:
    """Words by the way they must be looked at. Where entities were decoded, they are looked for in undecoded text too."""
    for way, literals in _by_way(words, options).items():
        bank = Literals(literals)
        if way is None:
            yield Seat(bank, None, plain=False)
            continue
        yield Seat(bank, _way(way, entities=True), plain=way.look_alikes)
        yield Seat(bank, _way(way, entities=False), encoded=True)


@dataclass(frozen=True, slots=True)
class Way:
    """How words are looked at: with or without regard to case, and with look-alikes made Latin or not."""

    case: bool
    look_alikes: bool


def _way(way: Way, *, entities: bool) -> Folding:
    return folding(way.case, way.look_alikes, True, True, entities, False, True)


def _by_way(words: Sequence[Word], options: PatternsOptions) -> Mapping[Way | None, list[Literal]]:
    """None: as written, for what folding would make vanish."""
    ways: dict[Way | None, list[Literal]] = {}
    for number, word in enumerate(words):
        sensitive = options.case_sensitive if word.case_sensitive is None else word.case_sensitive
        whole = options.whole_word if word.whole_word is None else word.whole_word
        for way in _ways(word.text, sensitive):
            text = _way(way, entities=False)(word.text).text if way else word.text
            ways.setdefault(way, []).append(Literal(number, text, whole))
    return ways


def _ways(text: str, sensitive: bool) -> list[Way | None]:
    way = Way(not sensitive, True)
    fold = _way(way, entities=False)
    if not fold(text).text:
        return [None]
    spellings = {fold(text).text} if sensitive else {fold(form).text for form in (text, text.lower(), text.upper())}
    # Greek capital eta looks like H, the small one like n: such a word is also looked for as what it is.
    return [way] if len(spellings) == 1 else [way, Way(case=True, look_alikes=False)]


def _expression_seats(options: PatternsOptions, *, first: int) -> Iterator[Seat]:
    """Expressions on the text as written, and on folded text; where both are the same, once."""
    if not options.expressions:
        return
    whole, parts = foldings()
    as_written: list[Bounded] = []
    same: list[Bounded] = []
    other: list[Bounded] = []
    for number, entry in enumerate(options.expressions, first):
        sensitive = options.case_sensitive if entry.case_sensitive is None else entry.case_sensitive
        known = expression(number, entry.pattern, case_sensitive=sensitive)
        as_written.append(known)
        in_folded = folded(known, whole, parts) if entry.fold else None
        if in_folded is not None:
            (same if source(in_folded.node) == source(known.node) else other).append(in_folded)
    yield Seat(Expressions(as_written), None)
    if same:
        yield Seat(Expressions(same), whole, plain=False)
    if other:
        yield Seat(Expressions(other), whole)
