"""Windows give back the upstream's own chunks, put masks in place, and keep no more than they must."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.finding import Channel
from policies.verdict import Mask
from proxy.road.window import Window, merge
from tests.road.own import pieces

TEXT = "".join(chr(0x4E00 + at) for at in range(60))  # every character once
CUTS = st.lists(st.integers(0, 60), max_size=12)
SPANS = st.lists(st.tuples(st.integers(0, 59), st.integers(1, 12)), max_size=6)


def masked(masks: list[Mask], upto: int) -> str:
    out, done = "", 0
    for mask in merge(masks):
        out += TEXT[done : mask.start] + mask.text
        done = mask.end
    return out + TEXT[done:upto]


def settled(upto: int, masks: list[Mask]) -> int:
    """`upto`, moved back from within a mask."""
    for mask in reversed(merge(masks)):
        if mask.start < upto < mask.end:
            upto = mask.start
    return upto


@given(CUTS, CUTS, SPANS, st.integers(0, 20), st.integers(0, 1000))
@settings(max_examples=300, deadline=None)
def test_what_leaves(cuts: list[int], stops: list[int], spans: list[tuple[int, int]], lookback: int, base: int) -> None:
    """Whatever the chunks and whenever they leave: the text with its masks, no character of a masked stretch, and no more."""
    masks = [Mask(start, min(60, start + size), f"<{at}>") for at, (start, size) in enumerate(spans)]
    window = Window(Channel.ANSWER, lookback, base)
    out = ""
    for stop in sorted({*stops, 60}):
        while window.end - base < stop:
            at = window.end - base
            window.feed(next(piece for piece in _from(at, cuts)))
        upto = max(settled(stop, masks), window.base + window.done - base)
        now = [Mask(m.start + base, m.end + base, m.text) for m in masks if window.base + window.done - base <= m.start < upto]
        out += "".join(window.advance(upto + base - window.base, now))
        assert out == masked([m for m in masks if m.start < upto], upto)
    assert window.held == 0
    assert window.end == base + 60


def _from(at: int, cuts: list[int]) -> list[str]:
    return pieces(TEXT[at:], [cut - at for cut in cuts if cut > at])


@given(CUTS, CUTS)
@settings(max_examples=200, deadline=None)
def test_chunks_come_back_as_they_came(cuts: list[int], stops: list[int]) -> None:
    """A place where a piece ends is one where the upstream's ended, or where release stopped."""
    window = Window(Channel.ANSWER, 8)
    chunks = pieces(TEXT, cuts)
    for chunk in chunks:
        window.feed(chunk)
    edges = {len("".join(chunks[:at])) for at in range(len(chunks) + 1)}
    out: list[str] = []
    for stop in sorted({*stops, 60}):
        out += window.advance(stop - window.base)
    assert "".join(out) == TEXT
    assert all(out)
    assert {len("".join(out[:at])) for at in range(len(out) + 1)} == edges | {0, 60} | {stop for stop in stops if stop <= 60}


def test_one_whole_chunk_is_the_same_object() -> None:
    window = Window(Channel.ANSWER, 0)
    window.feed("a chunk")
    assert window.advance(7) == ["a chunk"]
    assert window.advance(7) == []


def test_context_is_kept_and_bounded() -> None:
    window = Window(Channel.ANSWER, 10)
    for number in range(2000):
        window.feed(f"{number:04d} ")
        window.advance(len(window.text))
        assert len(window.text) <= 10 + 256 + 5
        assert window.end == 5 * (number + 1)
        assert window.text.endswith(f"{number:04d} ")
        assert len(window.text) >= min(10, window.end)
    assert window.released == 10_000


def test_passages_know_their_place() -> None:
    window = Window(Channel.ANSWER, 3, base=100)
    window.feed("abc")
    window.advance(3)
    window.feed("defg")
    passage = window.passage(5, final=False)
    assert (passage.text, passage.begin, passage.offset, passage.final) == ("abcde", 3, 100, False)
    assert window.passage(7, True, start=1).text == "abcdefg"


@pytest.mark.parametrize(
    ("lookback", "head", "text", "begin"),
    [
        (0, "<<", "<<gh", 2),  # head and waiting text
        (2, "<<", "<<efgh", 4),  # the context that belongs behind the head
        (99, "<<", "<<cdefgh", 6),  # the head goes straight over into the context: nothing stands there twice
        (0, "<<cd", "<<cdgh", 4),
        (99, "<<cdef", "<<cdefgh", 6),
    ],
)
def test_behind_an_open_finding(lookback: int, head: str, text: str, begin: int) -> None:
    window = Window(Channel.ANSWER, lookback)
    window.feed("a<<cdef")
    window.advance(7)
    window.feed("gh")
    passage = window.behind(head, 1, len(window.text), False)
    assert (passage.text, passage.begin) == (text, begin)
    assert passage.offset + passage.begin == 7  # places of the waiting text are those of the channel


def test_drop_forgets_what_waits() -> None:
    window = Window(Channel.ANSWER, 0)
    window.feed("abc")
    window.advance(1)
    assert window.drop() == "bc"
    assert window.held == 0
    window.feed("d")
    assert window.advance(len(window.text)) == ["d"]


@given(st.lists(st.builds(Mask, st.integers(0, 30), st.integers(31, 40), st.sampled_from("ab"), st.booleans()), max_size=6))
@settings(max_examples=200, deadline=None)
def test_merged_masks_cover_the_same_and_do_not_overlap(masks: list[Mask]) -> None:
    merged = merge(masks)
    assert {at for mask in merged for at in range(mask.start, mask.end)} == {
        at for mask in masks for at in range(mask.start, mask.end)
    }
    assert all(first.end <= second.start for first, second in pairwise(merged))
    assert any(mask.open for mask in merged) == any(mask.open for mask in masks)


def test_masks_that_only_touch_stay_apart() -> None:
    assert merge([Mask(2, 4, "b"), Mask(0, 2, "a")]) == [Mask(0, 2, "a"), Mask(2, 4, "b")]
