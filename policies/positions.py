"""Plain data with the place of every key and value kept, so that a mistake can be pointed at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from policies.mistakes import Mistake

Word = None | bool | int | float | str
Plain = None | bool | int | float | str | list[Any] | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A file's name as it is shown, its folder, and its lines."""

    file: str
    folder: Path
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A character of a file; `line` and `column` count from 1."""

    source: Source = field(repr=False)
    line: int
    column: int

    def mistake(self, key: str, message: str, nearest: str = "") -> Mistake:
        """A mistake at this place."""
        lines = self.source.lines
        text = lines[self.line - 1] if 0 < self.line <= len(lines) else ""
        return Mistake(self.source.file, self.line, self.column, key, message, nearest, text)


@dataclass(frozen=True, slots=True)
class Scalar:
    """One word, number, text, boolean or null."""

    place: Place
    value: Word
    weight: int = 1  # nodes within, aliases followed
    height: int = 0  # levels within


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    place: Place
    nodes: tuple[Node, ...]
    weight: int = 1
    height: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping: where the key stands, and its value."""

    key: Place
    node: Node


@dataclass(frozen=True, slots=True)
class Fields:
    """A mapping, in the order it was written."""

    place: Place
    entries: Mapping[str, Entry]
    weight: int = 1
    height: int = 1


Node = Scalar | Items | Fields


def plain(node: Node) -> Plain:
    """The node's data without places: what JSON can hold."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(one) for one in node.nodes]
    return {name: plain(entry.node) for name, entry in node.entries.items()}


def find(node: Node, path: Sequence[str | int], *, key: bool = False) -> Place:
    """The place of the value at `path` (of the key itself with `key`); where a part of the path is missing, its parent's."""
    place = node.place
    for part in path:
        if isinstance(node, Fields) and part in node.entries:
            entry = node.entries[str(part)]
            node, place = entry.node, entry.key if key else entry.node.place
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node.nodes):
            node = node.nodes[part]
            place = node.place
    return place


def node_at(node: Node, path: Sequence[str | int]) -> Node:
    """The node at `path`; raises `KeyError` or `IndexError` where there is none."""
    for part in path:
        if isinstance(node, Fields):
            node = node.entries[str(part)].node
        elif isinstance(node, Items) and isinstance(part, int):
            node = node.nodes[part]
        else:
            raise KeyError(part)
    return node


def dotted(path: Sequence[str | int]) -> str:
    """`rules.harm.on[0]`"""
    parts = [f"[{part}]" if isinstance(part, int) else part for part in path]
    return "".join(part if part.startswith("[") or index == 0 else f".{part}" for index, part in enumerate(parts))
