"""Literals by the thousand: one pass over folded text finds every occurrence of all of them (Aho-Corasick)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import ahocorasick

from classifiers.fold import Folded

LONGEST_LITERAL: Final = 256  # characters, folded

Hit = tuple[int, int, int]
"""The number of a pattern, and the stretch of the original text where it was found: start, end."""

# Scripts written without blanks: Thai, Lao, Tibetan, Myanmar, Khmer, kana, bopomofo, Han and its radicals.
_WITHOUT_BLANKS: Final = (
    (0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3040, 0x312F), (0x31A0, 0x31BF),
    (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F), (0x1B000, 0x1B16F), (0x20000, 0x3FFFF),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Literal:
    """A word or phrase. `number` is the pattern's; `whole`: letters right beside it make it another word."""

    number: int
    text: str
    whole: bool


class Literals:
    """Literals of one folding: `text` of each must have been folded the way the searched text is.

    Every occurrence is found, overlapping ones too, so that nothing found depends on where looking began.
    """

    def __init__(self, words: Sequence[Literal]) -> None:
        self.longest = max(len(word.text) for word in words)
        self._automaton = ahocorasick.Automaton()
        grouped: dict[str, list[Literal]] = {}
        for word in words:
            grouped.setdefault(word.text, []).append(word)
        for text, same in grouped.items():
            self._automaton.add_word(text, (len(text), tuple((word.number, word.whole) for word in same)))
        self._automaton.make_automaton()
        self._reach: dict[str, int] = {}  # by first character, the length of the longest literal
        for text in grouped:
            self._reach[text[0]] = max(len(text), self._reach.get(text[0], 0))
        self._all_whole = all(word.whole for word in words)

    def find(self, view: Folded, begin: int) -> Iterator[Hit]:
        """All hits that start at `begin` or later, an index of the original."""
        text = view.text
        for last, (length, words) in self._automaton.iter(text, view.index(begin)):
            start, end = last + 1 - length, last + 1
            if _goes_on(text, end):
                continue
            fenced = _fenced(view, start, end)
            for number, whole in words:
                if fenced or not whole:
                    yield number, *view.span(start, end)

    def quiet(self, text: str, begin: int) -> int | None:
        """For plain text, in one look: where the leftmost unfinished literal starts, else its length; None: one may be there."""
        for _ in self._automaton.iter(text, begin):
            return None
        reach, size = self._reach.get, len(text)
        for start in range(max(0, size - self.longest), size):
            if size - start > reach(text[start], 0):
                continue
            if self._all_whole and start and _lettered(text[start]) and _lettered(text[start - 1]):
                continue
            if self._automaton.match(text[start:]):
                return start
        return size

    def live(self, view: Folded) -> int | None:
        """Where in the folded text the leftmost unfinished or unsettled literal starts: an end of the text begins a literal."""
        text, reach = view.text, self._reach
        size = len(text)
        for start in range(max(0, size - self.longest), size):
            first = text[start]
            if first not in reach or size - start > reach[first] or (self._all_whole and not _opens(view, start)):
                continue
            if self._automaton.match(text[start:]):
                return start
        return None


def _fenced(view: Folded, start: int, end: int) -> bool:
    """Whether the word at `[start:end)` has a boundary on both sides."""
    text = view.text
    if end < len(text) and _lettered(text[end - 1]) and _lettered(text[end]):
        return False
    return _opens(view, start)


def _opens(view: Folded, start: int) -> bool:
    """Whether there is a boundary in front of `text[start]`. A gap is one."""
    if start == 0 or not (_lettered(view.text[start]) and _lettered(view.text[start - 1])):
        return True
    return not view.plain and view.parted(start)


def _lettered(character: str) -> bool:
    """A letter, digit, mark or underscore of a script with blanks: beside such another one the word goes on."""
    if character.isascii():
        return character.isalnum() or character == "_"
    if not (character.isalnum() or unicodedata.category(character)[0] == "M"):
        return False
    code = ord(character)
    return not any(first <= code <= last for first, last in _WITHOUT_BLANKS)


def _goes_on(text: str, end: int) -> bool:
    """Whether a letter taken apart goes on at `end`: a voicing mark of kana, the vowel or last consonant of a Hangul syllable."""
    following = text[end : end + 1]
    return following in ("\u3099", "\u309a") or "\u1160" <= following <= "\u11ff"


def distinct(hits: Iterable[Hit]) -> list[Hit]:
    """Each stretch once, without those inside a larger one of the same pattern; in order of start, end, number."""
    kept: list[Hit] = []
    reach: dict[int, int] = {}
    for number, start, end in sorted(hits, key=lambda hit: (hit[1], -hit[2], hit[0])):
        if end > reach.get(number, -1):
            reach[number] = end
            kept.append((number, start, end))
    return sorted(kept, key=lambda hit: (hit[1], hit[2], hit[0]))
