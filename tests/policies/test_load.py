"""Policies from files and folders, whole and checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from classifiers.finding import Channel
from policies.bind import Builder, bind
from policies.load import check, chosen, load, load_all, load_folder
from policies.mistakes import LoadError
from policies.policy import Disclosure, Example, Passages
from policies.verdict import Action
from tests.policies.own import registry

FULL = """\
name: full.policy-1
description: every key there is
reasoning: summary_line
refusal_status: 200
think_reopened: flag
strict: true
logprobs: true
limits: {choices: 2, thinking_budget: 0, tokens: 512}
passages: {first: 10, then: 20, most: 30}
messages: {refusal: {en: "No.", no: "Nei.", pt-BR: "Não."}, help_line: {en: "Call."}}
disclose: {headers: false, verdict: true}
rules:
  first:
    use: harm
    except: [a]
    detail: {depth: 2}
    on: [prompt, tool]
    when: {hate: 1, self_harm: 0.25}
    do: redact
    on_error: flag
    on_history: drop
    say: help_line
    mask: "[gone]"
    within: 250ms
  second: {use: words, on: [answer], do: withhold, on_error: withhold}
tests:
  - {on: tool, text: "hate 1.0", expect: redact, rules: [first], prompt: hello}
"""

SMALL = "name: {}\nrules: {{w: {{use: words, on: [prompt], do: flag}}}}\n"


def test_every_key_arrives(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(FULL, encoding="utf-8")
    policy = load(tmp_path / "p.yaml", registry())
    first, second = policy.rules
    assert (policy.name, policy.reasoning, policy.refusal_status, policy.think_reopened) == (
        "full.policy-1",
        "summary_line",
        200,
        1,
    )
    assert (policy.strict, policy.logprobs, policy.most_choices, policy.thinking_budget, policy.most_tokens) == (
        True,
        True,
        2,
        0,
        512,
    )
    assert (policy.passages, policy.disclose) == (Passages(10, 20, 30), Disclosure(headers=False, verdict=True))
    assert (policy.message("", "no"), policy.message("help_line", "zh"), policy.message("Go.")) == ("Nei.", "Call.", "Go.")
    assert (first.name, first.use, set(first.on), first.do) == ("first", "harm", {Channel.PROMPT, Channel.TOOL}, Action.REDACT)
    assert dict(first.options) == {"except": ("a",), "detail": {"depth": 2}, "allowed": "same"}
    assert (dict(first.when), first.on_error, first.on_history) == ({"hate": 1, "self_harm": 0.25}, Action.FLAG, "drop")
    assert (first.say, first.mask, first.within) == ("help_line", "[gone]", 0.25)
    assert (second.do, second.on_error, second.threshold, second.within) == (Action.WITHHOLD, Action.WITHHOLD, 0.5, 2.0)
    assert policy.tests == (Example(Channel.TOOL, "hate 1.0", Action.REDACT, frozenset({"first"}), "hello"),)


def test_what_is_not_written_has_its_default_and_an_error_blocks(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(SMALL.format("p"))
    policy = load(tmp_path / "p.yaml", registry())
    assert policy.rules[0].on_error is Action.BLOCK
    assert (policy.reasoning, policy.think_reopened, policy.refusal_status, policy.logprobs) == ("hide", Action.BLOCK, 400, False)
    assert policy.message("", "en")
    assert policy.message("", "zh") != policy.message("", "en")


def test_a_policy_that_guards_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("name: open\nguards_nothing: true\n")
    assert load(tmp_path / "p.yaml", registry()).rules == ()


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(LoadError, match="there is no such file") as caught:
        load("strickt", registry())
    assert caught.value.mistakes[0].nearest == "strict"


@pytest.mark.parametrize("path", ["\0", ".", "x" * 5000])
def test_no_path_is_a_crash(path: str) -> None:
    assert len(check(path, registry())) == 1


def test_a_folder_holds_policies_by_name(tmp_path: Path) -> None:
    for name in ("default", "other"):
        (tmp_path / f"{name}-file.yaml").write_text(SMALL.format(name))
    (tmp_path / "notes.txt").write_text("not a policy")
    (tmp_path / ".hidden.yaml").write_text("not a policy")
    policies = load_folder(tmp_path, registry())
    assert sorted(policies) == ["default", "other"]
    assert load_all(tmp_path, registry()) == policies
    assert chosen(policies).name == "default"
    assert chosen(policies, "other").name == "other"
    with pytest.raises(KeyError, match=re.escape("there is no policy 'othr' (there are default, other); did you mean 'other'?")):
        chosen(policies, "othr")


def test_without_a_default_one_must_be_chosen(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(SMALL.format(name))
    with pytest.raises(KeyError, match="several policies"):
        chosen(load_folder(tmp_path, registry()))
    assert chosen(load_all(tmp_path / "a.yaml", registry())).name == "a"


def test_mistakes_of_a_whole_folder_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMALL.format("same"))
    (tmp_path / "b.yaml").write_text(SMALL.format("same"))
    (tmp_path / "c.yaml").write_text(SMALL.format("c").replace("flag", "falg"))
    with pytest.raises(LoadError) as caught:
        load_folder(tmp_path, registry())
    assert [(Path(one.file).name, one.key) for one in caught.value.mistakes] == [("b.yaml", "name"), ("c.yaml", "rules.w.do")]


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="the folder has no"):
        load_folder(tmp_path, registry())


def test_rules_with_equal_options_share_a_classifier(tmp_path: Path) -> None:
    rules = "a: {use: words, on: [prompt], do: flag}, b: {use: words, category: word, on: [answer], do: block}"
    (tmp_path / "p.yaml").write_text(f"name: p\nrules: {{{rules}, c: {{use: words, words: [x], on: [answer], do: block}}}}\n")
    shared = Builder(registry())
    policy = load(tmp_path / "p.yaml", shared.registry, shared)
    bound = bind(policy, shared.registry, shared)
    assert list(bound) == ["a", "b", "c"]
    assert bound["a"] is bound["b"]
    assert bound["a"] is not bound["c"]
    assert bound["a"] is shared.build("words", policy.rules[0].options)
    assert bind(policy, registry())["a"].categories == {"words"}
