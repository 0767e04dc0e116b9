"""A policy's own tests are judged as the road judges."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from policies.bind import bind
from policies.load import load
from policies.try_out import Trial, try_out
from policies.verdict import Action
from tests.policies.own import registry

POLICY = """\
name: p
rules:
  words: {use: words, words: [alpha, beta], on: [prompt, answer], do: redact, mask: "***"}
  harm: {use: harm, on: [answer], do: block, when: {hate: 0.5}, on_error: flag}
tests:
"""


def tried(folder: Path, tests: str) -> Sequence[Trial]:
    (folder / "p.yaml").write_text(POLICY + tests)
    policy = load(folder / "p.yaml", registry())
    return asyncio.run(try_out(policy, bind(policy, registry())))


def test_what_came_is_compared_with_what_was_expected(tmp_path: Path) -> None:
    trials = tried(
        tmp_path,
        """\
  - {on: prompt, text: "an alpha and a beta!", expect: redact, rules: [words]}
  - {on: prompt, text: "hate 0.9", expect: allow}
  - {on: answer, text: "hate 0.9", expect: block}
  - {on: answer, text: "hate 0.4", expect: block}
  - {on: answer, text: "an alpha", expect: redact, rules: [words, harm]}
""",
    )
    assert [trial.passed for trial in trials] == [True, True, True, False, False]
    assert [trial.verdict.action for trial in trials] == [Action.REDACT, Action.ALLOW, Action.BLOCK, Action.ALLOW, Action.REDACT]
    assert [sorted(trial.acted) for trial in trials] == [["words"], [], ["harm"], [], ["words"]]
    assert trials[0].masked == "an *** and a ***!"
    assert trials[1].masked == "hate 0.9"


def test_a_rule_that_could_not_look_fails_the_test(tmp_path: Path) -> None:
    trials = tried(tmp_path, "  - {on: answer, text: blind, expect: flag}\n  - {on: answer, text: crash, expect: flag}\n")
    assert [trial.verdict.action for trial in trials] == [Action.FLAG, Action.FLAG]
    assert [trial.verdict.blind[0].reason for trial in trials] == ["error: test", "error: ZeroDivisionError"]
    assert not any(trial.passed for trial in trials)
