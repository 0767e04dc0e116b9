"""Expressions as they read in folded text."""

from __future__ import annotations

import pytest
import re2

from classifiers.expressions import expression
from classifiers.fold import fold
from classifiers.spellings import folded, foldings
from classifiers.tree import source


def in_folded(pattern: str, *, case_sensitive: bool = True) -> str | None:
    known = folded(expression(0, pattern, case_sensitive=case_sensitive), *foldings())
    return None if known is None else source(known.node)


@pytest.mark.parametrize(
    ("pattern", "read"),
    [
        (r"a\d{2}[b-f]", r"a(?:\d){2}[b-f]"),
        ("кот", "kot"),
        ("é", "e"),
        ("ﬁ", "fi"),
        ("[а-в]", "[а-вab]"),
        ("[^а]", "[^а]"),
        ("漢", "漢"),
    ],
)
def test_an_expression_is_folded_too(pattern: str, read: str) -> None:
    assert in_folded(pattern) == read


def test_what_folds_to_nothing_is_left_to_the_text_as_written() -> None:
    assert in_folded("\u200b+") is None
    assert in_folded("a\u200bb") == "ab"


@pytest.mark.parametrize("text", ["폭탄", "\u1111\u1169\u11a8\u1110\u1161\u11ab", "\u1111\u1169\u11a8타\u11ab", "포\u11a8탄"])
def test_letters_in_parts_are_found(text: str) -> None:
    read = in_folded("폭탄")
    assert read is not None
    assert re2.compile(read).fullmatch(fold(text, case=False).text)


@pytest.mark.parametrize(("pattern", "text"), [("が", "か\u3099"), ("バ", "ﾊﾞ"), ("آ", "ا\u0653")])
def test_marked_letters_in_either_spelling(pattern: str, text: str) -> None:
    read = in_folded(pattern)
    assert read is not None
    assert re2.compile(read).fullmatch(fold(text, case=False).text)
