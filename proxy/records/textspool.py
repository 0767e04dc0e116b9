"""Follows the files of sealed texts: what has been sent to the database, and what still waits on the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from proxy.records.textstore import Kept, TextStore, kept_of

PIECE = 1 << 20
"""Bytes of lines that are read at a time, about; a longer line is read as a whole."""

Position = Mapping[str, int]
"""How many bytes of each day's file have been read, by its name."""


class TextFollower:
    """Reads new lines of all days, since lines may be added to two of them around midnight. All methods raise `OSError`."""

    def __init__(self, store: TextStore, mark: Path) -> None:
        self._store, self._mark = store, mark

    def position(self) -> Position:
        """What is remembered."""
        try:
            said = orjson.loads(self._mark.read_bytes())
            return {str(name): int(offset) for name, offset in said.items()}
        except (FileNotFoundError, orjson.JSONDecodeError, ValueError, TypeError, AttributeError):
            return {}  # what is sent a second time is known by its exchange

    def remember(self, position: Position) -> None:
        """Remembers a position, as a whole or not at all."""
        new = self._mark.with_name(self._mark.name + ".new")
        new.write_bytes(orjson.dumps(dict(position)))
        os.replace(new, self._mark)

    def read(self, position: Position) -> tuple[Sequence[Kept], Position]:
        """The next texts, and the position after them. None, and the same position: all has been read."""
        there = {path.name: path for path in self._store.files()}
        known = {name: _start(path, position) for name, path in there.items()}
        for name, path in there.items():
            start = known[name]
            if path.stat().st_size == start:
                continue
            lines = _lines(path, start)
            if lines:
                found = [kept for kept in map(kept_of, lines) if kept is not None]
                return found, {**known, name: start + sum(map(len, lines))}
        return (), position

    def waiting(self) -> int:
        """Bytes that wait."""
        position = self.position()
        return sum(path.stat().st_size - _start(path, position) for path in self._store.files())


def _start(path: Path, position: Position) -> int:
    """Where to go on; at the beginning of a file that is shorter than it was, and so another one."""
    start = position.get(path.name, 0)
    return start if start <= path.stat().st_size else 0


def _lines(path: Path, start: int) -> list[bytes]:
    """Whole lines from an offset on."""
    with path.open("rb") as file:
        file.seek(start)
        lines = file.readlines(PIECE)
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    return lines
