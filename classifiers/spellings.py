"""How an expression reads in folded text: its own characters folded, in every spelling that folded text may have of them."""

from __future__ import annotations

from typing import Final

import re2

from classifiers.expressions import Expression
from classifiers.fold import Folding, folding
from classifiers.syntax import members
from classifiers.tree import Node, One, changed, either, literal, may_be_empty, one

_LARGEST_RANGE: Final = 512  # characters of a class's range that are folded one by one


def foldings(*, escapes: bool = False) -> tuple[Folding, Folding]:
    """How expressions see a text: folded but for its case, letters whole; and the same with letters in parts."""
    whole = folding(False, True, True, True, True, escapes, False)
    return whole, folding(False, True, True, True, True, escapes, True)


def folded(known: Expression, fold: Folding, parts: Folding) -> Expression | None:
    """The expression as it reads in folded text; None where folding leaves nothing that must be there.

    `parts` folds alike but takes letters apart: a letter is found in either spelling.
    """

    def change(single: One) -> Node:
        if single.character:
            return _spellings(single, fold, parts)
        extra = sorted(_class_folds(single.source, fold))
        return One(f"{single.source[:-1]}{''.join(map(re2.escape, extra))}]", "", single.insensitive) if extra else single

    node, wide = changed(known.node, change), changed(known.wide, change)
    return None if may_be_empty(node) else Expression(known.number, wide, node)


def _spellings(single: One, fold: Folding, parts: Folding) -> Node:
    if single.character.isascii():
        return single
    whole, apart = fold(single.character).text, parts(single.character).text
    ways = {whole, apart}
    if len(apart) == 3 and "\uac00" <= whole <= "\ud7a3":
        ways.add(chr(ord(whole) - (ord(apart[2]) - 0x11A7)) + apart[2])  # a syllable and its last consonant
    if len(whole) == 1 and len(ways) == 1:
        return one(whole, insensitive=single.insensitive)
    return either([literal(way, insensitive=single.insensitive) for way in sorted(ways, key=lambda way: (-len(way), way))])


def _class_folds(text: str, fold: Folding) -> set[str]:
    """What the characters of a class become, where that is one other character."""
    extra: set[str] = set()
    for first, last in members(text):
        if last.isascii() or ord(last) - ord(first) > _LARGEST_RANGE:
            continue
        for code in range(max(0x80, ord(first)), ord(last) + 1):
            become = fold(chr(code)).text
            if len(become) == 1 and become != chr(code):
                extra.add(become)
    return extra
