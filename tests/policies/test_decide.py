"""Deciding is pure and total: the severest wins, masks apply whatever wins, and silence is never "safe"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.finding import Channel, Finding, Passage, Unjudged
from policies.decide import counts, decide
from policies.policy import Rule
from policies.verdict import ALLOWED, Action, Blind, Mask, Reason

TEXT = "twenty characters..."
EVERY = frozenset(Channel)
ACTIONS = st.sampled_from(list(Action))
CATEGORIES = st.sampled_from(["a", "b", "c"])
SCORES = st.floats(0, 1)
Seen = Mapping[str, Sequence[Finding] | Unjudged]


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    start = draw(st.integers(0, len(TEXT)))
    end = draw(st.integers(start, len(TEXT)))
    mask = draw(st.sampled_from(["", "<M>"]))
    return Finding(draw(CATEGORIES), draw(SCORES), start, end, mask, draw(st.booleans()))


@st.composite
def rules(draw: st.DrawFn) -> tuple[Rule, ...]:
    names = draw(st.lists(st.sampled_from("uvwxyz"), unique=True, max_size=4))
    return tuple(
        Rule(
            name,
            "use",
            EVERY,
            draw(ACTIONS),
            when=draw(st.dictionaries(CATEGORIES, SCORES, max_size=2)),
            threshold=draw(SCORES),
            on_error=draw(st.sampled_from([Action.FLAG, Action.WITHHOLD, Action.BLOCK])),
            say=f"say {name}",
            mask=draw(st.sampled_from(["", "<R>"])),
        )
        for name in names
    )


SEEN = st.dictionaries(
    st.sampled_from("uvwxyz"), st.lists(findings(), max_size=3) | st.sampled_from([Unjudged("timeout"), Unjudged("overload")])
)
PASSAGES = st.builds(Passage, st.sampled_from(Channel), st.just(TEXT), st.integers(0, len(TEXT)), st.integers(0, 1000))


@given(rules(), SEEN, PASSAGES)
@settings(max_examples=300, deadline=None)
def test_laws(chosen: tuple[Rule, ...], seen: Seen, passage: Passage) -> None:
    verdict = decide(chosen, seen, passage)
    assert verdict == decide(chosen, dict(reversed(list(seen.items()))), passage)  # pure: nothing but its arguments counts
    unseen = {rule.name for rule in chosen if isinstance(seen.get(rule.name, Unjudged("")), Unjudged)}
    assert {blind.rule for blind in verdict.blind} == unseen
    acted = {
        (rule.name, finding.category, finding.score, finding.start + passage.offset, finding.end + passage.offset)
        for rule in chosen
        for finding in (() if rule.name in unseen else seen[rule.name])  # type: ignore[union-attr]  # no Unjudged among them
        if counts(rule, finding)
    }
    assert {(r.rule, r.category, r.score, r.start, r.end) for r in verdict.reasons} == acted
    outcomes = [rule.on_error for rule in chosen if rule.name in unseen] + [reason.action for reason in verdict.reasons]
    assert verdict.action == max(outcomes, default=Action.ALLOW)
    redacting = {rule.name for rule in chosen if rule.do is Action.REDACT}
    assert sorted((mask.start, mask.end) for mask in verdict.masks) == sorted(
        (reason.start, reason.end) for reason in verdict.reasons if reason.rule in redacting
    )
    assert all(mask.text for mask in verdict.masks)
    assert {reason.channel for reason in verdict.reasons} | {blind.channel for blind in verdict.blind} <= {passage.channel}
    if verdict.action > Action.ALLOW:
        deciding = [rule for rule in chosen if _outcome(rule, verdict.reasons, verdict.blind) == verdict.action]
        assert verdict.say == deciding[0].say


def _outcome(rule: Rule, reasons: Sequence[Reason], blind: Sequence[Blind]) -> Action:
    acted = [reason.action for reason in reasons if reason.rule == rule.name]
    return max(acted + [each.action for each in blind if each.rule == rule.name], default=Action.ALLOW)


@given(rules(), SEEN, PASSAGES)
@settings(max_examples=200, deadline=None)
def test_no_finding_makes_a_verdict_milder(chosen: tuple[Rule, ...], seen: Seen, passage: Passage) -> None:
    verdict = decide(chosen, seen, passage)
    for name, answer in seen.items():
        if isinstance(answer, Unjudged):
            continue
        fewer = {**seen, name: answer[1:]}
        assert decide(chosen, fewer, passage).action <= verdict.action
    for at in range(len(chosen)):
        assert decide((*chosen[:at], *chosen[at + 1 :]), seen, passage).action <= verdict.action


RULE = Rule("r", "use", EVERY, Action.BLOCK, say="refusal")
HERE = Passage(Channel.ANSWER, TEXT, 5, 100)


def test_silence_is_unjudged() -> None:
    verdict = decide([RULE], {}, HERE)
    assert verdict.action is Action.BLOCK
    assert verdict.blind == (Blind("r", "error: not looked at", Action.BLOCK, Channel.ANSWER, 105, 120),)
    assert decide([replace(RULE, on_error=Action.FLAG)], {"other": []}, HERE).action is Action.FLAG


def test_nothing_found_is_allowed() -> None:
    assert decide([RULE], {"r": []}, HERE) is ALLOWED
    assert decide([], {}, HERE) is ALLOWED
    assert decide([], {"nobody": Unjudged("timeout")}, HERE) is ALLOWED


def test_masks_apply_whatever_wins() -> None:
    hide = replace(RULE, name="hide", do=Action.REDACT)
    seen = {"hide": [Finding("mail", 1.0, 6, 9)], "r": [Finding("x", 1.0, 12, 13)]}
    verdict = decide([hide, RULE], seen, HERE)
    assert verdict.action is Action.BLOCK
    assert verdict.masks == (Mask(106, 109, "<MAIL>"),)
    assert verdict.say == "refusal"


@pytest.mark.parametrize(
    ("rule_mask", "own_mask", "text"), [("[R]", "[F]", "[R]"), ("", "[F]", "[F]"), ("", "", "<MAIL>"), ("[R]", "", "[R]")]
)
def test_whose_mask(rule_mask: str, own_mask: str, text: str) -> None:
    rule = replace(RULE, do=Action.REDACT, mask=rule_mask)
    assert decide([rule], {"r": [Finding("mail", 1.0, 6, 9, own_mask, True)]}, HERE).masks == (Mask(106, 109, text, True),)


@pytest.mark.parametrize(
    ("when", "threshold", "category", "score", "expected"),
    [
        ({}, 0.5, "a", 0.5, True),
        ({}, 0.5, "a", 0.49, False),
        ({}, 0.0, "a", 0.0, True),
        ({"a": 0.8}, 0.1, "a", 0.8, True),
        ({"a": 0.8}, 0.1, "a", 0.7, False),  # `threshold` is for rules without `when`
        ({"a": 0.8}, 0.1, "b", 1.0, False),
        ({"a": 0.0}, 0.9, "a", 0.0, True),
        ({}, 0.5, "a", math.nan, False),  # the guard makes such an answer unjudged before it gets here
    ],
)
def test_thresholds(when: dict[str, float], threshold: float, category: str, score: float, expected: bool) -> None:
    assert counts(replace(RULE, when=when, threshold=threshold), Finding(category, score, 0, 1)) is expected
