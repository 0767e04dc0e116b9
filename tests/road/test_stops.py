"""Stop sequences end an answer at the same place however it is cut, and hold back only what may be one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.road.stops import Stops
from tests.road.own import pieces

WORDS = st.text(alphabet="abc\n", min_size=1, max_size=4)
STOPS = st.lists(WORDS, min_size=1, max_size=4).map(tuple)
TEXTS = st.text(alphabet="abc\n", max_size=40)
CUTS = st.lists(st.integers(0, 40), max_size=12)


def expected(text: str, stops: tuple[str, ...]) -> tuple[str, bool]:
    """Everything before the first sequence in the text."""
    places = [text.find(stop) for stop in stops if stop in text]
    return (text[: min(places)], True) if places else (text, False)


@given(TEXTS, STOPS, CUTS)
@settings(max_examples=300, deadline=None)
def test_cuts_change_nothing(text: str, stops: tuple[str, ...], cuts: list[int]) -> None:
    for parts in (pieces(text, cuts), list(text), [text]):
        watch = Stops(stops)
        out = "".join([watch.feed(part) for part in parts] + [watch.finish()])
        assert (out, watch.hit) == expected(text, stops)


@given(TEXTS, STOPS)
@settings(max_examples=200, deadline=None)
def test_no_more_is_held_than_may_be_a_beginning(text: str, stops: tuple[str, ...]) -> None:
    watch, out = Stops(stops), ""
    for at, char in enumerate(text):
        out += watch.feed(char)
        if watch.hit:
            break
        held = text[len(out) : at + 1]
        assert not held or any(stop.startswith(held) or held[: len(stop)] == stop for stop in stops)
        assert len(held) < max(len(stop) for stop in stops)


def test_after_a_hit_nothing_comes() -> None:
    watch = Stops(("END",))
    assert watch.feed("one EN") == "one "
    assert watch.feed("D two") == ""
    assert watch.hit
    assert (watch.feed("three"), watch.finish()) == ("", "")


def test_what_was_no_sequence_comes_out() -> None:
    watch = Stops(("###",))
    assert watch.feed("a ##") == "a "
    assert watch.feed("b") == "##b"
    assert watch.feed("#") == ""
    assert (watch.finish(), watch.hit) == ("#", False)
