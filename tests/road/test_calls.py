"""Tool calls are held whole, judged as written and as what they mean, and come out as valid JSON or not at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.finding import Context
from classifiers.secrets import Secrets, SecretsOptions
from policies.verdict import Action
from proxy.exchange import Exchange
from proxy.road import calls as calling
from proxy.road.calls import Calls
from proxy.road.choice import Plan
from proxy.road.guard import Guard
from proxy.upstream.protocol import ToolDelta
from tests.road.own import Broken, Word, exchange, guard, pieces, rule

BLOCK = guard((rule("r", Action.BLOCK), Word("kumquat")))
REDACT = guard((rule("r", Action.REDACT), Word("kumquat", "<FRUIT>")))
WITHHOLD = guard((rule("r", Action.WITHHOLD), Word("kumquat")))
Released = list[tuple[str, str]]


class Run:
    """The calls of one choice, from its deltas to what may go out."""

    def __init__(self, watch: Guard, deltas: Sequence[ToolDelta], tools: Sequence[str] = ("find", "send")) -> None:
        self.record: Exchange = exchange(watch)
        plan = Plan(
            policy=watch.policy,
            guard=watch,
            context=Context(),
            exchange=self.record,
            thinking="auto",
            stops=(),
            limit=None,
            tools=frozenset(tools),
            language="en",
            wants_json=False,
            logprobs=False,
        )
        self.calls = Calls(plan)
        self.calls.feed(deltas)
        self.released = asyncio.run(self._all())

    async def _all(self) -> Released:
        return [released async for released in self.calls.judged()]

    @property
    def seen(self) -> set[str]:
        return {reason.category for reason in self.record.reasons}


def find(arguments: str, index: int = 0, name: str = "find") -> ToolDelta:
    return ToolDelta(index, name, arguments)


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


FORMS = {
    "a value": '{"q": "a kumquat here"}',
    "a key": '{"kumquat": 1}',
    "a nested value": '{"a": [{"b": [1, null, {"c": "kumquat"}]}]}',
    "a nested key": '{"a": [{"b": {"kumquat": true}}]}',
    "escaped": '{{"q": "{}"}}'.format(escaped("kumquat")),
    "one escaped letter": '{"q": "\\u006bumquat"}',
    "an escaped key": '{{"{}": 1}}'.format(escaped("kumquat")),
    "escaped with a slash": '{"q": "kum\\u0071uat", "url": "a\\/b"}',
    "a bare text": '"kumquat"',
    "no JSON": "{q: kumquat",
    "no JSON, escaped": '{{"q": "{}"'.format(escaped("kumquat")),
    "two objects": '{"q": 1}{"q": "kumquat"}',
    "a key twice": '{"q": "kumquat", "q": "fine"}',
    "a key twice, escaped": '{{"q": "{}", "q": "fine"}}'.format(escaped("kumquat")),
    "not a number": '{"q": NaN, "w": "\\u006bumquat"}',
    "half a pair": '{"q": "\\ud83d \\u006bumquat"}',
}


@pytest.mark.parametrize("arguments", FORMS.values(), ids=FORMS)
def test_a_block_sees_every_form(arguments: str) -> None:
    run = Run(BLOCK, [find(arguments)])
    assert run.released == []
    assert run.calls.blocked is not None
    assert run.calls.blocked.rule == "r"


@pytest.mark.parametrize("arguments", FORMS.values(), ids=FORMS)
def test_a_redaction_masks_or_refuses_every_form(arguments: str) -> None:
    run = Run(REDACT, [find(arguments)])
    for _, out in run.released:
        assert "kumquat" not in out
        assert "kumquat" not in str(_value(out))
        assert escaped("kumquat") not in out
    assert bool(run.released) != (run.calls.blocked is not None)


@pytest.mark.parametrize("arguments", FORMS.values(), ids=FORMS)
def test_a_withheld_call_is_dropped_alone(arguments: str) -> None:
    run = Run(WITHHOLD, [find(arguments), find('{"q": "fine"}', 1, "send")])
    if run.calls.blocked is None:
        assert run.released == [("send", '{"q": "fine"}')]
        assert (run.calls.dropped, run.calls.released) == (1, 1)
    else:
        assert run.released == []


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ('{"q": "a kumquat", "n": 3}', {"q": "a <FRUIT>", "n": 3}),
        ('{"q": "\\u006bumquat \\n\\u00e9"}', {"q": "<FRUIT> \né"}),
        ('["kumquat", ["kumquat"], {"a": "kumquat"}]', ["<FRUIT>", ["<FRUIT>"], {"a": "<FRUIT>"}]),
    ],
)
def test_what_is_masked_is_json(arguments: str, value: Any) -> None:
    ((name, out),) = Run(REDACT, [find(arguments)]).released
    assert name == "find"
    assert json.loads(out) == value


def test_a_mask_that_would_break_json_is_refused() -> None:
    watch = guard((rule("r", Action.REDACT), Word('": "', "<X>")))
    run = Run(watch, [find('{"a": "b"}')])
    assert run.released == []
    assert run.seen == {"unmaskable", "word"}


@pytest.mark.parametrize(
    "arguments", ['{"q": "fine", "n": 1.50}', "", "{}", "not json", '{"a": "\\u00e9\\ud83d\\ude00\\n"}', '{"q": "é"}']
)
@pytest.mark.parametrize(
    "watch", [BLOCK, REDACT, guard((rule("r", Action.BLOCK, on=frozenset()), Word("x")))], ids=["block", "redact", "none"]
)
def test_allowed_calls_leave_as_they_came(arguments: str, watch: Guard) -> None:
    run = Run(watch, [find(arguments)])
    assert run.released == [("find", arguments)]
    assert run.record.blind == []


@given(st.lists(st.integers(0, 60), max_size=12), st.sampled_from(sorted(FORMS)))
@settings(max_examples=100, deadline=None)
def test_cuts_change_nothing(cuts: list[int], form: str) -> None:
    parts = pieces(FORMS[form], cuts)
    deltas = [ToolDelta(0, "find"), *(ToolDelta(0, "", part) for part in parts)]
    for watch in (BLOCK, REDACT, WITHHOLD):
        one, many = Run(watch, [find(FORMS[form])]), Run(watch, deltas)
        assert (one.released, one.calls.blocked, one.seen) == (many.released, many.calls.blocked, many.seen)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["kumquat", "a kumquat b", "kum", "quat", "é", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "kumquat"]), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.booleans())
@settings(max_examples=200, deadline=None)
def test_values_with_the_word_taken_out(value: Any, ascii_only: bool) -> None:
    """Redaction changes the word and nothing else; where it stands in a key, nothing leaves."""
    written = json.dumps(value, ensure_ascii=ascii_only).replace("kumquat", "\\u006bumquat" if ascii_only else "kumquat")
    run = Run(REDACT, [find(written)])
    if "kumquat" in _keys(value):
        assert run.released == []
        assert run.calls.blocked is not None
    else:
        ((_, out),) = run.released
        assert json.loads(out) == _masked(value)


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value, *(key for each in value.values() for key in _keys(each))}
    return {key for each in value for key in _keys(each)} if isinstance(value, list) else set()


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("kumquat", "<FRUIT>")
    if isinstance(value, dict):
        return {key: _masked(each) for key, each in value.items()}
    return [_masked(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("arguments", ['{"a": "\\ud83d\\ude00', '{"a": "\\ud83d', '{"a": "\\ud83d\\ude00"}', '"\\ude00\\ud83d"'])
def test_escaped_emoji_and_halves_of_them_blind_nobody(arguments: str) -> None:
    """A half of a surrogate pair is no text for a classifier that encodes."""
    run = Run(guard((rule("r", Action.BLOCK), Secrets(SecretsOptions()))), [find(arguments)])
    assert run.released == [("find", arguments)]
    assert run.record.blind == []


# ---- what no policy can switch off

OBSERVE = guard((rule("r", Action.FLAG), Word("kumquat")))


def test_a_tool_that_nobody_offered() -> None:
    run = Run(OBSERVE, [find("{}", 0), find("{}", 1, "delete_everything"), find("{}", 2)])
    assert run.released == [("find", "{}")]
    assert run.seen == {"unknown_tool"}
    assert run.calls.blocked is not None
    assert "delete_everything" not in str(run.record.summary())


@pytest.mark.parametrize("deltas", [[find("{}")], [ToolDelta(-1, "find", "{}")]])
def test_calls_without_any_tools(deltas: list[ToolDelta]) -> None:
    run = Run(OBSERVE, deltas, tools=())
    assert run.released == []
    assert run.seen == {"unknown_tool"}


def test_too_much_is_refused_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "MOST_CHARS", 100)
    monkeypatch.setattr(calling, "MOST_CALLS", 3)
    for deltas in (
        [find("x" * 101)],
        [find("x" * 60), ToolDelta(0, "", "x" * 60)],
        [find("{}", index) for index in range(4)],
        [ToolDelta(0, "n" * 257, "{}")],
        [ToolDelta(0, "n") for _ in range(300)],
    ):
        run = Run(OBSERVE, deltas)
        assert run.released == []
        assert run.seen == {"overflow"}
        assert run.calls.blocked is not None


def test_arguments_nested_too_deeply() -> None:
    for depth in (100, 900):
        run = Run(OBSERVE, [find("[" * depth + '"fine"' + "]" * depth)])
        assert run.released == []
        assert run.seen == {"too_deep"}
    assert Run(OBSERVE, [find("[" * 5000 + '"kumquat"' + "]" * 5000)]).seen == {"word"}  # no parser takes it: text


def test_calls_leave_in_order_and_stop_at_a_block() -> None:
    run = Run(BLOCK, [find('{"n": 2}', 5, "send"), find('{"n": 1}', 1), find('"kumquat"', 7), find('{"n": 3}', 9)])
    assert run.released == [("find", '{"n": 1}'), ("send", '{"n": 2}')]


@pytest.mark.parametrize(("on_error", "count"), [(Action.FLAG, 1), (Action.WITHHOLD, 0), (Action.BLOCK, 0)])
def test_a_guard_that_fails(on_error: Action, count: int) -> None:
    run = Run(guard((rule("r", Action.BLOCK, on_error=on_error), Broken(ValueError()))), [find('{"q": "x"}')])
    assert len(run.released) == count
    assert {blind.rule for blind in run.record.blind} == {"r"}
