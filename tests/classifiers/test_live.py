"""Live partial matches, against the definition: what has begun, and what more text could still complete, lengthen or undo."""

from __future__ import annotations

import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers import live
from classifiers.expressions import expression
from classifiers.live import Live, prefixes, widened
from classifiers.syntax import parse
from classifiers.tree import longest, source

# Each with a generator of its matches, so that "a beginning of a match" can be had without the code under test.
LANGUAGES = {
    "abc": st.just("abc"),
    "a(b|cd)e": st.sampled_from(["abe", "acde"]),
    "a{2,4}b": st.sampled_from(["aab", "aaab", "aaaab"]),
    "(ab){1,3}": st.sampled_from(["ab", "abab", "ababab"]),
    "a[bc]?é{1,2}": st.sampled_from(["aé", "abé", "acéé"]),
    r"a\bé": st.just("aé"),
    "(?i)aB|c": st.sampled_from(["AB", "ab", "aB", "c"]),
    "(a|ab)(c|bcd)e?": st.sampled_from(["ac", "abcd", "abc", "abbcde", "ace"]),
}
anything = st.lists(st.sampled_from([*"abcdeABx ", "é"]), max_size=8).map("".join)


@st.composite
def begun(draw: st.DrawFn) -> tuple[str, str, int]:
    """A pattern, a text whose end begins a match of it, and where."""
    pattern = draw(st.sampled_from(sorted(LANGUAGES)))
    match = draw(LANGUAGES[pattern])
    before = draw(anything)
    return pattern, before + match[: draw(st.integers(1, len(match)))], len(before)


def at(patterns: list[str], text: str) -> int | None:
    known = [expression(0, pattern, case_sensitive=True) for pattern in patterns]
    return Live([(each.wide, longest(each.node) or 0) for each in known]).start(text)


@settings(max_examples=200, deadline=None)
@given(begun(), st.lists(st.sampled_from(sorted(LANGUAGES)), max_size=2))
def test_whatever_has_begun_is_live(case: tuple[str, str, int], others: list[str]) -> None:
    pattern, text, start = case
    found = at([pattern, *others], text)
    assert found is not None
    assert found <= start


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(LANGUAGES)), anything)
def test_what_is_live_begins_a_match(pattern: str, text: str) -> None:
    found = at([pattern], text)
    if found is None:
        return
    closure = prefixes(parse(pattern))
    assert closure is not None
    assert re2.compile(source(closure)).fullmatch(text[found:]) or r"\b" in pattern


def test_settled_text_is_not_held() -> None:
    assert at(["abc"], "abcx") is None
    assert at(["abc"], "xxab") == 2
    assert at(["abc"], "xabc") == 1  # what follows may still undo or lengthen it
    assert at([r"\babc"], "xab") is None
    assert at([r"[0-9]{3}-[0-9]{2}"], "tel 123-4") == 4
    assert at([r"[0-9]{3}-[0-9]{2}"], "tel 123-x") is None


def test_the_leftmost_of_several() -> None:
    assert at(["cd", "bcde", "é+"], "abc") == 1
    assert at(["cd", "ééx"], "cééé") == 2


def test_never_further_back_than_the_longest_match() -> None:
    assert at(["ab*c"], "a" + "b" * 2000) == 2001 - 258
    assert at(["a[^x]{0,50}c"], "a" + "b" * 60) is None
    assert at(["a[^x]{0,50}c"], "é" * 9 + "a" + "b" * 50) == 9


def test_too_large_a_closure_is_widened_and_beyond_that_its_length_is_held() -> None:
    known = expression(0, r"\pL{200}\pN{200}", case_sensitive=True)
    closure = live._affordable(known.wide)
    assert closure is not None
    assert source(closure) == source(prefixes(widened(known.wide)) or known.wide)
    huge = expression(0, "|".join(rf"\pL\pN{{4}}\pS{{4}}{word}" for word in ("a", "b", "c", "d", "e", "f") * 8))
    held = Live([(huge.wide, longest(huge.node) or 0)])
    assert held.hold == 10
    assert held.start("x" * 100) == 90
    assert held.start("xy") == 0


def test_many_expressions_make_few_unions() -> None:
    known = [expression(number, rf"\b{chr(97 + number % 26)}{number}[a-z]{{2,9}}\d+") for number in range(300)]
    unions = Live([(each.wide, longest(each.node) or 0) for each in known])
    assert len(unions._unions) <= 8
    assert unions.start("some text, e4ab") == 11
