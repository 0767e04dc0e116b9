"""Law 4. A guard that cannot see does not say "safe": crash, time-out and overload follow the rule's `on_error`, and the ledger
says *unjudged*."""

from __future__ import annotations

from typing import Any

import pytest

from classifiers.registry import Registry
from tests.fake_model import fake_model
from tests.laws.own import Failing
from tests.stack import Stack, finish_of, stack, text_of

SAID = "A plain answer without any fault."
WAYS = {"raise": "error: ZeroDivisionError", "hang": "timeout", "few": "error: answers missing", "say": "overload"}


def _policy(channel: str, how: str, unit: str, on_error: str) -> str:
    error = f", on_error: {on_error}" if on_error else ""
    return f"""
name: blind
reasoning: show
rules:
  eyes: {{use: failing, how: {how}, kind: {unit}, on: [{channel}], do: block, within: 100ms{error}}}
"""


def _told(proxy: Stack, channel: str, how: str) -> None:
    record = proxy.closed()
    assert record["unjudged"], record
    assert {(each["rule"], each["channel"], each["reason"]) for each in record["unjudged"]} == {("eyes", channel, WAYS[how])}


@pytest.mark.parametrize("unit", ["stream", "passage"])
@pytest.mark.parametrize("how", WAYS)
def test_a_blind_guard_does_not_say_safe(how: str, unit: str) -> None:
    """By default nothing passes a rule that could not look: no prompt, no thought, no answer."""
    registry = Registry(extra=[Failing])
    with fake_model(scenes=[{"think": "A thought.", "say": SAID}]) as model:
        with stack(_policy("prompt", how, unit, ""), model.url, registry=registry) as proxy:
            refused = proxy.ask("hello")
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "content_filter")
            assert not model.requests
            _told(proxy, "prompt", how)
        with stack(_policy("reasoning", how, unit, ""), model.url, registry=registry) as proxy:
            events = proxy.stream("hello")
            assert finish_of(events) == "content_filter"
            assert text_of(events, "reasoning") == ""
            assert SAID not in text_of(events)
            _told(proxy, "reasoning", how)
        with stack(_policy("answer", how, unit, ""), model.url, registry=registry) as proxy:
            whole = proxy.ask("hello").json()["choices"][0]
            assert whole["finish_reason"] == "content_filter"
            assert whole["message"]["reasoning"] == "A thought."
            assert SAID not in whole["message"]["content"]
            _told(proxy, "answer", how)


@pytest.mark.parametrize(("on_error", "expected"), [("flag", SAID), ("withhold", "")])
def test_a_policy_may_forgive_but_the_record_does_not(on_error: str, expected: str) -> None:
    """What `on_error` says happens, and the record says that nobody looked."""
    with (
        fake_model(scenes=[{"think": "A thought.", "say": SAID}]) as model,
        stack(_policy("answer", "raise", "passage", on_error), model.url, registry=Registry(extra=[Failing])) as proxy,
    ):
        events = proxy.stream("hello")
        assert text_of(events) == expected
        assert finish_of(events) == ("content_filter" if on_error == "withhold" else "stop")
        _told(proxy, "answer", "raise")


def test_moderations_do_not_guess() -> None:
    """An input nobody could judge is an error, not `flagged: false`."""
    with stack(_policy("prompt", "raise", "stream", ""), "http://127.0.0.1:9/v1", registry=Registry(extra=[Failing])) as proxy:
        answer: Any = proxy.client.post(f"{proxy.url}/moderations", json={"input": "hello"})
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "unjudged"
