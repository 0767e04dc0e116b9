"""Where personal data may stand: bounded stretches of a text around digits and `@`, found in one pass.

Recognizers are slow, some are worse than linear, and text is long. So they see candidates only, each with a little text before
it, and which stretch they see depends on the text nearby alone: never on where the text was cut.

An *atom* is a run of letters, digits, underscores and colons; one with a digit in it is hot. A *run* is hot atoms in a row with
no more between them than what numbers are written with: `+1 (555) 123-4567`, `GB29 NWBK 6016 1331 9268 19`, `10.0.0.1`. An
address candidate is what may stand around an `@`. Chinese, Japanese and Korean characters end both.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

CONTEXT = 100
"""Characters before a candidate in which words such as `ssn` or `phone` count."""
SHORT = 160
"""A run up to this long is judged as one; a longer one atom by atom, `WINDOW` characters at a time."""
WINDOW = 48
"""The longest number in groups, an IBAN, has 42 characters."""
LONGEST_ATOM = 96
"""An atom longer than that is no number, address or wallet (the longest are bech32's, 90)."""
LOCAL, DOMAIN = 128, 255
"""The most that is looked at on each side of an `@` (RFC 5321 allows 64 and 255)."""
NEAR = 272
"""A run or an address that may go on has something hot in the last so many characters."""
LOOKBACK = SHORT + LONGEST_ATOM + CONTEXT + 32

_CJK = (
    r"\u1100-\u11ff\u2e80-\u303f\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    r"\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f\uff61-\uffdc"
)
_BLANKED = re.compile(f"[{_CJK}\U00020000-\U0003fffd]")
_INVISIBLE = (
    r"\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_DRAWN_OUT = re.compile(f"[{_INVISIBLE}]{{17,}}")
_DIGITS = r"\d@＠﹫²³¹⁰⁴-⁹₀-₉①-⓿❶-➓"
_HOT_ASCII = re.compile(r"[0-9@]|&[#a-zA-Z]")
_HOT = re.compile(rf"[{_DIGITS}]|&[#a-zA-Z]")
_NEAR_ASCII = re.compile(r"[0-9@&\x00-\x08\x0e-\x1f\x7f]")
_NEAR = re.compile(f"[{_DIGITS}&{_INVISIBLE}]")
_DIGIT = re.compile(r"[0-9]")
_JOIN = r"[ \-.()/+–‐−]{1,3}"
_GAP = re.compile(f"{_JOIN}(?:[A-Z]{{1,5}}{_JOIN}){{0,2}}")
_LONGEST_GAP = 19
_GROWING_GAP = re.compile(f"(?:{_JOIN}[A-Z]{{1,5}}){{0,2}}{_JOIN}")
_HOT_ATOM = re.compile(r"(?<![\w:])(?:[^\W0-9]|:)*+[0-9][\w:]*+")  # possessive: each word is read once
_ATOM_BACK = re.compile(r"[\w:]{0,97}")
_ATOM = re.compile(r"[\w:]*")
_LOCAL_BACK = re.compile(rf"[\w!#$%&'*+\-/=?^`{{|}}~.]{{0,{LOCAL}}}")
_DOMAIN = re.compile(rf"[\w.\-]{{0,{DOMAIN}}}")
_WORD_BACK = re.compile(rf"[^\s\"<>,;()\[\]{_CJK}]{{0,{LOCAL}}}")
_LETTERS_ONLY = re.compile(r"[\d@]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """text[start:end] may hold personal data, judged together with `slice` which begins at `left`.

    Findings count if they start in text[start:until].
    """

    start: int
    until: int
    end: int
    left: int
    slice: str
    address: bool = False


def hot(text: str, begin: int = 0) -> bool:
    """Whether anything from `begin` on may be part of personal data, in any disguise."""
    return (_HOT_ASCII if text.isascii() else _HOT).search(text, begin) is not None


def unveil(text: str) -> str:
    """The text with spaces in place of more than 16 invisible characters in a row, which are no disguise but a gap."""
    return text if text.isascii() and text.isprintable() else _DRAWN_OUT.sub(lambda match: " " * len(match.group()), text)


def blank(text: str) -> str:
    """The text with a space in place of each Chinese, Japanese or Korean character, so that words end there."""
    return text if text.isascii() else _BLANKED.sub(" ", text)


def addresses(text: str, begin: int) -> Iterator[Candidate]:
    """A candidate per `@`. `text` is blanked."""
    at = text.find("@", begin)
    while at >= 0:
        start, end = _local(text, at), _end(_DOMAIN, text, at + 1)
        if start < at and at + 1 < end:
            yield Candidate(start, end, end, start, text[start:end], address=True)
        at = text.find("@", at + 1)


def numbers(text: str, begin: int) -> Iterator[Candidate]:
    """Candidates among runs of hot atoms which reach beyond `begin`. `text` is blanked."""
    for run in runs(text, max(0, begin - LOOKBACK)):
        if run[-1][1] <= begin:
            continue
        start, end = _signs(text, run[0][0]), run[-1][1]
        if end - start <= SHORT:
            yield _candidate(text, start, end, end)
            continue
        for index, (first, last) in enumerate(run):
            if last > begin:
                window = max([stop for _, stop in run[index : index + WINDOW] if stop <= first + WINDOW], default=last)
                yield _candidate(text, _signs(text, first), last, window)


def runs(text: str, begin: int) -> Iterator[list[tuple[int, int]]]:
    """The runs of hot atoms, each as the places of its atoms."""
    run: list[tuple[int, int]] = []
    for atom in _hot_atoms(text, begin):
        if run and not (atom[0] - run[-1][1] <= _LONGEST_GAP and _GAP.fullmatch(text, run[-1][1], atom[0])):
            yield run
            run = []
        run.append(atom)
    if run:
        yield run


def cold_tail(text: str) -> int | None:
    """`settled` for the usual text, at a fraction of its cost: short of its last word, as nothing near its end is hot.

    None where one has to look closer: at what is hot, and at what may be drawn out by invisible characters.
    """
    if (_NEAR_ASCII if text.isascii() else _NEAR).search(text, max(0, len(text) - NEAR)):
        return None
    return len(text) if text[-1:].isspace() else _word(text)


def settled(text: str) -> int:
    """How much of a blanked text is settled although more will follow: short of the last word and of a run that may go on."""
    atom = len(text) - _back(_ATOM_BACK, text, len(text))
    safe = min(_word(text), _address_settled(text))
    if len(text) - atom <= LONGEST_ATOM:
        safe = min(safe, _signs(text, atom))
    return min(safe, _run_settled(text))


def _word(text: str) -> int:
    """Where the last word begins, with the signs before it; of a very long word where its end begins."""
    return _signs(text, len(text) - _back(_WORD_BACK, text, len(text)))


def _run_settled(text: str) -> int:
    """Where the run at the end of the text begins, or its first atom that can still change."""
    digit = _DIGIT.search(text[-NEAR:][::-1])
    end = _end(_ATOM, text, len(text) - digit.start() - 1) if digit else -1
    if end < 0 or not _may_go_on(text, [(end, end)]):
        return len(text)
    last = next(iter(deque(runs(text, max(0, len(text) - LOOKBACK - _LONGEST_GAP)), maxlen=1)), None)
    if not last or not _may_go_on(text, last):  # what looked like an atom was too long for one
        return len(text)
    if last[-1][1] == len(text):  # it grows, and may grow too long to count
        last = last[:-1] or last
    if last[-1][1] - _signs(text, last[0][0]) <= SHORT:
        return _signs(text, last[0][0])
    return next(_signs(text, first) for first, _ in last if first + WINDOW + 1 > len(text) or first == last[-1][0])


def _may_go_on(text: str, run: list[tuple[int, int]]) -> bool:
    """Whether the run reaches the end, or only a gap and the beginning of an atom lie between."""
    rest = len(text) - run[-1][1]
    if rest == 0:
        return True
    atom = _back(_ATOM_BACK, text, len(text))
    gap = rest - atom
    if gap > _LONGEST_GAP or atom > LONGEST_ATOM:
        return False
    middle = text[run[-1][1] : len(text) - atom]
    return _GAP.fullmatch(middle) is not None if atom else _GROWING_GAP.fullmatch(middle) is not None


def _address_settled(text: str) -> int:
    """Where an address begins whose domain may still grow."""
    tail = _back(_DOMAIN, text, len(text))
    at = len(text) - tail - 1
    return _local(text, at) if at >= 0 and text[at] == "@" and tail < DOMAIN else len(text)


def _candidate(text: str, start: int, until: int, end: int) -> Candidate:
    left = max(0, start - CONTEXT)
    before = _LETTERS_ONLY.sub(" ", text[left:start])
    return Candidate(start, until, end, left, before + text[start:end])


def _hot_atoms(text: str, begin: int) -> Iterator[tuple[int, int]]:
    """The hot atoms that start at `begin` or later and are not too long to count."""
    for match in _HOT_ATOM.finditer(text, begin):
        start, end = match.span()
        if end - start <= LONGEST_ATOM:
            yield start, end


def _signs(text: str, start: int) -> int:
    """`start`, moved left over the signs a number may open with."""
    least = max(0, start - 3)
    while start > least and text[start - 1] in "+(":
        start -= 1
    return start


def _local(text: str, at: int) -> int:
    return at - _back(_LOCAL_BACK, text, at)


def _back(expression: re.Pattern[str], text: str, end: int) -> int:
    """How many characters before `end` the expression, one class repeated, matches."""
    match = expression.match(text[max(0, end - 260) : end][::-1])
    return match.end() if match else 0


def _end(expression: re.Pattern[str], text: str, start: int) -> int:
    match = expression.match(text, start)
    return match.end() if match else start
