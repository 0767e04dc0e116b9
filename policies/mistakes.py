"""What is wrong with a policy file, said as a compiler says it: where, which key, what, and the nearest right word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `line` and `column` count characters from 1; `key` is the path of the offending key, dotted.

    `nearest` is the word that was probably meant, empty where nothing is near. `source` is the line as it stands in the file.
    """

    file: str
    line: int
    column: int
    key: str
    message: str
    nearest: str = ""
    source: str = ""

    def __str__(self) -> str:
        """`file:line:column: key: message; did you mean 'nearest'?`"""
        return f"{self.file}:{self.line}:{self.column}: {self.text}"

    @property
    def text(self) -> str:
        """The message without its place."""
        key = f"{self.key}: " if self.key else ""
        meant = f"; did you mean '{self.nearest}'?" if self.nearest else ""
        return f"{key}{self.message}{meant}"


class LoadError(Exception):
    """A policy with mistakes does not load. `mistakes` are all of them, in the order of the files' lines."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes: tuple[Mistake, ...] = in_order(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def in_order(mistakes: Iterable[Mistake]) -> tuple[Mistake, ...]:
    """Sorted by file, line and column, each once."""
    return tuple(sorted(dict.fromkeys(mistakes), key=lambda one: (one.file, one.line, one.column)))


OTHER_WORDS = {
    "action": "do",
    "allow": "on_error",
    "categories": "when",
    "channel": "on",
    "channels": "on",
    "classifier": "use",
    "deadline": "within",
    "else": "on_error",
    "errors": "on_error",
    "examples": "tests",
    "inherit": "extends",
    "inherits": "extends",
    "message": "say",
    "min_score": "threshold",
    "parent": "extends",
    "replacement": "mask",
    "score": "threshold",
    "thoughts": "reasoning",
    "timeout": "within",
    "type": "use",
}
"""Keys that other programs use for what ours call otherwise; too far apart in letters to be found by likeness."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of `known` that was probably meant by `word`, or the empty string."""
    choices = {one.casefold(): one for one in known}
    small = word.casefold().replace("-", "_").strip()
    if OTHER_WORDS.get(small) in choices and small not in choices:
        return OTHER_WORDS[small]
    close = difflib.get_close_matches(small, choices, n=1, cutoff=0.6)
    return choices[close[0]] if close else ""


def listed(words: Sequence[str], most: int = 12) -> str:
    """`a, b, c`; long lists are cut."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
