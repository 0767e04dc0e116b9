"""Folding: disguised text and plain text become the same text, and every place in it can be traced back.

The folding goes unit by unit: a unit is one character, or one HTML entity, or (with `escapes`) one JSON escape. What a unit
becomes depends on nothing around it, so folding any cut of a text equals folding the whole, as long as no entity is cut in two;
`fold_safe` says where that could happen.

What a character goes through, in this order:

compatibility (always)
    Full-width, circled, mathematical and other compatibility forms become plain ones (NFKD of the one character), decimal digits
    of any script become 0 to 9. What was one letter before stays one letter, unless an option below takes it apart.
`zero_width`
    What takes no room vanishes: format, bidi and control characters, variation selectors, soft hyphens, fillers, tags. Tab and
    line ends stay.
`marks`
    The diacritics of Latin, Greek and Cyrillic vanish. Marks of other scripts are letters there and stay: Hindi vowels, Thai
    tones, the voicing of kana.
`look_alikes`
    Cyrillic, Greek, Cherokee and other letters which look Latin become Latin (`classifiers.confusables`).
`case`
    Case folding.
`entities`
    `&#107;`, `&#x6b;`, `&lt;`, up to 32 characters long, are what they denote; numeric ones without a semicolon too.
`escapes` (off)
    `\\u003c`, `\\x3c` and `\\/`, typed out as in JSON, are what they denote.
`decompose` (off)
    Letters outside Latin, Greek and Cyrillic come in parts (Hangul syllables, voiced kana), as if typed part by part.

For e-mail addresses or card numbers in disguise: `fold(text, case=False, look_alikes=False, marks=False)`.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from html.entities import html5
from typing import Final

from classifiers.confusables import look_alikes as _letters

LONGEST_UNIT: Final = 32
"""Characters in the longest entity or escape that is decoded."""

SIGHT: Final = 32
"""Characters of the original to the left of a place that may bear on it. A unit starting within them can be a whole unit long, so
a reader must keep `SIGHT + LONGEST_UNIT` characters in front of what it judges."""

GAP: Final = "\u200b"
"""Stands for a left neighbour out of sight: no letter, no line end, not the start of the text."""

_ENTITY: Final = r"&(?:#(?:[0-9]{1,29}|[xX][0-9a-fA-F]{1,28});?|[a-zA-Z][a-zA-Z0-9]{1,29};)"
_ESCAPE: Final = r"\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|u\{[0-9a-fA-F]{1,8}\}|/)"
_CUT_ENTITY: Final = r"&(?:#(?:[0-9]{0,29}|[xX][0-9a-fA-F]{0,28})|[a-zA-Z][a-zA-Z0-9]{0,29})?\Z"
_CUT_ESCAPE: Final = r"\\(?:u[0-9a-fA-F]{0,3}|x[0-9a-fA-F]?|u\{[0-9a-fA-F]{0,8})?\Z"
_CUT: Final = {False: re.compile(_CUT_ENTITY), True: re.compile(f"{_CUT_ENTITY}|{_CUT_ESCAPE}")}
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")

# Default_Ignorable_Code_Point of Unicode, and beside it what is invisible too: controls, interlinear annotations, surrogates.
_INVISIBLE: Final = (
    (0x00, 0x08), (0x0E, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xD800, 0xDFFF), (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip

# The blocks of combining diacritical marks, Cyrillic's own, and the Arabic stretching stroke.
_DIACRITICS: Final = (
    (0x300, 0x36F), (0x483, 0x489), (0x640, 0x640), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0x2DE0, 0x2DFF),
    (0xA66F, 0xA66F), (0xA674, 0xA67D), (0xA69E, 0xA69F), (0xFE20, 0xFE2F),
)  # fmt: skip


def fold(
    text: str,
    *,
    case: bool = True,
    look_alikes: bool = True,
    marks: bool = True,
    zero_width: bool = True,
    entities: bool = True,
    escapes: bool = False,
    decompose: bool = False,
) -> Folded:
    """`text` folded, with the way back. The options are the module's."""
    return folding(case, look_alikes, marks, zero_width, entities, escapes, decompose)(text)


def fold_safe(text: str, *, escapes: bool = False) -> int:
    """How much of a growing text folds finally: short of an entity (or escape, where they are decoded) unfinished at its end.

    Folding `text[:fold_safe(text)]` gives a prefix of the folding of `text` with anything after it.
    """
    tail = max(0, len(text) - LONGEST_UNIT)
    if text.find("&", tail) < 0 and not (escapes and text.find("\\", tail) >= 0):
        return len(text)
    cut = _CUT[escapes].search(text, tail)
    return cut.start() if cut else len(text)


class Folded:
    """A folded text and the way back to `source`.

    `starts[i]` is the index in `source` of the unit which `text[i]` came from. `plain`: every character stands in its old place.
    """

    __slots__ = ("_folding", "_gaps", "_starts", "plain", "source", "text")

    def __init__(self, text: str, source: str, folding: Folding | None = None) -> None:
        self.text, self.source, self.plain = text, source, folding is None
        self._folding = folding
        self._starts: Sequence[int] | None = None
        self._gaps: list[int] | None = None

    @property
    def starts(self) -> Sequence[int]:
        if self._starts is None:
            self._starts = self._folding.starts(self.source) if self._folding else range(len(self.text))
        return self._starts

    @property
    def gaps(self) -> list[int]:
        """Indices of `text` whose left neighbour is out of sight: more than `SIGHT` characters of `source` away.

        What starts there is looked at as if a character that is no letter stood in front of it, so that nothing depends on
        text further left.
        """
        if self._gaps is None:
            parted = self._folding is not None and self._folding.may_part(self.source)
            self._gaps = [] if not parted else [index for index in range(len(self.text)) if self.parted(index)]
        return self._gaps

    def parted(self, index: int) -> bool:
        """Whether a gap lies in front of `text[index]`."""
        starts = self.starts
        return starts[index] - (starts[index - 1] if index else 0) > SIGHT

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of `source` behind `text[start:end]` (not empty), whole units, and whatever vanished right after it."""
        if self.plain:
            return start, end
        starts, last = self.starts, end
        while last < len(starts) and starts[last] == starts[end - 1]:
            last += 1
        return starts[start], starts[last] if last < len(starts) else len(self.source)

    def index(self, place: int) -> int:
        """The first index of `text` that came from a unit at `place` of `source` or later."""
        if self._folding is None or place == 0:
            return place
        if self._starts is None and not self._folding.has_units(self.source):
            return len(self._folding(self.source[:place]).text)
        return bisect_left(self.starts, place)


class Folding:
    """One choice of options, ready to fold. Remembers what it learnt about characters, up to a bound."""

    def __init__(
        self, case: bool, look_alikes: bool, marks: bool, zero_width: bool, entities: bool, escapes: bool, decompose: bool
    ) -> None:
        self.case, self._entities, self.escapes = case, entities, escapes
        self._table = _Characters(case, look_alikes, marks, zero_width, decompose)
        forms = [form for form, wanted in ((_ENTITY, entities), (_ESCAPE, escapes)) if wanted]
        self._unit = re.compile("|".join(forms)) if forms else None
        self._controls = zero_width

    def __call__(self, text: str) -> Folded:
        if self.leaves(text):
            return self.plain(text)
        return Folded("".join([piece.translate(self._table) for _, piece, _ in self._pieces(text)]), text, self)

    def plain(self, text: str) -> Folded:
        """The folding of a text which it `leaves`."""
        return Folded(text.lower() if self.case else text, text)

    def leaves(self, text: str) -> bool:
        """Whether this is ASCII with nothing to decode and nothing invisible, so that only case can change."""
        if not text.isascii() or (self._entities and "&" in text) or (self.escapes and "\\" in text):
            return False
        return not self._controls or text.isprintable() or _CONTROL.search(text) is None

    def has_units(self, text: str) -> bool:
        """Whether something in `text` has the form of an entity or escape."""
        return self._unit is not None and self._unit.search(text) is not None

    def may_part(self, text: str) -> bool:
        """Whether `text` could have gaps: units, or as many vanishing characters in a row as are in sight."""
        return self.has_units(text) or any(not self._table[ord(character)] for character in text[::SIGHT])

    def starts(self, text: str) -> list[int]:
        """For each character of the folded text the index in `text` where its unit starts."""
        starts: list[int] = []
        table = self._table
        for place, piece, unit in self._pieces(text):
            if unit:
                starts.extend([place] * len(piece.translate(table)))
                continue
            for at, character in enumerate(piece, place):
                width = len(table[ord(character)])
                if width == 1:
                    starts.append(at)
                elif width:
                    starts.extend([at] * width)
        return starts

    def _pieces(self, text: str) -> list[tuple[int, str, bool]]:
        """The text in order: runs of characters, and single entities or escapes already decoded (True)."""
        if self._unit is None:
            return [(0, text, False)]
        pieces, done = [], 0
        for match in self._unit.finditer(text):
            meaning = _decoded(match.group())
            if meaning is not None:
                pieces += [(done, text[done : match.start()], False), (match.start(), meaning, True)]
                done = match.end()
        pieces.append((done, text[done:], False))
        return pieces


folding = lru_cache(maxsize=64)(Folding)


class _Characters(dict[int, str]):
    """A table for `str.translate` that works out a character when it first meets it.

    Bounded, so that a caller who sends all of Unicode does not fill the memory.
    """

    def __init__(self, case: bool, look_alikes: bool, marks: bool, zero_width: bool, decompose: bool) -> None:
        super().__init__()
        self._case, self._decompose = case, decompose
        self._letters = _letters() if look_alikes else {}
        self._gone = (_INVISIBLE if zero_width else ()) + (_DIACRITICS if marks else ())

    def __missing__(self, code: int) -> str:
        if len(self) >= 32768:
            self.clear()
        self[code] = folded = self._fold(chr(code))
        return folded

    def _fold(self, character: str) -> str:
        letters = self._letters
        parts = [letters.get(part, part) for part in unicodedata.normalize("NFKD", letters.get(character, character))]
        digits = [part if part.isascii() else str(unicodedata.decimal(part, part)) for part in parts]
        kept = "".join([part for part in digits if not any(first <= ord(part[0]) <= last for first, last in self._gone)])
        cased = kept.casefold() if self._case else kept
        return cased if self._decompose else unicodedata.normalize("NFC", cased)


def _decoded(unit: str) -> str | None:
    """What an entity or escape denotes; None where it denotes nothing and stays text."""
    if unit[0] == "\\":
        return "/" if unit[1] == "/" else _character(unit[2:].strip("{}"), 16)
    if unit[1] != "#":
        return html5.get(unit[1:])
    digits = unit[2:].rstrip(";")
    return _character(digits[1:], 16) if digits[0] in "xX" else _character(digits, 10)


def _character(digits: str, base: int) -> str | None:
    code = int(digits, base)
    return chr(code) if 0 < code < 0x110000 else None
