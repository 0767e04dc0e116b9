"""Regular expressions as trees: they can be measured, changed, and turned back into RE2's syntax.

Nothing here matches text; RE2 does. Flags are resolved, so every part of a tree means the same wherever it is put. Groups do not
capture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import re2


@dataclass(frozen=True, slots=True)
class One:
    """Exactly one character. `character` is set where only that one (or its other case) will do."""

    source: str
    character: str = ""
    insensitive: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """No character, but a condition on where we stand: `\\b`, `^`, `$` and their kin."""

    source: str


@dataclass(frozen=True, slots=True)
class Row:
    """Parts one after the other; none at all is the empty text."""

    parts: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """Any of these, the first that fits."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`part` at least `least` and at most `most` times; None is without a bound."""

    part: Node
    least: int
    most: int | None
    lazy: bool = False


Node = One | Place | Row | Either | Repeat


def source(node: Node) -> str:
    """The tree in RE2's syntax, safe to stand next to anything."""
    match node:
        case One(text, _, insensitive):
            return f"(?i:{text})" if insensitive else text
        case Place(text):
            return text
        case Row(parts):
            return "".join(_grouped(part) if isinstance(part, Either) else source(part) for part in _runs(parts))
        case Either(parts):
            return "|".join(source(part) for part in parts)
        case Repeat(part, least, most, lazy):
            return f"(?:{source(part)})" + _count(least, most) + ("?" if lazy else "")


def literal(text: str, *, insensitive: bool = False) -> Row:
    """A tree for exactly `text`."""
    return Row(tuple(one(character, insensitive=insensitive) for character in text))


def one(character: str, *, insensitive: bool = False) -> One:
    """A tree for one given character."""
    cased = insensitive and (character.upper() != character or character.lower() != character)
    return One(re2.escape(character), character, cased)


def either(parts: Sequence[Node]) -> Node:
    """Any of `parts`, without a needless layer."""
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def longest(node: Node) -> int | None:
    """Most characters that a match can have; None is without a bound."""
    match node:
        case One():
            return 1
        case Place():
            return 0
        case Row(parts):
            lengths = [longest(part) for part in parts]
            return None if None in lengths else sum(length or 0 for length in lengths)
        case Either(parts):
            lengths = [longest(part) for part in parts]
            return None if None in lengths else max((length or 0 for length in lengths), default=0)
        case Repeat(part, _, most, _):
            each = longest(part)
            return 0 if each == 0 else None if each is None or most is None else each * most


def size(node: Node) -> int:
    """About how many instructions RE2 makes of the tree."""
    match node:
        case One(text, character):
            if character:
                return len(character.encode("utf-8", "surrogatepass"))
            return 300 if "\\p" in text or "\\P" in text else 12 if text[0] in "[(" else 4
        case Place():
            return 1
        case Row(parts) | Either(parts):
            return sum(size(part) + 1 for part in parts)
        case Repeat(part, least, most):
            return (size(part) + 1) * max(least, most or 0, 1)


def may_be_empty(node: Node) -> bool:
    """Whether the empty text could match, conditions on the place left aside."""
    match node:
        case One():
            return False
        case Place():
            return True
        case Row(parts):
            return all(may_be_empty(part) for part in parts)
        case Either(parts):
            return any(may_be_empty(part) for part in parts)
        case Repeat(part, least, _, _):
            return least == 0 or may_be_empty(part)


def changed(node: Node, change: Callable[[One], Node]) -> Node:
    """The tree with every single character replaced by what `change` makes of it."""
    match node:
        case One():
            return change(node)
        case Place():
            return node
        case Row(parts):
            return Row(tuple(changed(part, change) for part in parts))
        case Either(parts):
            return Either(tuple(changed(part, change) for part in parts))
        case Repeat(part, least, most, lazy):
            return Repeat(changed(part, change), least, most, lazy)


def _runs(parts: Iterable[Node]) -> list[Node]:
    """Neighbouring characters of the same case rule as one, which makes sources short."""
    runs: list[Node] = []
    for part in parts:
        last = runs[-1] if runs else None
        if isinstance(part, One) and isinstance(last, One) and part.insensitive == last.insensitive:
            runs[-1] = One(last.source + part.source, "", part.insensitive)
        else:
            runs.append(part)
    return runs


def _grouped(node: Either) -> str:
    return f"(?:{source(node)})"


def _count(least: int, most: int | None) -> str:
    if most is None:
        return {0: "*", 1: "+"}.get(least, f"{{{least},}}")
    return f"{{{least}}}" if least == most else f"{{{least},{most}}}"
