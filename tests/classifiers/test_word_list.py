"""How words and expressions are written: short and full forms, lists by category, files; mistakes with their place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from classifiers.word_list import PatternsOptions, words_of


def read(written: dict[str, Any]) -> PatternsOptions:
    """As the policy loader reads it."""
    return PatternsOptions.model_validate_json(json.dumps(written), strict=True)


def mistakes(written: dict[str, Any]) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as refused:
        read(written)
    return [(detail["loc"], detail["msg"]) for detail in refused.value.errors()]


WRITTEN: list[dict[str, Any]] = [
    {"words": ["kumquat", "detonator"]},
    {"words": {"fruit": ["kumquat", {"text": "Fig", "case_sensitive": True, "score": 0.5}], "other": []}, "category": "x"},
    {"words": [{"text": "a", "category": "b", "whole_word": False, "mask": ""}, "c"]},
    {"expressions": [r"\d+", {"pattern": "a+", "fold": False, "mask": "*"}]},
    {"expressions": {"numbers": [r"\d{3}"]}},
]


@pytest.mark.parametrize("written", WRITTEN)
def test_every_form_is_read_and_read_again(written: dict[str, Any]) -> None:
    once = read(written)
    assert read(once.model_dump(mode="json")) == once


@pytest.mark.parametrize("written", WRITTEN)
def test_the_schema_for_editors_knows_every_form(written: dict[str, Any]) -> None:
    jsonschema.validate(written, PatternsOptions.model_json_schema())


def test_the_schema_for_editors_knows_mistakes() -> None:
    for written in ({"words": [{"txt": "a"}]}, {"words": {"a": "b"}}, {"words": 3}, {"expressions": [{"pattern": 3}]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(written, PatternsOptions.model_json_schema())


def test_lists_by_category() -> None:
    words = read({"words": {"fruit": ["fig", {"text": "pear", "category": "own"}], "tool": ["saw"]}}).words
    assert [(word.text, word.category) for word in words] == [("fig", "fruit"), ("pear", "own"), ("saw", "tool")]


def test_mistakes_have_their_place() -> None:
    assert mistakes({"words": ["a", " "]}) == [(("words", 1, "text"), "Value error, is empty")]
    assert mistakes({"words": {"fruit": ["a", {"txt": "b"}]}})[0][0] == ("words", "fruit", 1, "text")
    assert mistakes({"words": ["x" * 300]})[0][1].startswith("Value error, has 300 characters, at most 256")
    assert mistakes({"words": ["a"], "expressions": ["ok", "a(?=b)"]}) == [
        (
            ("expressions", 1),
            "Value error, look-ahead cannot be used (matching must take linear time), at character 2 of the expression",
        )
    ]
    assert mistakes({"expressions": {"n": ["a*"]}})[0][0] == ("expressions", "n", 0)
    assert mistakes({"words": ["a"], "word": ["b"]})[0] == (("word",), "Extra inputs are not permitted")
    assert mistakes({"words": [{"text": "a", "score": 1.5}]})[0][0] == ("words", 0, "score")
    assert "nothing to look for" in mistakes({})[0][1]


def test_a_file_of_words(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_bytes("\ufeff# fruit\nkumquat\r\n\n  two words  # why\nC\\#\n炸弹".encode())
    assert [word.text for word in words_of(file)] == ["kumquat", "two words", "C#", "炸弹"]
    assert [word.text for word in read({"words": ["fig"], "words_file": str(file)}).all_words()][:2] == ["fig", "kumquat"]


def test_mistakes_in_a_file_have_their_line(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("ok\n" + "x" * 300)
    with pytest.raises(ValueError, match=r"words\.txt:2: has 300 characters"):
        list(words_of(file))
    file.write_bytes(b"ok\nfine\nk\xfcrbis\n")
    with pytest.raises(ValueError, match=r"words\.txt:3: is not UTF-8"):
        list(words_of(file))
    with pytest.raises(OSError, match="gone"):
        list(words_of(tmp_path / "gone.txt"))
