"""Law 8: disguise does not help; folding any cut equals folding the whole; every place can be traced back."""

from __future__ import annotations

import time
import timeit
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.confusables import look_alikes
from classifiers.fold import Folding, fold, fold_safe, folding

PIECES = [
    *"ak&;#x1 \n",
    "ﬁ",
    "Ｋ",
    "к",
    "é",
    "e\u0301",
    "か\u3099",
    "が",
    "폭",
    "हि",
    "\u200b",
    "\u00ad",
    "&#107;",
    "&#x6b",
    "&lt;",
]
PIECES += ["&zwnj;", "&bogus;", "\ufdfa", "\U000e0041", "\ud800", "\\u003c", "\\", "½", "🅺", "İ", "ß"]
texts = st.lists(st.sampled_from(PIECES), max_size=14).map("".join) | st.text(max_size=12)
options = st.fixed_dictionaries(
    {name: st.booleans() for name in ("case", "look_alikes", "marks", "zero_width", "entities", "escapes", "decompose")}
)


@pytest.mark.parametrize(
    "disguise",
    [
        "KUMQUAT",
        "ｋｕｍｑｕａｔ",
        "k\u200bu\u200cm\u2060q\ufeffu\u00ada\ufe0ft",
        "\u202ekumquat\u202c",
        "k\x00um\x08quat",
        "кumquаt",
        "𝓀𝓊𝓂𝓆𝓊𝒶𝓉",
        "𝕜𝕦𝕞𝕢𝕦𝕒𝕥",
        "ⓚⓤⓜⓠⓤⓐⓣ",
        "🅺🆄🅼🆀🆄🅰🆃",
        "ᴋᴜᴍqᴜᴀᴛ",
        "ᏦUᎷQUᎪᎢ",
        "κυμqυατ",
        "k̶ú̷m̈q̲u̇ã̂ť",
        "&#107;&#x75;&#109q&#0000117;a&#X74;",
        "k&zwnj;um&shy;quat",
        "kum\U000e0041\U000e007fquat",
    ],
)
def test_disguise_does_not_help(disguise: str) -> None:
    assert fold(disguise).text == "kumquat"


def test_what_is_a_letter_stays() -> None:
    for text in ("हिंदी में कि", "ที่นี่", "がぎぐ", "폭탄 각", "بِسْم", "தமிழ்"):
        assert fold(text).text == text
        assert fold(text, decompose=True).text == unicodedata.normalize("NFD", text)


def test_each_option_alone() -> None:
    text = "Ｋé\u200bк&lt;\\u003c"
    nothing = {"case": False, "look_alikes": False, "marks": False, "zero_width": False, "entities": False}
    assert fold(text, **nothing).text == "Ké\u200bк&lt;\\u003c"
    assert fold(text, **nothing | {"case": True}).text == "ké\u200bк&lt;\\u003c"
    assert fold(text, **nothing | {"marks": True}).text == "Ke\u200bк&lt;\\u003c"
    assert fold(text, **nothing | {"zero_width": True}).text == "Kéк&lt;\\u003c"
    assert fold(text, **nothing | {"look_alikes": True}).text == "Ké\u200bk&lt;\\u003c"
    assert fold(text, **nothing | {"entities": True}).text == "Ké\u200bк<\\u003c"
    assert fold(text, **nothing | {"escapes": True}).text == "Ké\u200bк&lt;<"


def test_entities() -> None:
    assert fold("&lt;&#60;&#60&#x3C;&#X3c").text == "<<<<<"
    assert fold("&amp;lt;").text == "&lt;"  # once, as a browser does
    assert fold("&bogus; &#0; &#x110000; &#; & &#xzz").text == "&bogus; &#0; &#x110000; &#; & &#xzz"
    assert fold("&#" + "0" * 26 + "107;").text == "k"
    assert fold("&#" + "0" * 40 + "107;").text != "k"  # longer than any that is decoded


def test_escapes() -> None:
    assert fold("\\u003cthink\\u003E <\\/\\x74hink> \\u{3c}", escapes=True).text == "<think> </think> <"
    assert fold("\\u00 \\x \\n", escapes=True).text == "\\u00 \\x \\n"


def test_digits_of_other_scripts() -> None:
    assert fold("１２٣৪५", case=False, look_alikes=False, marks=False).text == "12345"


def test_spans_lead_back_to_whole_units_and_what_vanished_behind() -> None:
    text = "x Ｋ&#117;ﬁ\u0301\u200b!"
    folded = fold(text)
    assert folded.text == "x kufi!"
    assert folded.span(2, 3) == (2, 3)
    assert folded.span(3, 4) == (3, 9)
    assert folded.span(4, 5) == (9, 12)  # the ligature is one unit, mark and zero-width space go with it
    assert folded.span(2, 6) == (2, 12)
    assert [folded.index(place) for place in (0, 3, 4, 9, 10, 12, 13)] == [0, 3, 4, 4, 6, 6, 7]


def test_plain_text_keeps_its_places() -> None:
    folded = fold("Plain TEXT & more\n")
    assert folded.text == "plain text & more\n"
    assert folded.span(3, 7) == (3, 7)
    assert fold("Plain\tTEXT").plain


@settings(max_examples=300, deadline=None)
@given(texts, texts, options)
def test_folding_any_cut_equals_folding_the_whole(before: str, after: str, chosen: dict[str, bool]) -> None:
    whole = before + after
    cut = fold_safe(before, escapes=True)
    assert fold(whole[:cut], **chosen).text + fold(whole[cut:], **chosen).text == fold(whole, **chosen).text


@settings(max_examples=200, deadline=None)
@given(texts, options)
def test_every_folded_character_comes_from_its_own_unit(text: str, chosen: dict[str, bool]) -> None:
    folded = fold(text, **chosen)
    assert len(folded.starts) == len(folded.text)
    assert list(folded.starts) == sorted(folded.starts)
    for index in range(len(folded.text)):
        start, end = folded.span(index, index + 1)
        assert folded.text[index] in fold(text[start:end], **chosen).text


@settings(max_examples=200, deadline=None)
@given(texts)
def test_folding_twice_changes_nothing(text: str) -> None:
    once = fold(text, entities=False).text
    assert fold(once, entities=False).text == once


def test_only_an_unfinished_entity_is_unsettled() -> None:
    for text, safe in (("a&", 1), ("a&l", 1), ("a&#10", 1), ("a&#x", 1), ("a&lt;", 5), ("a& ", 3), ("a\\u00", 5), ("e", 1)):
        assert fold_safe(text) == safe
    assert fold_safe("a\\u00", escapes=True) == 1
    assert fold_safe("&" + "a" * 40) == 41
    assert fold_safe("&#" + "1" * 29) == 0


def test_look_alikes_are_single_letters_that_become_ascii() -> None:
    for letter, latin in look_alikes().items():
        assert len(letter) == 1
        assert latin.isascii(), letter
        assert not letter.isascii(), letter


def test_memory_of_characters_is_bounded() -> None:
    greedy = Folding(True, True, True, True, True, False, False)
    greedy("".join(map(chr, range(0x80, 0x20000))))
    assert len(greedy._table) <= 32768


def test_folding_is_linear_on_hostile_text() -> None:
    fold_all = folding(True, True, True, True, True, True, True)

    def seconds(text: str) -> float:
        return min(timeit.repeat(lambda: len(fold_all(text).starts), number=1, repeat=3, timer=time.process_time))

    for piece in ("&", "&#", "&a", "\\u", "e\u0301", "&#1", "\u200b"):
        assert seconds(piece * 40_000) < 60 * max(seconds(piece * 4_000), 1e-4)
