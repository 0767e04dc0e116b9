"""A child changes its parent's rules by name; everything else of it stands in place of the parent's."""

from __future__ import annotations

from pathlib import Path

import pytest

from classifiers.finding import Channel
from policies.inherit import chain_of, effective
from policies.load import check, load
from policies.mistakes import LoadError, Mistake
from policies.policy import Policy
from policies.verdict import Action
from tests.policies.own import registry

PARENT = """\
name: parent
description: the elder
reasoning: show
limits: {choices: 2, tokens: 100}
messages:
  refusal: {en: "No.", zh: "不。"}
  help: {en: "Help."}
rules:
  first: {use: words, words: [alpha], on: [prompt], do: block, threshold: 0.4, within: 1s}
  second: {use: harm, on: [prompt, answer], do: flag, when: {hate: 0.5}, say: help}
tests:
  - {on: prompt, text: alpha, expect: block}
"""


def loaded(folder: Path, child: str, parent: str = PARENT) -> Policy:
    (folder / "parent.yaml").write_text(parent, encoding="utf-8")
    (folder / "child.yaml").write_text(child, encoding="utf-8")
    return load(folder / "child.yaml", registry())


def test_a_rule_is_changed_key_by_key(tmp_path: Path) -> None:
    policy = loaded(tmp_path, "name: child\nextends: parent.yaml\nrules:\n  first: {do: flag, words: [beta]}\n")
    first, second = policy.rules
    assert (first.do, first.options["words"], first.threshold, first.within) == (Action.FLAG, ("beta",), 0.4, 1.0)
    assert (second.name, second.say, dict(second.when)) == ("second", "help", {"hate": 0.5})


def test_new_rules_come_after_the_parents(tmp_path: Path) -> None:
    child = "name: child\nextends: parent.yaml\nrules:\n  zero: {use: words, on: [tool], do: block}\n  first: {on: [tool]}\n"
    policy = loaded(tmp_path, child)
    assert [rule.name for rule in policy.rules] == ["first", "second", "zero"]
    assert policy.rules[0].on == {Channel.TOOL}


def test_off_takes_a_rule_away(tmp_path: Path) -> None:
    policy = loaded(tmp_path, "name: child\nextends: parent.yaml\nrules: {first: off}\n")
    assert [rule.name for rule in policy.rules] == ["second"]


def test_nothing_written_takes_nothing_away(tmp_path: Path) -> None:
    with pytest.raises(LoadError) as caught:
        loaded(tmp_path, "name: child\nextends: parent.yaml\nrules:\n  first:\n")
    assert "write the word off" in str(caught.value)


def test_taking_all_rules_away_must_be_said_in_words(tmp_path: Path) -> None:
    child = "name: child\nextends: parent.yaml\nrules: {first: off, second: off}\n"
    with pytest.raises(LoadError) as caught:
        loaded(tmp_path, child)
    assert "guards_nothing: true" in str(caught.value)
    assert loaded(tmp_path, child + "guards_nothing: true\n").rules == ()


def test_guards_nothing_is_not_inherited(tmp_path: Path) -> None:
    parent = "name: parent\nguards_nothing: true\n"
    assert (
        len(loaded(tmp_path, "name: c\nextends: parent.yaml\nrules: {w: {use: words, on: [prompt], do: flag}}\n", parent).rules)
        == 1
    )
    with pytest.raises(LoadError):
        loaded(tmp_path, "name: c\nextends: parent.yaml\n", parent)


@pytest.mark.parametrize(
    ("name", "near"), [("frist", "first"), ("thirteenth", "")]
)  # fmt: skip
def test_off_for_a_rule_that_is_not_there(tmp_path: Path, name: str, near: str) -> None:
    with pytest.raises(LoadError) as caught:
        loaded(tmp_path, f"name: child\nextends: parent.yaml\nrules:\n  {name}: off\n")
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.column, mistake.key, mistake.nearest) == (4, 3, f"rules.{name}", near)


def test_a_misspelt_rule_is_one_mistake(tmp_path: Path) -> None:
    with pytest.raises(LoadError) as caught:
        loaded(tmp_path, "name: child\nextends: parent.yaml\nrules:\n  secnd: {do: block}\n")
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.key, mistake.nearest) == (4, "rules.secnd", "second")


def test_another_classifier_takes_no_options_of_the_old_one(tmp_path: Path) -> None:
    policy = loaded(tmp_path, "name: child\nextends: parent.yaml\nrules: {first: {use: harm}, second: {use: words}}\n")
    first, second = policy.rules
    assert (first.use, first.do, first.threshold, "words" in first.options) == ("harm", Action.BLOCK, 0.5, False)
    assert (second.use, second.say, dict(second.when)) == ("words", "help", {})


def test_when_and_threshold_stand_in_place_of_each_other(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path,
        "name: child\nextends: parent.yaml\nrules: {first: {when: {words: 0.9}}, second: {threshold: 0.2}}\n",
    )
    first, second = policy.rules
    assert (dict(first.when), first.threshold) == ({"words": 0.9}, 0.5)
    assert (dict(second.when), second.threshold) == ({}, 0.2)


def test_other_keys_replace_and_messages_merge_by_language(tmp_path: Path) -> None:
    policy = loaded(
        tmp_path,
        "name: child\nextends: parent.yaml\nlimits: {choices: 1}\nmessages: {refusal: {zh: '不行。', de: 'Nein.'}}\n",
    )
    assert (policy.most_choices, policy.most_tokens, policy.reasoning) == (1, 32768, "show")
    assert {name: dict(texts) for name, texts in policy.messages.items()} == {
        "refusal": {"en": "No.", "zh": "不行。", "de": "Nein."},
        "help": {"en": "Help."},
    }
    assert policy.message("", "zh") == "不行。"


def test_own_words_are_not_inherited(tmp_path: Path) -> None:
    policy = loaded(tmp_path, "name: child\nextends: parent.yaml\n")
    assert (policy.name, policy.description, policy.tests) == ("child", "", ())
    with pytest.raises(LoadError) as caught:
        loaded(tmp_path, "extends: parent.yaml\n")
    assert [mistake.key for mistake in caught.value.mistakes] == ["name"]


def test_a_circle_is_refused_with_its_chain(tmp_path: Path) -> None:
    rest = "rules: {w: {use: words, on: [prompt], do: flag}}\n"
    for name, parent in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\nextends: {parent}.yaml\n{rest}")
    (mistake,) = check(tmp_path / "a.yaml", registry())
    assert mistake.file == str(tmp_path / "c.yaml")
    assert (mistake.line, mistake.column, mistake.key) == (2, 10, "extends")
    names = [Path(one).name for one in mistake.message.split(": ", 1)[1].split(" → ")]
    assert names == ["a.yaml", "b.yaml", "c.yaml", "a.yaml"]


def test_a_policy_that_extends_itself(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nextends: ./a.yaml\n")
    (mistake,) = check(tmp_path / "a.yaml", registry())
    assert "in a circle" in mistake.message


def test_a_chain_has_an_end(tmp_path: Path) -> None:
    for n in range(30):
        (tmp_path / f"p{n}.yaml").write_text(f"name: p{n}\nextends: p{n + 1}.yaml\n")
    (mistake,) = check(tmp_path / "p0.yaml", registry())
    assert "more than 16 policies" in mistake.message


def test_mistakes_of_the_parent_are_told_in_the_parents_file(tmp_path: Path) -> None:
    parent = PARENT.replace("do: block", "do: blcok")
    with pytest.raises(LoadError) as caught:
        loaded(tmp_path, "name: child\nextends: parent.yaml\nreasoning: hid\n", parent)
    places = [(Path(one.file).name, one.line, one.nearest) for one in caught.value.mistakes]
    assert places == [("child.yaml", 3, "hide"), ("parent.yaml", 9, "block")]


def test_paths_are_relative_to_the_file_that_writes_them(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "words.txt").write_text("alpha")
    (tmp_path / "lists" / "base.yaml").write_text(
        "name: base\nrules: {w: {use: from_file, words_file: words.txt, on: [prompt], do: flag}}\n"
    )
    (tmp_path / "child.yaml").write_text("name: child\nextends: lists/base.yaml\nrules: {w: {do: block}}\n")
    policy = load(tmp_path / "child.yaml", registry())
    assert policy.rules[0].options["words_file"] == str((tmp_path / "lists" / "words.txt").resolve())


def test_the_files_of_a_policy_are_known(tmp_path: Path) -> None:
    loaded(tmp_path, "name: child\nextends: parent.yaml\n")
    mistakes: list[Mistake] = []
    document = effective(tmp_path / "child.yaml", mistakes)
    assert document is not None
    assert [path.name for path in chain_of(document)] == ["child.yaml", "parent.yaml"]
