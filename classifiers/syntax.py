"""Regular expressions as trees: what RE2 accepts, taken apart so that it can be bounded, folded, and cut into prefixes.

Nothing here matches text. A tree is turned back into RE2's syntax (`source`), and RE2 does the matching. Flags are resolved while
parsing, so every part of a tree means the same wherever it is put. Groups do not capture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import re2

LONGEST_PATTERN: Final = 4096  # characters in one expression
DEEPEST: Final = 60  # groups within groups

_FLAGS: Final = re.compile(r"\(\?([imsU]*)(?:-([imsU]*))?([:)])")
_NAMED: Final = re.compile(r"\(\?P?<[^>]*>")
_CLASS: Final = re.compile(r"\[\^?\]?(?:\[:[^\]]*:\]|\\(?:[pPx]\{[^}]*\}|.)|[^\]\\])*\]", re.S)
_ESCAPE: Final = re.compile(r"\\(?:[0-7]{1,3}|x[0-9A-Fa-f]{2}|x\{[0-9A-Fa-f]+\}|[pP](?:\{[^}]*\}|.)|.)", re.S)
_REPEAT: Final = re.compile(r"(?:([*+?])|\{([0-9]+)(,?)([0-9]*)\})(\??)")
_MEMBER: Final = re.compile(r"\[:[^\]]*:\]|\\(?:[0-7]{1,3}|x[0-9A-Fa-f]{2}|[pPx]\{[^}]*\}|.)|.", re.S)
_NAMED_CHARACTERS: Final = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_QUANTIFIERS: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}


class PatternError(ValueError):
    """An expression that cannot be used; the text says where and why."""


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


def members(class_source: str) -> list[tuple[str, str]]:
    """The characters and ranges `(first, last)` that a class such as `[a-zё]` names one by one; of a negated class none."""
    if not class_source.startswith("[") or class_source.startswith("[^"):
        return []
    tokens = _MEMBER.findall(class_source[1:-1])
    named = [_denoted(token) for token in tokens]
    pairs, at = [], 0
    while at < len(tokens):
        last = at + 2 if tokens[at + 1 : at + 2] == ["-"] and at + 2 < len(tokens) else at
        if named[at] and named[last]:
            pairs.append((named[at], named[last]))
        at = last + 1
    return pairs


def parse(pattern: str, *, insensitive: bool = False) -> Node:
    """The tree of an expression in RE2's syntax. Raises `PatternError`, naming the place where it can."""
    if len(pattern) > LONGEST_PATTERN:
        raise PatternError(f"the expression has {len(pattern)} characters, at most {LONGEST_PATTERN} are allowed")
    _accepted(pattern)
    return _Parser(pattern).whole(frozenset("i") if insensitive else frozenset())


def _accepted(pattern: str) -> None:
    """Raises where RE2 would not take the expression, in words that help."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        raw = error.args[0] if error.args else ""
        reason = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
        for form, name in (("(?=", "look-ahead"), ("(?!", "look-ahead"), ("(?<=", "look-behind"), ("(?<!", "look-behind")):
            if form in reason and form in pattern:
                _refuse(f"{name} cannot be used (matching must take linear time)", pattern.index(form))
        backward = re.search(r"\\[1-9]|\(\?P=", pattern)
        if (backward and "escape sequence" in reason) or "(?P=" in reason:
            _refuse("a back-reference cannot be used (matching must take linear time)", backward.start() if backward else 0)
        quoted = reason.rpartition(": ")[2]
        place = pattern.find(quoted) if quoted else -1
        if place >= 0:
            _refuse(reason, place)
        raise PatternError(reason) from None


def _refuse(reason: str, place: int) -> NoReturn:
    raise PatternError(f"{reason}, at character {place + 1} of the expression")


class _Parser:
    """Reads what RE2 has accepted, so it need not look for mistakes."""

    def __init__(self, pattern: str) -> None:
        self._text, self._at, self._depth = pattern, 0, 0

    def whole(self, flags: frozenset[str]) -> Node:
        return self._group(flags)

    def _group(self, flags: frozenset[str]) -> Node:
        """Up to the closing bracket, which is eaten too. A bare `(?i)` holds to the end of its group."""
        self._depth += 1
        if self._depth > DEEPEST:
            _refuse(f"groups nest more than {DEEPEST} deep", self._at)
        branches: list[list[Node]] = [[]]
        while (here := self._text[self._at : self._at + 1]) not in ("", ")"):
            bare = _FLAGS.match(self._text, self._at)
            if here == "|":
                self._at += 1
                branches.append([])
            elif bare and bare[3] == ")":
                self._at = bare.end()
                flags = _with(flags, bare)
            else:
                branches[-1] += self._repeated(self._atom(flags), flags)
        self._at += 1
        self._depth -= 1
        rows = [parts[0] if len(parts) == 1 else Row(tuple(parts)) for parts in branches]
        return rows[0] if len(rows) == 1 else Either(tuple(rows))

    def _atom(self, flags: frozenset[str]) -> list[Node]:
        text, at = self._text, self._at
        here = text[at]
        if here == "(":
            return [self._bracket(flags)]
        if here == "[":
            found = _CLASS.match(text, at)
            if found is None:
                _refuse("a character class does not end", at)
            self._at = found.end()
            return [One(found.group(), "", "i" in flags)]
        if here == "\\":
            return self._escape(flags)
        self._at = at + 1
        if here == ".":
            return [One("(?s:.)" if "s" in flags else r"[^\n]")]
        if here == "^":
            return [Place("(?m:^)" if "m" in flags else r"\A")]
        if here == "$":
            return [Place("(?m:$)" if "m" in flags else r"\z")]
        return [one(here, insensitive="i" in flags)]

    def _bracket(self, flags: frozenset[str]) -> Node:
        opening = _FLAGS.match(self._text, self._at) or _NAMED.match(self._text, self._at)
        self._at = opening.end() if opening else self._at + 1
        return self._group(_with(flags, opening) if opening and opening.re is _FLAGS else flags)

    def _escape(self, flags: frozenset[str]) -> list[Node]:
        if self._text.startswith(r"\Q", self._at):
            quoted, _, _ = self._text[self._at + 2 :].partition(r"\E")
            self._at = min(len(self._text), self._at + len(quoted) + 4)
            return list(literal(quoted, insensitive="i" in flags).parts)
        found = _ESCAPE.match(self._text, self._at)
        if found is None:
            _refuse("a backslash stands alone", self._at)
        escape = found.group()
        if escape == r"\C":
            _refuse(r"\C (one byte) cannot be used", self._at)
        self._at = found.end()
        if escape in (r"\b", r"\B", r"\A", r"\z"):
            return [Place(escape)]
        character = _denoted(escape)
        return [one(character, insensitive="i" in flags)] if character else [One(escape, "", "i" in flags)]

    def _repeated(self, atoms: list[Node], flags: frozenset[str]) -> list[Node]:
        """The last of `atoms` with whatever repeat follows it."""
        found = _REPEAT.match(self._text, self._at)
        if found is None or not atoms:
            return atoms
        self._at = found.end()
        if found[1]:
            least, most = _QUANTIFIERS[found[1]]
        else:
            least = int(found[2])
            most = int(found[4]) if found[4] else None if found[3] else least
        return [*atoms[:-1], Repeat(atoms[-1], least, most, bool(found[5]) != ("U" in flags))]


def _with(flags: frozenset[str], found: re.Match[str]) -> frozenset[str]:
    return (flags | set(found[1] or "")) - set(found[2] or "")


def _denoted(token: str) -> str:
    """The one character that a literal or escape stands for; empty for `\\d`, `\\pL`, `[:alpha:]` and the like."""
    if len(token) == 1:
        return token
    if token[0] == "[":
        return ""
    kind = token[1]
    if kind in "01234567":
        return chr(int(token[1:], 8))
    if kind == "x":
        return chr(int(token[2:].strip("{}"), 16))
    if kind.isalpha():
        return _NAMED_CHARACTERS.get(kind, "")
    return token[1:]


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


def either(parts: Sequence[Node]) -> Node:
    """Any of `parts`, without a needless layer."""
    return parts[0] if len(parts) == 1 else Either(tuple(parts))
