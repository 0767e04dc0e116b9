"""Expressions: bounded, found by RE2 where they are, also where the set of all of them cannot say."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.expressions import LONGEST_MATCH, Expressions, expression, without_places
from classifiers.fold import Folded, fold
from classifiers.syntax import PatternError, parse
from classifiers.tree import longest, source

PATTERNS = ["ab+", r"\bab\b", "(?m)^a", "a$", "[^a]{2,3}b", r"\Ba", "(a|ab)(c|bcd)?", "é+", "a.{0,3}c", r"\W\w", "汉.", "^b"]
texts = st.lists(st.sampled_from([*"abc \n", "é", "汉", "😀", "\ud800"]), max_size=14).map("".join)


def bank(*patterns: str) -> Expressions:
    return Expressions([expression(number, pattern, case_sensitive=True) for number, pattern in enumerate(patterns)])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=4), texts, st.integers(0, 14))
def test_the_same_as_re2_one_by_one(patterns: list[str], text: str, begin: int) -> None:
    begin, clean = min(begin, len(text)), text.replace("\ud800", "\ufffd")  # either is one character of no class used here
    expected = [
        (number, *found.span())
        for number, pattern in enumerate(patterns)
        for found in [*_leftmost(re2.compile(pattern), clean, begin)]
    ]
    assert list(bank(*patterns).find(Folded(clean, clean), begin)) == expected
    assert all(start >= begin for _, start, _ in bank(*patterns).find(Folded(text, text), begin))


def _leftmost(pattern: re2._Regexp, text: str, at: int):  # type: ignore[no-untyped-def]  # re2 has no types
    while found := pattern.search(text, at):
        yield found
        at = found.end()


@pytest.mark.parametrize(
    ("pattern", "bound"),
    [
        ("a+", "(?:a){1,256}"),
        ("a*b", "(?:a){0,256}b"),
        ("a{3,}", "(?:a){3,256}"),
        ("a+?", "(?:a){1,256}?"),
        ("a+b+c+d+e+", "".join(f"(?:{letter}){{1,128}}" for letter in "abcde")),
        (r"(\w+\.)+\w+", r"(?:(?:\w){1,64}\.){1,8}(?:\w){1,64}"),
        ("a{1,999}", "(?:a){1,999}"),
    ],
)
def test_every_repeat_gets_a_bound(pattern: str, bound: str) -> None:
    known = expression(0, pattern, case_sensitive=True)
    assert source(known.node) == bound
    assert (longest(known.node) or 0) <= LONGEST_MATCH
    assert source(known.wide) == source(parse(pattern))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("a*", "matches the empty text"),
        (r"\b", "matches the empty text"),
        ("foo|", "matches the empty text"),
        ("(a{1,900}){2}", "invalid repetition size"),
        ("(((a+)+b)+c)+", "write bounds"),
        ("a{600}b{600}", "more than 1024 characters"),
    ],
)
def test_what_cannot_be_bounded_is_refused_with_the_reason(pattern: str, said: str) -> None:
    with pytest.raises(PatternError, match=said):
        expression(0, pattern)


def test_a_match_longer_than_its_bound_is_found_in_parts() -> None:
    found = list(bank("a+").find(Folded("a" * 600, "a" * 600), 0))
    assert found == [(0, 0, 256), (0, 256, 512), (0, 512, 600)]


def test_left_context_counts_though_judging_starts_later() -> None:
    view = Folded("afoo foo", "afoo foo")
    assert list(bank(r"\bfoo\b").find(view, 1)) == [(0, 5, 8)]
    assert list(bank("^foo").find(view, 1)) == []


def test_out_of_sight_is_neither_a_letter_nor_the_start() -> None:
    far = "\u200b" * 40
    assert list(bank(r"\bfoo").find(fold("a" + far + "foo"), 0)) == [(0, 41, 44)]
    assert list(bank("^foo", "(?m)^foo", r"\Bfoo").find(fold("\n" + far + "foo"), 0)) == []
    assert list(bank("oo|foo").find(fold("f" + far + "foo"), 0)) == [(0, 41, 44)]
    assert list(bank("f+o").find(fold("f" + far + "fo"), 0)) == [(0, 0, 43)]
    assert bank(r"\bfood").live(fold("a" + far + "foo")) == 1
    assert bank(r"\bfood").live(fold("afoo\u200b")) is None


class Exhausted:
    """RE2's set as it answers when its memory is used up."""

    def Match(self, data: bytes) -> list[int]:  # noqa: N802  # RE2's name
        return []


def test_an_exhausted_set_hides_nothing() -> None:
    """RE2's set answers "nothing" when its memory is used up. That is not taken for an answer."""
    tight = bank("ab", "cd")
    tight._present._set = Exhausted()
    assert list(tight.find(Folded("xcd", "xcd"), 0)) == [(1, 1, 3)]


def test_a_set_too_large_for_its_memory_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifiers.expressions.LARGEST_MEMORY", 1 << 17)
    many = bank(*[f"x{number}[^y]{{0,40}}[a-m]{{20}}{number}z" for number in range(20)])
    assert many._present._halves
    hit = "x7" + "q" * 30 + "a" * 20 + "7z and x19" + "b" * 20 + "19z"
    assert list(many.find(Folded(hit, hit), 0)) == [(7, 0, 54), (19, 59, 85)]


def test_without_places_finds_more() -> None:
    assert source(without_places(parse(r"^a(\bb|c$)*"))) == "a(?:b|c)*"
