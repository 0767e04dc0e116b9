"""YAML 1.2 with the place of every key and value kept, and nothing that a policy has no use for.

The parser's events are read one by one, so that size, depth and aliases are bounded before anything is built. Plain words are
resolved by the core schema of YAML 1.2 (section 10.3.2 of its specification): `true` and `false` are booleans; `on`, `off`,
`yes` and `no` are text. Tags, several documents, keys that are not text and a key written twice are mistakes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from policies.mistakes import Mistake
from policies.positions import Entry, Fields, Items, Node, Place, Scalar, Source, Word, dotted

MOST_BYTES = 1 << 20  # a policy is a page or two; long word lists have files of their own
MOST_NODES = 200_000  # after aliases are followed, so that no file can grow when it is read
MOST_DEPTH = 24


def read(path: Path, shown: str, mistakes: list[Mistake]) -> Node | None:
    """Reads the file; None where there was nothing to build. Raises `OSError` where the file cannot be read."""
    with path.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        mistakes.append(
            Mistake(shown, 1, 1, "", f"the file is larger than {MOST_BYTES} bytes; put long word lists in their own files")
        )
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        mistakes.append(Mistake(shown, line, column, "", "the file is not UTF-8"))
        return None
    return read_text(text, Source(shown, path.parent, tuple(re.split(r"\r\n|\n|\r", text))), mistakes)


def read_text(text: str, source: Source, mistakes: list[Mistake]) -> Node | None:
    """Builds the node of `text`; appends to `mistakes`."""
    reader = YAML(typ="safe", pure=True)
    try:
        return _Builder(source, reader.parse(text), mistakes).document()
    except _Stop:
        return None
    except ReaderError as error:
        before = text[: error.position]
        place = Place(source, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        mistakes.append(place.mistake("", f"the character U+{_code(error.character):04X} is not allowed in YAML"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source, mark.line + 1, mark.column + 1) if mark else Place(source, 1, 1)
        mistakes.append(place.mistake("", f"not YAML: {_problem(error)}"))
    except YAMLError as error:
        mistakes.append(Place(source, 1, 1).mistake("", f"not YAML: {type(error).__name__}"))
    return None


def _code(character: Any) -> int:
    return character if isinstance(character, int) else ord(character)


def _problem(error: MarkedYAMLError) -> str:
    said = str(error.problem or error.context or "cannot be read")
    if "'\\t'" in said:
        return "a tab indents this line; YAML indents with blanks"
    if "mapping values are not allowed" in said:
        return "a colon stands inside plain text, or the line is indented too far; put the text in quotes"
    return f"{said} ({error.context})" if error.context and error.context != said else said


class _Stop(Exception):  # noqa: N818  # not an error of its own: the mistake is on the list already
    """Nothing more can be read from this file."""


class _Builder:
    """Builds nodes from events. One builder reads one document once."""

    def __init__(self, source: Source, events: Iterator[Any], mistakes: list[Mistake]) -> None:
        self._source, self._events, self._mistakes = source, events, mistakes
        self._anchors: dict[str, Node] = {}
        self._path: list[str] = []
        self._total = 0

    def document(self) -> Node | None:
        next(self._events)  # the stream starts
        first = next(self._events)
        if not isinstance(first, DocumentStartEvent):
            self._say(Place(self._source, 1, 1), "the file is empty")
            return None
        if first.version not in (None, (1, 2)):
            self._say(self._place(first), "policies are YAML 1.2: leave the %YAML line out")
        node = self._node(next(self._events), 0)
        next(self._events)  # the document ends
        after = next(self._events)
        if isinstance(after, DocumentStartEvent):
            self._say(self._place(after), "a file holds one policy; put the second document in a file of its own")
        return node

    def _node(self, event: Any, depth: int) -> Node:
        place = self._place(event)
        if depth > MOST_DEPTH:
            self._stop(place, f"nested deeper than {MOST_DEPTH} levels")
        if isinstance(event, AliasEvent):
            return self._alias(event, place, depth)
        if event.tag is not None:
            self._say(place, f"tags are not used in policies: leave {event.tag} out and put text in quotes")
        node = self._built(event, place, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _built(self, event: Any, place: Place, depth: int) -> Node:
        if isinstance(event, ScalarEvent):
            self._count(1, place)
            return Scalar(place, self._value(event, place))
        if isinstance(event, SequenceStartEvent):
            return self._items(place, depth)
        if isinstance(event, MappingStartEvent):
            return self._fields(place, depth)
        return self._stop(place, "not YAML: unexpected content")

    def _alias(self, event: AliasEvent, place: Place, depth: int) -> Node:
        known = self._anchors.get(event.anchor)
        if known is None:  # also an alias inside its own anchor, which is not finished yet
            self._stop(place, f"nothing complete is anchored as &{event.anchor}")
        if depth + known.height > MOST_DEPTH:
            self._stop(place, f"nested deeper than {MOST_DEPTH} levels, aliases followed")
        self._count(known.weight, place)
        return known

    def _items(self, place: Place, depth: int) -> Items:
        self._count(1, place)
        nodes: list[Node] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            self._path.append(f"[{len(nodes)}]")
            nodes.append(self._node(event, depth + 1))
            self._path.pop()
        return Items(place, tuple(nodes), *_size(nodes))

    def _fields(self, place: Place, depth: int) -> Fields:
        self._count(1, place)
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            where = self._place(event)
            name = self._name(event, where, depth)
            self._path.append(name)
            node = self._beside(self._node(next(self._events), depth + 1), where)
            if name in entries:
                self._say(where, f"written twice; the first is on line {entries[name].key.line}")
            else:
                entries[name] = Entry(where, node)
            self._path.pop()
        return Fields(place, entries, *_size([entry.node for entry in entries.values()]))

    @staticmethod
    def _beside(node: Node, key: Place) -> Node:
        """Nothing, written after a key, stands at the key; the parser says where the next thing stands."""
        nothing = isinstance(node, Scalar) and node.value is None and node.place.line > key.line
        return Scalar(key, None) if nothing else node

    def _name(self, event: Any, place: Place, depth: int) -> str:
        key = self._node(event, depth + 1)
        if isinstance(key, Scalar) and isinstance(key.value, str):
            if key.value == "<<" and not getattr(event, "style", None):
                self._say(place, "merge keys (<<) are not YAML 1.2; use extends, or an alias for the whole value")
            return key.value
        if isinstance(key, Scalar):
            word = str(getattr(event, "value", key.value))
            self._say(place, f'a key is text: write "{word}" in quotes')
            return word
        self._say(place, "a key is one word, not a list or a mapping")
        return "?"

    def _value(self, event: ScalarEvent, place: Place) -> Word:
        text: str = event.value
        if event.style or event.tag is not None:
            value: Word = text
        else:
            value = resolve(text)
        if isinstance(value, float) and not math.isfinite(value):
            self._say(place, f"{text} is not a number that can be compared; write a finite one, or text in quotes")
            return 0.0
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            self._say(place, "half of a surrogate pair is not a character; write the character itself, or \\U and eight digits")
            return ""
        return value

    def _count(self, nodes: int, place: Place) -> None:
        self._total += nodes
        if self._total > MOST_NODES:
            self._stop(place, f"more than {MOST_NODES} values, aliases followed; put long word lists in their own files")

    def _place(self, event: Any) -> Place:
        return Place(self._source, event.start_mark.line + 1, event.start_mark.column + 1)

    def _say(self, place: Place, message: str) -> None:
        self._mistakes.append(place.mistake(dotted(self._path), message))

    def _stop(self, place: Place, message: str) -> NoReturn:
        self._say(place, message)
        raise _Stop


def _size(nodes: Sequence[Node]) -> tuple[int, int]:
    """Weight and height of what holds `nodes`."""
    return 1 + sum(node.weight for node in nodes), 1 + max((node.height for node in nodes), default=0)


_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]{1,400}|0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def resolve(text: str) -> Word:
    """What an unquoted word means by YAML 1.2's core schema."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text[2:] if base != 10 else text, base)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return float(text) if _FLOAT.fullmatch(text) else text
