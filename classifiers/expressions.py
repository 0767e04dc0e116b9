"""Regular expressions by the hundred: bounded, folded, found by RE2, never by a backtracking engine.

Which ones occur at all is asked of one `re2.Set`; only those are then looked for one by one. `\\b`, `\\d` and `\\w` know ASCII
only, as RE2 has it: a Chinese neighbour does not hide a match.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import re2

from classifiers.fold import GAP, Folded
from classifiers.literals import Hit
from classifiers.live import LARGEST_MEMORY, Live
from classifiers.syntax import PatternError, parse
from classifiers.tree import Either, Node, One, Place, Repeat, Row, longest, may_be_empty, source

LONGEST_MATCH: Final = 1024  # characters
_BOUNDS: Final = tuple((inner, outer) for outer in (64, 32, 16, 8) for inner in (256, 128, 64, 32, 16))


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression ready for use: `wide` as it was written, `node` with a bound on every repeat."""

    number: int
    wide: Node
    node: Node


def expression(number: int, pattern: str, *, case_sensitive: bool = False) -> Expression:
    """Reads, checks and bounds an expression. Raises `PatternError`."""
    wide = parse(pattern, insensitive=not case_sensitive)
    if may_be_empty(wide):
        raise PatternError("the expression matches the empty text, so it would be found everywhere; make a part of it required")
    return Expression(number, wide, bounded(wide))


def bounded(wide: Node) -> Node:
    """The same with a bound on every repeat, so that no match is longer than `LONGEST_MATCH`. Raises `PatternError`.

    A repeat without a bound gets the largest of 256, 128, … 16 that fits, one that holds other such repeats 64, 32, 16 or 8.
    """
    for inner, outer in sorted(_BOUNDS, key=lambda pair: (-pair[0] * pair[1], -pair[0])):
        node = _limited(wide, inner, outer)
        if (longest(node) or 0) <= LONGEST_MATCH and _compiles(node):
            return node
    raise PatternError(
        f"a match could have more than {LONGEST_MATCH} characters, or its repeats multiply beyond RE2's limit of 1000; "
        "write bounds such as {1,64}, above all on repeats inside repeats"
    )


def _limited(node: Node, inner: int, outer: int) -> Node:
    match node:
        case Repeat(part, least, None, lazy):
            most = inner if longest(part) is not None else outer
            return Repeat(_limited(part, inner, outer), least, max(least, most), lazy)
        case Repeat(part, least, most, lazy):
            return Repeat(_limited(part, inner, outer), least, most, lazy)
        case Row(parts):
            return Row(tuple(_limited(part, inner, outer) for part in parts))
        case Either(parts):
            return Either(tuple(_limited(part, inner, outer) for part in parts))
        case One() | Place():
            return node


def without_places(node: Node) -> Node:
    """The same without conditions on where we stand: finds more, and looks at nothing beside the match."""
    match node:
        case Place():
            return Row()
        case Repeat(part, least, most, lazy):
            return Repeat(without_places(part), least, most, lazy)
        case Row(parts):
            return Row(tuple(without_places(part) for part in parts))
        case Either(parts):
            return Either(tuple(without_places(part) for part in parts))
        case One():
            return node


def _compiles(node: Node) -> bool:
    try:
        _compiled(source(node))
    except re2.error:
        return False
    return True


def _compiled(text: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(text, options)


class Expressions:
    """Expressions over one kind of text, as written or folded. Per expression the leftmost matches that do not overlap."""

    def __init__(self, known: Sequence[Expression]) -> None:
        self.longest = max(longest(each.node) or 0 for each in known)
        self._searches = [_Search(each) for each in known]
        self._live = Live([(each.wide, longest(each.node) or 0) for each in known])
        wide, loose = [each.wide for each in known], [without_places(each.wide) for each in known]
        self._present = _Set(wide)
        self._present_anywhere = self._present if loose == wide else _Set(loose)

    def find(self, view: Folded, begin: int) -> Iterator[Hit]:
        """All hits that start at `begin` or later, an index of the original."""
        data = view.text.encode("utf-8", "surrogatepass")
        present = self._present_anywhere if view.gaps else self._present
        for which in present.match(data):
            yield from self._searches[which].hits(view, data, begin)

    def quiet(self, text: str, begin: int) -> int | None:
        """For plain text: where the leftmost live match starts, else its length; None if anything is found."""
        view = Folded(text, text)
        for _ in self.find(view, begin):
            return None
        live = self.live(view)
        return len(text) if live is None else live

    def live(self, view: Folded) -> int | None:
        """Where in the text the leftmost unfinished or unsettled match starts; from every gap on it is looked at apart, too."""
        start = self._live.start(view.text)
        if not view.gaps:
            return start
        starts = [start]
        for gap in view.gaps[bisect_left(view.gaps, len(view.text) - self.longest) :]:
            apart = self._live.start(GAP + view.text[gap:])
            starts.append(None if apart is None else gap + max(0, apart - 1))
        return min((start for start in starts if start is not None), default=None)


class _Set:
    """Tells in one pass which of many expressions occur; their repeats unbounded, which keeps the automaton small."""

    def __init__(self, nodes: Sequence[Node], first: int = 0) -> None:
        self._numbers = range(first, first + len(nodes))
        self._set: Any = None
        self._halves: tuple[_Set, ...] = ()
        options = re2.Options()
        options.max_mem = LARGEST_MEMORY
        options.log_errors = False
        whole = re2.Set.SearchSet(options)
        for node in nodes:
            whole.Add(source(node))
        whole.Add("")  # always there: an answer without it means that the set ran out of memory
        try:
            whole.Compile()
            self._set = whole
        except re2.error:
            middle = len(nodes) // 2
            if middle:
                self._halves = (_Set(nodes[:middle], first), _Set(nodes[middle:], first + middle))

    def match(self, data: bytes) -> Sequence[int]:
        """The numbers of those which occur, in order; all, where the set cannot know."""
        if self._halves:
            return [number for half in self._halves for number in half.match(data)]
        present: list[int] = self._set.Match(data) if self._set else []
        if len(present) == 1:
            return ()
        return [self._numbers[which] for which in sorted(present)[:-1]] if present else self._numbers


class _Search:
    """One expression. RE2 counts bytes, we count characters."""

    def __init__(self, known: Expression) -> None:
        self._number, self._longest = known.number, longest(known.node) or 0
        self._pattern = _compiled(source(known.node))
        self._looks_left = source(without_places(known.node)) != source(known.node)

    def hits(self, view: Folded, data: bytes, begin: int) -> Iterator[Hit]:
        at, cursor = view.index(begin), _Cursor(view.text, data)
        gaps = iter([gap for gap in view.gaps if gap >= at] if self._looks_left else ())
        gap, found = next(gaps, None), self._leftmost(cursor, at)
        while found is not None or gap is not None:
            if gap is not None and (found is None or gap <= found[0]):
                apart = self._apart(view.text, gap) if gap >= at else None
                if apart is None and found is not None and found[0] == gap:
                    found = self._leftmost(cursor, gap + 1)
                gap = next(gaps, None)
                if apart is None:
                    continue
                found = apart
            if found is None:
                continue
            start, end = view.span(*found)
            yield self._number, start, end
            at = view.index(end)
            found = self._leftmost(cursor, at)

    def _apart(self, text: str, gap: int) -> tuple[int, int] | None:
        """A match at a gap, its left neighbour out of sight."""
        found = self._pattern.match(GAP + text[gap : gap + self._longest + 2], 1)
        return None if found is None else (gap, gap + found.end() - 1)

    def _leftmost(self, cursor: _Cursor, at: int) -> tuple[int, int] | None:
        found = self._pattern.search(cursor.data, cursor.byte(at))
        return None if found is None else cursor.characters(*found.span())


class _Cursor:
    """Translates between characters and bytes, moving on with the search so that a whole scan is one pass."""

    def __init__(self, text: str, data: bytes) -> None:
        self.data = data
        self._text, self._ascii = text, len(data) == len(text)
        self._at = self._byte = 0

    def byte(self, at: int) -> int:
        """The byte where character `at` starts; `at` never moves back."""
        if self._ascii:
            return at
        self._byte += len(self._text[self._at : at].encode("utf-8", "surrogatepass"))
        self._at = at
        return self._byte

    def characters(self, start: int, end: int) -> tuple[int, int]:
        """Byte offsets behind the last `byte(at)` as characters."""
        if self._ascii:
            return start, end
        first = self._at + len(self.data[self._byte : start].decode("utf-8", "surrogatepass"))
        return first, first + len(self.data[start:end].decode("utf-8", "surrogatepass"))
