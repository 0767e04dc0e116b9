"""What a classifier sees at a glance is what it says when it looks closer."""

from __future__ import annotations

import asyncio
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.control_tokens import ControlTokens, ControlTokensOptions
from classifiers.finding import Channel, Classifier, Context, Passage
from classifiers.patterns import Patterns
from classifiers.pii import Pii, PiiOptions
from classifiers.word_list import PatternsOptions

PATTERNS = {
    "words": {"words": ["kumquat", "quat jam", "Jam"], "expressions": []},
    "inside words": {"words": ["kumquat", "at"], "whole_word": False},
    "case": {"words": [{"text": "Kum", "case_sensitive": True}, "quat"]},
    "expressions": {"expressions": [r"[a-z]{1,9}@[a-z]{1,9}\.com", r"\bkum\d{2,5}\b", "jam (on|in) "]},
    "both": {"words": ["kumquat"], "expressions": [r"\d{3}-\d{2}-\d{4}", {"pattern": "Jam", "case_sensitive": True}]},
}
PIECES = [
    "kum",
    "quat",
    "Kum",
    "KUM",
    " ",
    "jam",
    "Jam",
    "on ",
    "a",
    "@",
    "b.com",
    "12",
    "345",
    "-67",
    ".",
    "\n",
    "é",
    "&#107;",
    "_",
    "<",
]
PIECES += ["think>", "x" * 70, "jane.doe", "555 "]


@cache
def built(name: str) -> Classifier:
    if name == "pii":
        return Pii(PiiOptions())
    if name == "control_tokens":
        return ControlTokens(ControlTokensOptions())
    return Patterns(PatternsOptions.model_validate(PATTERNS[name]))


@pytest.mark.parametrize("name", [*PATTERNS, "pii", "control_tokens"])
@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=14), share=st.floats(0, 1))
def test_a_glance_agrees_with_a_closer_look(name: str, pieces: list[str], share: float) -> None:
    """Either it sends one to look closer, or nothing starts from `begin` on and it says just what `safe_upto` says."""
    text = "".join(pieces)
    begin = int(share * len(text))
    classifier = built(name)
    settled = classifier.glance(text, begin)  # type: ignore[attr-defined]  # not every classifier has it
    if settled is None:
        return
    assert max(begin, settled) == max(begin, classifier.safe_upto(text))
    passage = Passage(Channel.ANSWER, text, begin, 0, final=False)
    found = asyncio.run(classifier([passage], Context()))[0]
    assert isinstance(found, tuple | list)
    assert [finding for finding in found if finding.start < settled] == []


@pytest.mark.parametrize("name", [*PATTERNS, "pii", "control_tokens"])
def test_plain_prose_is_seen_at_a_glance(name: str) -> None:
    """Otherwise it would be of no use."""
    assert built(name).glance("The mill grinds grain between two stones. ", 30) is not None  # type: ignore[attr-defined]
