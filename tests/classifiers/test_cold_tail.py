"""The short way through plain text says what the long way says."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.candidates import blank, cold_tail, settled
from classifiers.fold import fold_safe

PIECES = [
    "a",
    "hello",
    "jo.",
    "x@y",
    "12",
    "+",
    "(",
    ")",
    " ",
    "  ",
    "\n",
    "-",
    ".",
    ",",
    "AB",
    "_",
    ":",
    "/",
    "+1 (",
    "é",
    "&#4",
    "z" * 120,
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_the_short_way_says_what_the_long_way_says(text: str) -> None:
    """For any text it takes the short way on."""
    short = cold_tail(text)
    if short is not None:
        assert short == min(fold_safe(text), settled(blank(text)))


def test_plain_prose_goes_the_short_way() -> None:
    """And what may hold an address or a number does not."""
    assert cold_tail("Some words, and then a wor") == 23
    assert cold_tail("Some words. ") == 12
    assert cold_tail("call 555 ") is None
    assert cold_tail("mail jane@") is None
