"""Words and expressions in any disguise, at their exact places, however the text was cut."""

from __future__ import annotations

import asyncio
import random
import time
import timeit
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from classifiers.finding import Channel, Classifier, Context, Finding, Passage, Unjudged
from classifiers.patterns import Patterns
from classifiers.registry import Registry
from classifiers.word_list import PatternsOptions
from tests.classifiers.growing import cut, piece_by_piece, whole


def patterns(**options: Any) -> Patterns:
    return Patterns(PatternsOptions(**options))


def seen(classifier: Patterns, text: str) -> list[str]:
    return [text[each.start : each.end] for each in whole(classifier, text)]


# The contract: what is found does not depend on how the text was cut.

PIECES = ["a", "b", "c", "ab", "abc", " ", ".", "\n", "1", "A", "é", "e\u0301", "a\u0301", "\u200b", "\u200b" * 40, "&zwnj;" * 8]
PIECES += [
    "&#97;",
    "&#98",
    "&lt;",
    "&",
    "#",
    "炸",
    "炸弹",
    "か",
    "か\u3099",
    "が",
    "폭",
    "탄",
    "а",
    "с",
    "Ｂ",
    "ﬁ",
    "ß",
    "ि",
    "क",
]
PIECES += ["กิ", "η", "Η", "\ud800", "ﷺ", "_", "-"]
WORDS = [
    "a",
    "ab",
    "abc",
    "b c",
    "aba",
    "炸弹",
    "炸",
    "か",
    "が",
    "폭탄",
    "폭",
    "fi",
    "ss",
    "hη",
    "η",
    "कि",
    "क",
    "กิ",
    "a.b",
    "a1",
]
WORDS += ["&#97", "&lt;", "\u200b"]
EXPRESSIONS = [
    "ab+",
    "a.{0,3}c",
    r"\bab\b",
    r"\Ba",
    "^a",
    "(?m)^a",
    "a$",
    "(?m)a$",
    "[^a]{2,3}b",
    r"\d+[ab]",
    "(a|ab)(c|bcd)?",
    "é",
]
EXPRESSIONS += ["a*b", "(?:ab)+c?", "a+?b", "が+", "[а-я]b", "\u200b+", "&#", "폭", r"\b.b", r"\x{200b}{3}a", "(a+b)+c", r"a\B"]
EXPRESSIONS += [r"\W\w", r"\pL{2}", "[[:alpha:]]1"]

texts = st.lists(st.sampled_from(PIECES), max_size=24).map("".join)
words = st.lists(
    st.fixed_dictionaries({"text": st.sampled_from(WORDS), "whole_word": st.booleans(), "case_sensitive": st.booleans()}),
    max_size=4,
)
expressions = st.lists(
    st.fixed_dictionaries({"pattern": st.sampled_from(EXPRESSIONS), "fold": st.booleans(), "case_sensitive": st.booleans()}),
    max_size=4,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(words, expressions, texts, st.lists(st.integers(0, 400), max_size=6))
def test_how_the_network_cut_it_changes_nothing(
    words: list[dict[str, Any]], expressions: list[dict[str, Any]], text: str, places: list[int]
) -> None:
    assume(words or expressions)
    classifier = patterns(words=words, expressions=expressions)
    assert sorted(piece_by_piece(classifier, cut(text, places)), key=_place) == whole(classifier, text)


def _place(finding: Finding) -> tuple[int, int]:
    return finding.start, finding.end


@settings(max_examples=100, deadline=None)
@given(words, expressions, texts, texts)
def test_what_is_settled_stays(words: list[dict[str, Any]], expressions: list[dict[str, Any]], text: str, more: str) -> None:
    assume(words or expressions)
    classifier = patterns(words=words, expressions=expressions)
    settled = classifier.safe_upto(text)
    assert 0 <= settled <= len(text)
    before = [each for each in whole(classifier, text) if each.start < settled]
    assert [each for each in whole(classifier, text + more) if each.start < settled] == before
    assert all(each.end <= len(text) for each in before)


def test_one_character_at_a_time() -> None:
    classifier = patterns(words=["kumquat", "炸弹"], expressions=[r"\b\d{3}-\d{2}-\d{4}\b"])
    text = "Ein k\u200bumqu&#97;t und 123-45-6789, 大炸\u0301弹! Ｋｕｍｑｕａｔ"
    found = piece_by_piece(classifier, list(text))
    assert [text[each.start : each.end] for each in found] == ["k\u200bumqu&#97;t", "123-45-6789", "炸\u0301弹", "Ｋｕｍｑｕａｔ"]
    assert found == whole(classifier, text)


@pytest.mark.parametrize("neighbour", ["q", "&#113;", "&#0000000000000000000000000113", ".", "\n"])
def test_as_much_context_is_kept_as_bears_on_what_follows(neighbour: str) -> None:
    classifier = patterns(words=["ab"], expressions=[r"\bcd", r"\Bcd", "(?m)^cd"])
    for between in (0, 3, 29, 30, 31, 32, 33, 70):
        for word in ("ab", "cd"):
            text = f"x {neighbour}" + "\u200b" * between + f"{word} y"
            for place in range(len(text)):
                assert piece_by_piece(classifier, cut(text, [place])) == whole(classifier, text), (between, word, place)


# What is found.


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a kumquat.", ["kumquat"]),
        ("KumQuat", ["KumQuat"]),
        ("kumquats", []),
        ("买kumquat吧", ["kumquat"]),
        ("кumquаt", ["кumquаt"]),
        ("k&#117;mquat", ["k&#117;mquat"]),
        ("kumquat\u0301\u200b!", ["kumquat\u0301\u200b"]),
        ("ordinary", []),
        ("", []),
    ],
)
def test_words(text: str, found: list[str]) -> None:
    assert seen(patterns(words=["kumquat", "detonator"]), text) == found


def test_case_sensitive_words_stay_so_and_see_through_disguise() -> None:
    classifier = patterns(words=["Polonium"], case_sensitive=True)
    for text in ("Polonium", "Ｐolonium", "Роlonium", "Pol\u200bonium", "&#80;olonium"):
        assert seen(classifier, text) == [text]
    assert seen(classifier, "polonium POLONIUM ｐolonium") == []
    assert seen(patterns(words=[{"text": "US", "case_sensitive": True}, "it"]), "us US It") == ["US", "It"]


def test_greek_and_russian_words_without_regard_to_case() -> None:
    classifier = patterns(words=["ηλιος", "бомба"])
    text = "ΗΛΙΟΣ, Ηλιος; БОМБА бомбa"
    assert seen(classifier, text) == ["ΗΛΙΟΣ", "Ηλιος", "БОМБА", "бомбa"]


def test_what_folding_would_hide_is_found_as_written() -> None:
    assert seen(patterns(words=["\u202e"]), "a\u202eb") == ["\u202e"]
    assert seen(patterns(words=["&lt;b"]), "x &lt;b y") == ["&lt;b"]
    assert seen(patterns(expressions=["[\u2066-\u2069]+"]), "a\u2066\u2067b") == ["\u2066\u2067"]
    assert seen(patterns(expressions=[r"&\w+;"]), "a &lt; b") == ["&lt;"]


def test_expressions_see_through_disguise_unless_told_not_to() -> None:
    text = "call １２３-４5-6789 or 1\u200b23-45-6789"
    assert seen(patterns(expressions=[r"\d{3}-\d\d-\d{4}"]), text) == ["１２３-４5-6789", "1\u200b23-45-6789"]
    assert seen(patterns(expressions=[{"pattern": r"\d{3}-\d\d-\d{4}", "fold": False}]), text) == []
    assert seen(patterns(expressions=["ab"]), "aB") == ["aB"]
    assert seen(patterns(expressions=[{"pattern": "ab", "case_sensitive": True}]), "aB ab ａb") == ["ab", "ａb"]


def test_each_stretch_once_per_pattern() -> None:
    assert len(whole(patterns(words=["café"]), "café")) == 1
    assert seen(patterns(expressions=["caf."]), "cafe\u0301!") == ["cafe\u0301"]  # the folded match holds the one as written
    assert len(whole(patterns(words=["fig", "fig"], expressions=["fig"]), "fig")) == 1
    assert len(whole(patterns(words=["fig", {"text": "fig", "category": "fruit"}]), "fig")) == 2


def test_what_a_finding_says() -> None:
    classifier = patterns(words={"fruit": [{"text": "fig", "score": 0.25, "mask": "<F>"}]}, expressions=["saw"], category="tool")
    assert classifier.categories == {"fruit", "tool"}
    assert whole(classifier, "fig saw") == [Finding("fruit", 0.25, 0, 3, "<F>"), Finding("tool", 1.0, 4, 7)]


def test_only_what_starts_at_begin_or_later_and_context_still_counts() -> None:
    classifier = patterns(words=["fig"])
    passages = [Passage(Channel.ANSWER, "fig a fig", 4), Passage(Channel.ANSWER, "xfig", 1), Passage(Channel.ANSWER, " fig", 1)]
    answers = asyncio.run(classifier(passages, Context()))
    assert [[(f.start, f.end) for f in answer] for answer in answers if not isinstance(answer, Unjudged)] == [
        [(6, 9)],
        [],
        [(1, 4)],
    ]


def test_a_fault_spoils_one_passage_and_is_not_called_safe() -> None:
    classifier = patterns(words=["fig"])
    passages = [Passage(Channel.ANSWER, None), Passage(Channel.ANSWER, "fig")]  # type: ignore[arg-type]  # a caller's fault
    broken, fine = asyncio.run(classifier(passages, Context()))
    assert broken == Unjudged("error: AttributeError")
    assert fine == (Finding("pattern", 1.0, 0, 3),)


def test_the_registry_builds_it(tmp_path: Path) -> None:
    (tmp_path / "words").write_text("kumquat\n")
    spec = Registry().spec("patterns")
    built = spec.build(spec.options.model_validate({"words_file": tmp_path / "words"}))
    assert isinstance(built, Classifier)
    assert seen(built, "a kumquat") == ["kumquat"]  # type: ignore[arg-type]  # it is one
    assert spec.summary


# How much is held, and how long it takes.


@pytest.mark.parametrize(
    ("text", "settled"),
    [
        ("a kum", 2),
        ("a kumquat", 2),
        ("a kumquats", 10),
        ("akum", 4),
        ("no hit here ", 12),
        ("x 123-4", 2),
        ("R&D a&", 5),
        ("做炸", 1),
    ],
)
def test_text_is_held_from_a_live_start_and_no_further(text: str, settled: int) -> None:
    assert patterns(words=["kumquat", "炸弹"], expressions=[r"\b\d{3}-\d{2}-\d{4}\b"]).safe_upto(text) == settled


def seconds(call: Any, number: int) -> float:
    """Of this process, so that a busy machine does not count."""
    return min(timeit.repeat(call, number=number, repeat=5, timer=time.process_time)) / number


def test_thousands_of_patterns_are_built_and_searched_in_time() -> None:
    """Bounds are some ten times what was measured on a free machine: 0.07 s, and 18 µs."""
    draw = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    many = ["".join(draw.choices(letters, k=draw.randint(5, 12))) for _ in range(5000)]
    began = time.process_time()
    patterns(words=many)
    assert time.process_time() - began < 2
    tails = (r"\d+", r"\w{2,8}\s+x", r".{0,20}z", r"[a-f]+-[0-9]{3}")
    classifier = patterns(words=many, expressions=[rf"\b{word[:4]}{draw.choice(tails)}\b" for word in many[:300]])
    text = "The quick brown fox jumps over the lazy dog and then some more text that is plain ascii, 100 chars!!"
    passages, context = [Passage(Channel.ANSWER, text)], Context()
    assert seconds(lambda: classifier.safe_upto(text), 100) < 200e-6
    assert seconds(lambda: asyncio.run(classifier(passages, context)), 20) < 2e-3


def test_a_long_held_text_costs_no_more_than_a_short_one() -> None:
    classifier = patterns(words=["kumquat"], expressions=[r"\b\d{3}-\d{2}-\d{4}\b"])
    short, long = "lorem ipsum " * 10, "lorem ipsum " * 10_000
    assert seconds(lambda: classifier.safe_upto(long), 200) < 10 * seconds(lambda: classifier.safe_upto(short), 200)


@pytest.mark.parametrize("piece", ["kumquat ", "а", "\u200b", "x" + "\u200b" * 40, "&#107;", "ab", "1-", "汉"])
def test_time_is_linear_on_hostile_text(piece: str) -> None:
    classifier = patterns(words=["kumquat", "kumquat x"], expressions=[r"\b(\w+\.)+\w+@x", "(a|b|ab)+c", r"\b\d+-\d+\b"])

    def search(times: int) -> float:
        return seconds(lambda: whole(classifier, piece * times), 1)

    assert search(8000) < 60 * max(search(800), 1e-4)  # a hundred times were quadratic
