"""Literals: every occurrence, whole words with and without blanks between them, and what of them is unfinished."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.fold import Folded, fold
from classifiers.literals import Literal, Literals, distinct


def bank(*words: str, whole: bool = False) -> Literals:
    return Literals([Literal(number, word, whole) for number, word in enumerate(words)])


def plain(text: str) -> Folded:
    return Folded(text, text)


small = st.text("abc", max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=5, unique=True), small, st.integers(0, 12))
def test_every_occurrence_is_found(words: list[str], text: str, begin: int) -> None:
    begin = min(begin, len(text))
    expected = {
        (number, start, start + len(word))
        for number, word in enumerate(words)
        for start in range(begin, len(text))
        if text.startswith(word, start)
    }
    assert set(bank(*words).find(plain(text), begin)) == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=5), small)
def test_live_is_the_longest_end_that_begins_a_literal(words: list[str], text: str) -> None:
    starts = [start for start in range(len(text)) if any(word.startswith(text[start:]) for word in words)]
    assert bank(*words).live(plain(text)) == min(starts, default=None)


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("kumquat", "a kumquat.", True),
        ("kumquat", "kumquats", False),
        ("kumquat", "my_kumquat", False),
        ("kumquat", "kumquat2", False),
        ("kumquat", "买kumquat吧", True),
        ("kumquat", "ซื้อkumquatนะ", True),
        ("炸弹", "我要做炸弹吗", True),
        ("ระเบิด", "ทำระเบิดยังไง", True),
        ("бомба", "бомбардир", False),
        ("폭탄", "그 폭탄 은", True),
        ("폭탄", "폭탄을", False),
        ("क", "कि", False),
        ("c++", "use c++17", True),
        ("c++", "objc++", False),
        (".exe", "virus.exe", True),
    ],
)
def test_whole_words(word: str, text: str, found: bool) -> None:
    assert bool(list(bank(word, whole=True).find(plain(text), 0))) is found


def test_a_whole_word_in_the_middle_of_another_is_not_held() -> None:
    words = bank("kumquat", "炸弹", whole=True)
    assert words.live(plain("a kum")) == 2
    assert words.live(plain("akum")) is None
    assert words.live(plain("吃kum")) == 1
    assert words.live(plain("做炸")) == 1
    assert bank("kumquat", whole=False).live(plain("akum")) == 1


def test_a_letter_taken_apart_is_found_whole_or_not_at_all() -> None:
    def found(word: str, text: str) -> bool:
        folded = fold(word, entities=False, decompose=True).text
        return bool(list(bank(folded).find(fold(text, decompose=True), 0)))

    assert found("が", "か\u3099")
    assert not found("か", "が")
    assert not found("ほか", "ほが")
    assert found("폭탄", "\u1111\u1169\u11a8\u1110\u1161\u11ab")
    assert not found("가", "각")


def test_a_word_out_of_sight_of_its_neighbour_stands_alone() -> None:
    near, far = fold("a" + "\u200b" * 31 + "bc"), fold("a" + "\u200b" * 32 + "bc")
    assert list(bank("bc", whole=True).find(near, 0)) == []
    assert list(bank("bc", whole=True).find(far, 0)) == [(0, 33, 35)]
    assert bank("bcd", whole=True).live(near) is None
    assert bank("bcd", whole=True).live(far) == 1


def test_distinct_keeps_the_larger_of_one_pattern() -> None:
    hits = [(0, 3, 5), (0, 2, 6), (1, 3, 5), (0, 2, 6), (0, 4, 8), (1, 3, 4)]
    assert distinct(hits) == [(0, 2, 6), (1, 3, 5), (0, 4, 8)]
