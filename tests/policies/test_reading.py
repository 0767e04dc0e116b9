"""YAML 1.2's core schema, places that are right, and bounds that hold."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.mistakes import Mistake
from policies.positions import Fields, Items, Node, Source, find, plain
from policies.reading import MOST_BYTES, MOST_NODES, read, read_text


def built(text: str) -> tuple[Node | None, list[Mistake]]:
    mistakes: list[Mistake] = []
    return read_text(text, Source("p.yaml", Path(), tuple(text.split("\n"))), mistakes), mistakes


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True), ("False", False), ("yes", "yes"), ("no", "no"), ("on", "on"), ("Off", "Off"), ("y", "y"),
        ("null", None), ("~", None), ("", None), ("nil", "nil"), ("12", 12), ("-7", -7), ("+3", 3), ("0o17", 15), ("0x1F", 31),
        ("017", 17), ("1_000", "1_000"), ("12:30:45", "12:30:45"), ("0b11", "0b11"), ("0.5", 0.5), (".5", 0.5), ("1e3", 1000.0),
        ("-2.5E-1", -0.25), ("1.2.3", "1.2.3"), ("2001-12-14", "2001-12-14"), ("'true'", "true"), ('"12"', "12"), ("=", "="),
    ],
)  # fmt: skip
def test_plain_words_mean_what_yaml_1_2_says(written: str, meant: object) -> None:
    node, mistakes = built(f"key: {written}\n")
    assert node is not None
    assert plain(node) == {"key": meant}
    assert type(plain(node)["key"]) is type(meant)  # type: ignore[index, call-overload]  # a mapping, as just asserted
    assert mistakes == []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz_", min_size=1, max_size=6), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=6), json_values, max_size=4))
def test_json_is_read_as_json_reads_it(value: dict[str, object]) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    if "﻿" in text or "￾" in text or "￿" in text:
        return  # not characters of YAML
    node, mistakes = built(text)
    assert mistakes == []
    assert node is not None
    assert plain(node) == value


@settings(max_examples=150, deadline=None)
@given(st.text("ab:-[]{}&*!|>'\"#%,? \n\t", max_size=60))
def test_any_text_gives_a_node_or_a_mistake_with_a_place_in_it(text: str) -> None:
    node, mistakes = built(text)
    assert node is not None or mistakes
    lines = text.split("\n")
    for mistake in mistakes:
        assert 1 <= mistake.line <= len(lines) + 1
        assert mistake.column >= 1


def test_places_count_characters_not_bytes() -> None:
    node, _ = built('规则: {名字: [一, "二", 三]}\nb: 1\n')
    assert node is not None
    assert (find(node, ("规则", "名字", 2)).line, find(node, ("规则", "名字", 2)).column) == (1, 19)
    assert (find(node, ("规则", "名字"), key=True).column) == 6
    assert (find(node, ("b", "missing")).line, find(node, ("b",), key=True).column) == (2, 1)


def test_an_alias_is_the_anchored_value() -> None:
    node, mistakes = built("a: &x [prompt, answer]\nb: *x\n")
    assert node is not None
    assert plain(node) == {"a": ["prompt", "answer"], "b": ["prompt", "answer"]}
    assert mistakes == []


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    node, mistakes = built("\n".join(lines))
    assert len(mistakes) == 1
    assert node is None
    assert f"more than {MOST_NODES} values" in mistakes[0].message


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "{a: " * 50_000, "- " * 50_000, "a:\n" + "".join(" " * n + "b:\n" for n in range(1, 60))]
)
def test_depth_is_bounded_and_cheap(text: str) -> None:
    begun = time.monotonic()
    node, mistakes = built(text)
    assert node is None
    assert "nested deeper than 24 levels" in mistakes[-1].message
    assert time.monotonic() - begun < 5


def test_depth_is_bounded_when_aliases_are_followed() -> None:
    node, mistakes = built("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 60)))
    assert "aliases followed" in mistakes[-1].message
    assert node is None


def test_a_key_may_be_an_alias() -> None:
    node, mistakes = built("a: &x key\n*x : 1\n")
    assert mistakes == []
    assert node is not None
    assert plain(node) == {"a": "key", "key": 1}


def test_size_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(b"# " + b"x" * MOST_BYTES)
    mistakes: list[Mistake] = []
    assert read(file, "p.yaml", mistakes) is None
    assert "larger than" in mistakes[0].message


def test_bytes_that_are_not_text_are_pointed_at(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes("name: é\nb: ".encode() + b"\xff\n")
    mistakes: list[Mistake] = []
    assert read(file, "p.yaml", mistakes) is None
    assert [(one.line, one.column, one.message) for one in mistakes] == [(2, 4, "the file is not UTF-8")]


def test_characters_that_yaml_forbids_are_pointed_at() -> None:
    _, mistakes = built("name: a\nb: x\x01y\n")
    assert [(one.line, one.column) for one in mistakes] == [(2, 5)]
    assert "U+0001" in mistakes[0].message


def test_half_a_surrogate_is_no_character() -> None:
    _, mistakes = built('a: "\\ud83d"\n')
    assert [(one.line, one.column, one.key) for one in mistakes] == [(1, 4, "a")]


def test_line_ends_and_a_byte_order_mark_of_other_systems(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: a\r\nrules:\r\n  w: 1\r\n  w: 2\r\n")
    mistakes: list[Mistake] = []
    node = read(file, "p.yaml", mistakes)
    assert isinstance(node, Fields)
    assert [(one.line, one.column, one.source) for one in mistakes] == [(4, 3, "  w: 2")]


def test_lists_and_mappings_keep_their_order() -> None:
    node, _ = built("z: [3, 1, 2]\na: 1\n")
    assert isinstance(node, Fields)
    assert list(node.entries) == ["z", "a"]
    assert isinstance(node.entries["z"].node, Items)
