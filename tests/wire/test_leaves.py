"""Every string in a JSON value is a leaf, and most can be replaced where they stand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.finding import Channel
from proxy.wire.leaves import DEEPEST, Leaf, words

TEXTS = st.text(alphabet="ab é", max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


def leaves(value: Any) -> list[Leaf]:
    return list(words("place", {"box": value}, "box", Channel.TOOL))


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, each in value.items() for text in (key, *strings(each))]
    if isinstance(value, list):
        return [text for each in value for text in strings(each)]
    return [value] if isinstance(value, str) else []


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_every_string_once_in_order(value: Any) -> None:
    assert [leaf.text for leaf in leaves(value)] == strings(value)
    assert {leaf.channel for leaf in leaves(value)} <= {Channel.TOOL}


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_replacing(value: Any) -> None:
    """Values change, and nothing else; keys cannot be replaced, and say so."""
    box = {"box": copy.deepcopy(value)}
    for leaf in list(words("place", box, "box", Channel.TOOL)):
        assert leaf.replace(leaf.text + "!") == (leaf.box is not None) == (not leaf.sent)
    assert box["box"] == _marked(value)


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _marked(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_marked(each) for each in value]
    return value + "!" if isinstance(value, str) else value


def test_places() -> None:
    value = {"properties": {"their own name": {"enum": ["x", "y"]}}}
    assert [(leaf.place, leaf.text) for leaf in leaves(value)] == [
        ("place (a key)", "properties"),
        ("place.properties (a key)", "their own name"),
        ("place.properties.* (a key)", "enum"),
        ("place.properties.*.enum[0]", "x"),
        ("place.properties.*.enum[1]", "y"),
    ]


@pytest.mark.parametrize("wrap", [lambda value: [value], lambda value: {"a": value}], ids=["list", "object"])
def test_depth_is_bounded(wrap: Any) -> None:
    value: Any = "deep"
    for _ in range(DEEPEST):
        value = wrap(value)
    assert leaves(value)[-1].text == "deep"
    with pytest.raises(RecursionError):
        leaves(wrap(value))


def test_a_text_that_is_not_sent_can_be_masked_freely() -> None:
    assert Leaf("old reasoning", Channel.PROMPT, 3, "text").replace("other") is True
    assert Leaf("a name", Channel.PROMPT, 3, "text", sent=True).replace("other") is False
