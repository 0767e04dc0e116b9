"""Live partial matches: where in a text that still grows something has begun which more text could complete or lengthen.

From an expression R its prefix closure P(R) is made: every beginning of every match, the whole match among them, since a whole
match at the end of the text may yet grow, or be undone by the character that follows. `(?:P1|P2|…)\\z` then finds the leftmost
live start; RE2 runs an expression tied to the end backwards from there, and stops as soon as nothing fits.

    P(c) = c      P(AB) = P(A) | A P(B)      P(A|B) = P(A) | P(B)      P(x{m,n}) = x{0,n-1} P(x)      P(\\b) = nothing

Repeats without a bound stay without one here, and large ones lose theirs where the closure would become too large: that keeps
RE2's automaton small, and finds live starts which the bounds rule out. One further back than the longest match is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import re2

from classifiers.tree import Either, Node, One, Place, Repeat, Row, either, size, source

LARGEST_CLOSURE: Final = 3000  # RE2 instructions, estimated, of one closure; above it large repeats lose their bounds
LARGEST_UNION: Final = 30_000  # the same of one union: larger ones take long to compile
LARGEST_MEMORY: Final = 64 << 20  # bytes that RE2 may use for one union or set, its cache of states included
SMALL_REPEAT: Final = 4  # keeps its bound always


def prefixes(node: Node) -> Node | None:
    """The prefix closure without the empty text; None where nothing is left."""
    match node:
        case One():
            return node
        case Place():
            return None
        case Row(parts):
            return _row(parts)
        case Either(parts):
            begun = [prefix for part in parts if (prefix := prefixes(part)) is not None]
            return either(begun) if begun else None
        case Repeat(part, _, most):
            begun_part = prefixes(part) if most != 0 else None
            if begun_part is None or most == 1:
                return begun_part
            return Row((Repeat(part, 0, None if most is None else most - 1), begun_part))


def _row(parts: Sequence[Node]) -> Node | None:
    """Halved, not peeled one by one, so that a long row nests little."""
    if len(parts) < 2:
        return prefixes(parts[0]) if parts else None
    middle = len(parts) // 2
    first, second = _row(parts[:middle]), _row(parts[middle:])
    begun = [first] if first else []
    if second:
        begun.append(Row((*parts[:middle], second)))
    return either(begun) if begun else None


def widened(node: Node) -> Node:
    """The same with large repeats unbounded: matches more."""
    match node:
        case Repeat(part, least, most, lazy):
            wide = most is None or most > SMALL_REPEAT
            return Repeat(widened(part), min(least, SMALL_REPEAT) if wide else least, None if wide else most, lazy)
        case Row(parts):
            return Row(tuple(widened(part) for part in parts))
        case Either(parts):
            return Either(tuple(widened(part) for part in parts))
        case One() | Place():
            return node


class Live:
    """Finds the leftmost live start of many expressions, given as trees with the length of their longest match in characters.

    Where even the widened closure of an expression is too large, as many characters as its longest match has are held instead.
    """

    def __init__(self, known: Iterable[tuple[Node, int]]) -> None:
        self._unions: list[tuple[Any, int]] = []  # with the longest match of any part
        self.hold = 0
        together: list[Node] = []
        total = reach = 0
        for node, most in sorted(known, key=lambda pair: pair[1]):
            closure = _affordable(node)
            if closure is None:
                self.hold = max(self.hold, most)
                continue
            if together and total + size(closure) > LARGEST_UNION:
                self._add(together, reach)
                together, total = [], 0
            together.append(closure)
            total, reach = total + size(closure), most
        if together:
            self._add(together, reach)

    def _add(self, closures: Sequence[Node], reach: int) -> None:
        options = re2.Options()
        options.max_mem = LARGEST_MEMORY
        options.log_errors = False
        try:
            union = re2.compile(rf"(?:{'|'.join(map(source, closures))})\z", options)
        except re2.error:
            self.hold = max(self.hold, reach)
            return
        union.search(b"")  # RE2 makes the backward program when it is first needed: now
        self._unions.append((union, reach))

    def start(self, text: str) -> int | None:
        """The index in `text` of the leftmost live start, None if there is none."""
        data = text.encode("utf-8", "surrogatepass")
        best = max(0, len(text) - self.hold) if self.hold else len(text)
        for union, reach in self._unions:
            found = union.search(data)
            if found is not None:
                place = found.start()
                if len(data) != len(text):
                    place = len(data[:place].decode("utf-8", "surrogatepass"))
                best = min(best, max(place, len(text) - reach))
        return best if best < len(text) else None


def _affordable(node: Node) -> Node | None:
    for tree, largest in ((node, LARGEST_CLOSURE), (widened(node), LARGEST_UNION)):
        closure = prefixes(tree)
        if closure is not None and size(closure) <= largest:
            return closure
    return None
