"""Expressions in RE2's syntax become trees that mean the same; what cannot be used is refused with its place."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.syntax import PatternError, members, parse
from classifiers.tree import source

PATTERNS = [
    "abc",
    "a|b|",
    "a(?i)b|B",
    "(?i:a(?-i)b)C",
    "(?P<name>a)(?<other>b)?",
    "(?s).a",
    ".a",
    "(?m)^a$",
    "^a$|b",
    "(?U)a+b*?",
    "a+?b??",
    "a{2}b{1,}c{0,2}",
    "a{,2}",
    "{a}",
    r"\Qa.b\E+c",
    r"\Qa|b",
    r"\x61\x{62}\143\.\-\/",
    r"\d\D\s\S\w\W",
    r"\pL\p{Greek}\PN\P{Han}",
    r"\Aa\z",
    r"\ba\B",
    "[]a]",
    "[^]a]b",
    r"[a\]b\-c-]",
    "[[:alpha:][:digit:]_]x",
    "[a[b]",
    r"[\d\pL\x{430}-\x{44f}]",
    r"\a\f\t\n\r\v",
    "((a)(b|(c))+)?",
    "(?i)ß|k",
    "(?i)[a-c]X",
    "é+",
    "(?:)",
    "(?:a||b)",
]
texts = st.lists(st.sampled_from([*"abcABXx.|{},2]-[_ \n", "é", "ß", "ſ", "K", "а", "汉", "\t", "\a"]), max_size=12).map("".join)


def spans(pattern: str, text: str) -> list[tuple[int, int]]:
    return [found.span() for found in re2.compile(pattern).finditer(text)]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PATTERNS), texts)
def test_a_tree_means_what_was_written(pattern: str, text: str) -> None:
    assert spans(source(parse(pattern)), text) == spans(pattern, text)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(PATTERNS), texts)
def test_without_regard_to_case(pattern: str, text: str) -> None:
    assert spans(source(parse(pattern, insensitive=True)), text) == spans(f"(?i){pattern}", text)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("ab(?=c)", "look-ahead cannot be used (matching must take linear time), at character 3"),
        ("(?!c)a", "look-ahead cannot be used (matching must take linear time), at character 1"),
        ("a(?<=c)", "look-behind cannot be used (matching must take linear time), at character 2"),
        ("a(?<!c)", "look-behind cannot be used (matching must take linear time), at character 2"),
        (r"(a)\1", "a back-reference cannot be used (matching must take linear time), at character 4"),
        ("(?P<x>a)(?P=x)", "a back-reference cannot be used (matching must take linear time), at character 9"),
        ("a(b", "missing )"),
        ("ab)", "unexpected )"),
        ("a[b", "missing ]: [b, at character 2"),
        ("a**", "bad repetition operator: **, at character 2"),
        ("a{2000}", "invalid repetition size: {2000}, at character 2"),
        (r"a\C", r"\C (one byte) cannot be used, at character 2"),
        ("a" * 5000, "the expression has 5000 characters, at most 4096 are allowed"),
        ("(" * 100 + "a" + ")" * 100, "groups nest more than 60 deep"),
        (r"\p{Klingon}", r"invalid character class range: \p{Klingon}, at character 1"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_place(pattern: str, said: str) -> None:
    with pytest.raises(PatternError) as refused:
        parse(pattern)
    assert said in str(refused.value)


def test_members_of_a_class() -> None:
    assert members(r"[ab-dё\x{430}-я\n\d[:alpha:]-]") == [
        ("a", "a"),
        ("b", "d"),
        ("ё", "ё"),
        ("а", "я"),
        ("\n", "\n"),
        ("-", "-"),
    ]
    assert members("[^a]") == []
    assert members(r"\d") == []
