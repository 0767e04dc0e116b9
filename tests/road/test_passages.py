"""Passages end where the text says, not where the network cut it."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from policies.policy import Passages
from proxy.road.passages import cut, end_of_passage
from tests.road.own import pieces

SMALL = Passages(first=4, then=8, most=20)
TEXTS = st.text(alphabet="ab .!…。！\n\"'”）」 ", max_size=60)
CUTS = st.lists(st.integers(0, 60), max_size=12)
SIZES = st.builds(Passages, first=st.integers(1, 6), then=st.integers(1, 12), most=st.integers(1, 20))


def grown(text: str, parts: list[str], sizes: Passages) -> list[tuple[int, int]]:
    """The passages of a text that comes in parts, searched as a lane does."""
    seen, start, scanned, spans = "", 0, 0, list[tuple[int, int]]()
    for part in parts:
        seen += part
        while True:
            end, scanned = end_of_passage(seen, start, len(spans), sizes, scanned)
            if end is None:
                break
            spans.append((start, end))
            start = scanned = end
    return [*spans, (start, len(text))] if start < len(text) else spans


@given(TEXTS, CUTS, SIZES)
@example("abcdefg\nmore text", list(range(20)), Passages(first=8, then=8, most=20))
@example("aaaa….  bbbb", list(range(20)), Passages(first=4, then=4, most=20))
@example('aaaa…" bbbb', list(range(20)), Passages(first=4, then=4, most=20))
@settings(max_examples=300, deadline=None)
def test_cuts_change_nothing(text: str, cuts: list[int], sizes: Passages) -> None:
    expected = cut(text, sizes)
    assert grown(text, pieces(text, cuts), sizes) == expected
    assert grown(text, list(text), sizes) == expected


@given(TEXTS, SIZES)
@settings(max_examples=300, deadline=None)
def test_sizes(text: str, sizes: Passages) -> None:
    """Passages follow on one another without a gap; none is larger than the most, and only the last is smaller than its least."""
    spans = cut(text, sizes)
    assert "".join(text[start:end] for start, end in spans) == text
    for index, (start, end) in enumerate(spans):
        least = sizes.first if index == 0 else sizes.then
        assert end - start <= max(sizes.most, least)
        assert end - start >= least or index == len(spans) - 1


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One two. Three four five. Six", ["One two.", " Three four five.", " Six"]),
        ("Version 3.11 is ok. Yes", ["Version 3.11 is ok.", " Yes"]),  # a full stop inside a number ends nothing
        ('He said "stop." Then he went. Ok', ['He said "stop."', " Then he went.", " Ok"]),
        ("你好吗？我很好。谢谢你，再见了朋友们。好", ["你好吗？", "我很好。谢谢你，再见了朋友们。", "好"]),
        ("他说：“好的。”然后他就离开了那里……后来", ["他说：“好的。”", "然后他就离开了那里……", "后来"]),
        ("abcd\nefghijkl\nm", ["abcd\n", "efghijkl\n", "m"]),
        ("abcdefghijklmnopqrstuv", ["abcdefghijklmnopqrst", "uv"]),  # no end in sight: cut at the most
        ("abcdefg hijklmnopqrstuvwxyz", ["abcdefg ", "hijklmnopqrstuvwxyz"]),  # at a blank, where there is one
        ("Wait... what? No", ["Wait...", " what? No"]),
        ("", []),
    ],
)
def test_ends(text: str, parts: list[str]) -> None:
    assert [text[start:end] for start, end in cut(text, SMALL)] == parts


@pytest.mark.parametrize("run", [".", "…", "。", '."', "…”", "!)", "' "])
def test_runs_cost_linear_time(run: str) -> None:
    """Nothing but sentence ends: a guard must not be kept busy by them."""
    sizes = Passages(first=80, then=20_000, most=40_000)
    text = run * (200_000 // len(run))
    began = time.process_time()
    assert "".join(text[start:end] for start, end in cut(text, sizes)) == text
    assert time.process_time() - began < 2
