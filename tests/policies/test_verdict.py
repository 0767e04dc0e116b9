"""Actions are ordered by severity, and verdicts are values."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from classifiers.finding import Channel
from policies.verdict import ALLOWED, Action, Blind, Mask, Reason, Verdict


def test_the_order_of_the_design() -> None:
    words = ["allow", "flag", "redact", "withhold", "repair", "review", "block"]
    assert [action.word for action in sorted(Action)] == words
    assert max(Action.REVIEW, Action.REDACT, Action.BLOCK) is Action.BLOCK


def test_an_allowed_verdict_is_empty() -> None:
    assert Verdict() == ALLOWED
    assert (ALLOWED.action, ALLOWED.reasons, ALLOWED.masks, ALLOWED.blind, ALLOWED.say) == (Action.ALLOW, (), (), (), "")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (ALLOWED, "action"),
        (Mask(0, 1, "x"), "open"),
        (Reason("r", "c", 1.0, Action.FLAG, Channel.ANSWER, 0, 1), "start"),
        (Blind("r", "timeout", Action.BLOCK, Channel.ANSWER, 0, 1), "action"),
    ],
)
def test_verdicts_cannot_be_changed(value: object, name: str) -> None:
    """One verdict is shared by the record, the lane and the metrics."""
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, Action.ALLOW)
    assert hash(value) == hash(value)
