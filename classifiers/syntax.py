"""Reads regular expressions in RE2's syntax into trees (`classifiers.tree`), to be bounded, folded, and cut into prefixes."""

from __future__ import annotations

import re
from typing import Final, NoReturn

import re2

from classifiers.tree import Either, Node, One, Place, Repeat, Row, literal, one

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

# What other engines can do: what RE2 complains of, how it is written, what it is called.
_BACKTRACKING: Final = (
    ("(?=", r"\(\?=", "look-ahead"),
    ("(?!", r"\(\?!", "look-ahead"),
    ("(?<", r"\(\?<[=!]", "look-behind"),
    ("(?>", r"\(\?>", "an atomic group"),
    ("(?P", r"\(\?P=", "a back-reference"),
    ("escape sequence", r"\\[1-9]", "a back-reference"),
)


class PatternError(ValueError):
    """An expression that cannot be used; the text says where and why."""


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
        for named, form, name in _BACKTRACKING:
            place = re.search(form, pattern)
            if named in reason and place:
                _refuse(f"{name} cannot be used (matching must take linear time)", place.start())
        quoted = pattern.find(reason.rpartition(": ")[2])
        if quoted >= 0:
            _refuse(reason, quoted)
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
