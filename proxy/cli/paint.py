"""How the command line writes: colours in a terminal, plain text in a pipe, and no line cut or wrapped there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from policies.mistakes import Mistake

MOST_SOURCE = 110  # characters of a source line that are shown around a mistake


def console(stream: IO[str] | None = None) -> Console:
    """A console on `stream` (default: standard output). `NO_COLOR` and `FORCE_COLOR` are heard."""
    return _Console(file=stream or sys.stdout, highlight=False, emoji=False, markup=False, soft_wrap=True)


class _Console(Console):
    """Rich's, which would end the program with exit code 1 where nobody reads to the end: whoever writes knows better."""

    def on_broken_pipe(self) -> None:
        raise  # it is called while the error is handled


def visible(text: str) -> str:
    """`text` with control characters shown as escapes: what stands in a file must not steer a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def painted(*parts: tuple[str, str] | str) -> Text:
    """A line of stretches, each plain or with its style."""
    return Text.assemble(*parts)


def mistake_lines(mistake: Mistake) -> Iterator[Text]:
    """A mistake as a compiler prints it: its place and message, the line of the file, a caret below the column."""
    place = f"{mistake.file}:{mistake.line}:{mistake.column}: "
    yield painted((visible(place), "bold"), visible(mistake.text))
    if not mistake.source.strip():
        return
    first = max(0, mistake.column - 1 - MOST_SOURCE // 2) if len(mistake.source) > MOST_SOURCE else 0
    shown = mistake.source[first : first + MOST_SOURCE]
    before = visible(shown[: mistake.column - 1 - first])
    gutter = f"{mistake.line:5} | "
    yield painted((gutter, "dim"), visible(shown))
    yield painted((" " * (len(gutter) - 2) + "| ", "dim"), " " * cell_len(before), ("^", "red bold"))
