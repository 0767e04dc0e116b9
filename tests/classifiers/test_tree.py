"""Trees of expressions: how long a match can be, whether it can be empty, how large RE2 makes it."""

from __future__ import annotations

import pytest

from classifiers.syntax import parse
from classifiers.tree import One, Row, changed, either, literal, longest, may_be_empty, one, size, source


@pytest.mark.parametrize(
    ("pattern", "length"),
    [("abc", 3), ("a|bcd|", 3), (r"\ba{2,5}$", 5), ("(ab){3}c?", 7), ("a*", None), ("(a+){2}", None), ("(?:^)*", 0), ("x{0}", 0)],
)
def test_longest(pattern: str, length: int | None) -> None:
    assert longest(parse(pattern)) == length


@pytest.mark.parametrize(
    ("pattern", "empty"),
    [
        ("a", False),
        ("a|", True),
        ("a?b", False),
        (r"\b$", True),
        ("(a|b*){2}", True),
        ("a{0}", True),
        ("(a?b){1,}", False),
        ("", True),
    ],
)
def test_may_be_empty(pattern: str, empty: bool) -> None:
    assert may_be_empty(parse(pattern)) is empty


def test_sources_are_short_and_stand_alone() -> None:
    assert source(parse("abc", insensitive=True)) == "(?i:abc)"
    assert source(parse("a.c|d+?")) == r"a[^\n]c|(?:d)+?"
    assert source(Row((either([one("a"), one("b")]), one("c")))) == "(?:a|b)c"
    assert source(literal("1.+\0", insensitive=True)) == r"1\.\+\x00"


def test_changed_touches_only_characters() -> None:
    doubled = changed(parse(r"\ba{2}|(b)c"), lambda single: Row((single, single)))
    assert source(doubled) == r"\b(?:aa){2}|bbcc"


def test_size_grows_with_repeats() -> None:
    assert size(parse("a")) < size(parse("a{9}")) < size(parse("[^a]{9}")) < size(parse(r"\pL{9}"))
    assert size(One("a", "a")) == 1
