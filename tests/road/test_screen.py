"""Every text of a request is judged before the model starts, and what is sent holds what the verdict left of it."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.finding import Channel
from policies.policy import OnHistory, Passages
from policies.verdict import Action
from proxy.exchange import Exchange
from proxy.road import screen as screening
from proxy.road.guard import Guard
from proxy.road.screen import Screen, Screened
from proxy.wire.chat import ChatRequest, parse
from tests.road.own import Broken, Said, Word, exchange, guard, rule

BAD = "kumquat"
SMALL = Passages(first=4, then=8, most=14)

SCHEMA = {
    "type": "object",
    "description": "{0}",
    "properties": {"{1}": {"type": "string", "enum": ["{2}"], "const": "{3}"}, "b": {"anyOf": [{"title": "{4}"}]}},
    "required": ["{5}"],
    "$defs": {"x": {"examples": [["{6}"]], "default": {"{7}": "{8}"}}},
}
REQUEST: dict[str, Any] = {
    "model": "r1",
    "messages": [
        {"role": "system", "content": "{sys}", "name": "{sysname}"},
        {"role": "developer", "content": [{"type": "text", "text": "{dev}"}, {"type": "text", "text": "{dev2}"}]},
        {"role": "user", "content": "{user}", "name": "{username}"},
        {
            "role": "assistant",
            "content": "{assistant}",
            "reasoning": "{thought}",
            "reasoning_content": "{thought2}",
            "refusal": "{refusal}",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": "{args}"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "{result}"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "{result2}"}]},
        {"role": "assistant", "content": None, "refusal": "{refusal2}"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "{refusal3}"}, {"type": "text", "text": "{part}"}]},
        {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": "{oldargs}"}},
        {"role": "function", "name": "find", "content": "{oldresult}"},
        {"role": "assistant", "content": "<think>{inline}</think>{behind}"},
        {"role": "user", "content": [{"type": "text", "text": "{last}"}, {"type": "text", "text": "{last2}"}]},
    ],
    "tools": [{"type": "function", "function": {"name": "find", "description": "{tooldesc}", "parameters": SCHEMA}}],
    "functions": [{"name": "{fn}", "description": "{fndesc}", "parameters": {"{fnkey}": "{fnvalue}"}}],
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "{schemaname}", "description": "{schemadesc}", "schema": {"{key}": ["{value}"]}},
    },
}
NAMED = {"{fn}", "{schemaname}"}  # names have an alphabet of their own
KEYS = {"{1}", "{7}", "{fnkey}", "{key}"}
NOT_SENT = {"{sysname}", "{thought}", "{thought2}", "{refusal}", "{inline}"}  # judged all the same


def slots(value: Any) -> Iterator[str]:
    """Every place where a text can be put."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from slots(key)
            yield from slots(each)
    elif isinstance(value, list):
        for each in value:
            yield from slots(each)
    elif isinstance(value, str) and "{" in value:
        inner = value[value.index("{", 1 if value.startswith('{"') else 0) :]
        while "{" in inner:
            end = inner.index("}")
            yield inner[inner.index("{") : end + 1]
            inner = inner[end + 1 :]


SLOTS = sorted(slots(REQUEST))


def fill(slot: str, text: str) -> dict[str, Any]:
    """The request with `text` in one place and harmless words in all others."""
    written = json.dumps(REQUEST)
    for each in SLOTS:
        written = written.replace(each, text if each == slot else f"fine_{SLOTS.index(each)}_")
    filled: dict[str, Any] = json.loads(written)
    return filled


def screened(watch: Guard, body: dict[str, Any]) -> tuple[Screened, ChatRequest, Exchange]:
    request = parse(json.dumps(body).encode(), watch.policy, 1000)
    record = exchange(watch)
    return asyncio.run(Screen(watch, record).judge(request)), request, record


def test_the_request_is_allowed_as_it_stands() -> None:
    assert len(SLOTS) >= 38
    result, request, record = screened(guard((rule("r", Action.BLOCK), Word(BAD))), fill("", ""))
    assert (result.blocked, result.redacted, result.dropped, record.reasons) == (None, 0, [], [])
    sent = json.dumps(request.final())
    for slot in SLOTS:
        assert (f"fine_{SLOTS.index(slot)}_" in sent) == (slot not in NOT_SENT), slot


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("unit", ["stream", "passage"])
def test_a_forbidden_word_is_seen_wherever_it_stands(slot: str, unit: str) -> None:
    found = Word(BAD) if unit == "stream" else Said(BAD)
    result, _, record = screened(guard((rule("r", Action.BLOCK), found)), fill(slot, BAD if slot in NAMED else f"a {BAD} b"))
    assert result.blocked is not None
    assert result.blocked.rule == "r"
    assert record.reasons[0].place
    assert record.reasons[0].channel is (Channel.CONTEXT if "result" in slot else Channel.PROMPT)


@pytest.mark.parametrize("slot", SLOTS)
def test_a_redaction_lands_in_what_is_sent(slot: str) -> None:
    """What cannot be masked (a name, a key) is refused."""
    text = BAD if slot in NAMED else f"a {BAD} b"
    result, request, _ = screened(guard((rule("r", Action.REDACT), Word(BAD, "[gone]"))), fill(slot, text))
    if slot in NAMED | KEYS:
        assert result.blocked is not None
        return
    assert result.blocked is None
    assert result.redacted == 1
    sent = json.dumps(request.final())
    assert BAD not in sent
    assert ("a [gone] b" in sent) == (slot not in NOT_SENT)
    assert request.final() == _final(fill(slot, "a [gone] b"))


def _final(body: dict[str, Any]) -> dict[str, Any]:
    return screened(guard((rule("r", Action.FLAG), Word(BAD))), body)[1].final()


@pytest.mark.parametrize("slot", SLOTS)
def test_the_record_holds_no_text(slot: str) -> None:
    """Not even where a text is a key, and so part of a place."""
    _, _, record = screened(
        guard((rule("r", Action.FLAG), Word("_"))), fill(slot, "secretname" if slot in NAMED else "secret name")
    )
    assert record.reasons
    assert not any("secret" in reason.place for reason in record.reasons)


# ---- long texts


@given(st.integers(1, 60), st.integers(0, 200), st.sampled_from([Action.REDACT, Action.BLOCK]))
@settings(max_examples=60, deadline=None)
def test_long_texts_are_judged_like_short_ones(size: int, at: int, action: Action) -> None:
    text = "x" * at + BAD + "x" * 20 + BAD + " tail"
    watch = guard((rule("r", action), Word(BAD, "[gone]")), passages=SMALL)
    old, screening.SLICE = screening.SLICE, size
    try:
        result, request, _ = screened(watch, {"model": "m", "messages": [{"role": "user", "content": text}]})
    finally:
        screening.SLICE = old
    assert (result.blocked is None) == (action is Action.REDACT)
    if action is Action.REDACT:
        assert request.final()["messages"][0]["content"] == text.replace(BAD, "[gone]")


# ---- old turns

TURNS: list[dict[str, Any]] = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "u1"},
    {"role": "assistant", "content": "a1"},
    {"role": "user", "content": "u2"},
    {"role": "user", "content": "u2b"},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": '"t2"'}}]},
    {"role": "tool", "tool_call_id": "c", "content": "r2"},
    {"role": "system", "content": "be brief"},
    {"role": "assistant", "content": "a2"},
    {"role": "user", "content": "u3"},
    {"role": "assistant", "content": "a3"},
    {"role": "user", "content": "u4"},
    {"role": "user", "content": "u4b"},
]
FIRST, SECOND, THIRD, NEWEST = {1, 2}, {3, 4, 5, 6, 8}, {9, 10}, {11, 12}


def history(*hits: int) -> dict[str, Any]:
    messages = copy.deepcopy(TURNS)
    for hit in hits:
        if messages[hit]["content"] is None:
            messages[hit]["tool_calls"][0]["function"]["arguments"] = BAD
        else:
            messages[hit]["content"] += f" {BAD}"
    return {"model": "m", "messages": messages, "tools": [{"type": "function", "function": {"name": "f"}}]}


def dropping(on_history: OnHistory = "drop") -> Guard:
    return guard((rule("r", Action.BLOCK, on_history=on_history), Word(BAD)))


@pytest.mark.parametrize(
    ("hits", "gone"),
    [
        ([1], FIRST),
        ([2], FIRST),
        ([3], SECOND),
        ([4], SECOND),
        ([5], SECOND),
        ([6], SECOND),
        ([8], SECOND),
        ([9], THIRD),
        ([10], THIRD),
        ([2, 9], FIRST | THIRD),
        ([1, 5, 10], FIRST | SECOND | THIRD),
    ],
)
def test_an_old_turn_is_dropped_with_its_reply_and_nothing_else(hits: list[int], gone: set[int]) -> None:
    result, request, record = screened(dropping(), history(*hits))
    assert result.blocked is None
    assert result.dropped == sorted(gone)
    clean = _final(history())
    kept = [message for at, message in zip(_sent_indices(), clean["messages"][1:], strict=True) if at not in gone]
    final = request.final()
    assert final["messages"] == [clean["messages"][0], *kept]
    assert {key: value for key, value in final.items() if key != "messages"} == {
        key: value for key, value in clean.items() if key != "messages"
    }
    assert {reason.action for reason in record.reasons} == {Action.BLOCK}


def _sent_indices() -> list[int]:
    return [at for at, message in enumerate(TURNS) if message["role"] != "system"]


@pytest.mark.parametrize("hit", [0, 7, 11, 12])
def test_the_newest_turn_and_instructions_block(hit: int) -> None:
    """Instructions are no turn: dropping the turn around them would leave them in what is sent."""
    result, _, _ = screened(dropping(), history(hit))
    assert result.blocked is not None
    assert result.dropped == []


@pytest.mark.parametrize("hit", range(13))
def test_without_on_history_every_hit_blocks(hit: int) -> None:
    result, _, _ = screened(dropping("block"), history(hit))
    assert result.blocked is not None


def test_a_tool_result_behind_the_newest_question_blocks() -> None:
    body = history()
    body["messages"] += [{"role": "assistant", "content": "a4"}, {"role": "tool", "tool_call_id": "c", "content": BAD}]
    assert screened(dropping(), body)[0].blocked is not None


@given(st.lists(st.sampled_from(["system", "user", "assistant", "tool"]), min_size=1, max_size=10), st.data())
@settings(max_examples=200, deadline=None)
def test_no_dropped_word_is_ever_sent(roles: list[str], data: st.DataObject) -> None:
    hits = data.draw(st.sets(st.integers(0, len(roles) - 1)))
    messages: list[dict[str, Any]] = [
        {"role": role, "content": f"m{at}." + (BAD if at in hits else ""), **({"tool_call_id": "c"} if role == "tool" else {})}
        for at, role in enumerate(roles)
    ]
    result, request, _ = screened(dropping(), {"model": "m", "messages": messages})
    if result.blocked is None:
        sent = json.dumps(request.final())
        assert BAD not in sent
        last = len(roles) - 1 - roles[::-1].index("user") if "user" in roles else 0
        assert all(f"m{at}." in sent for at in range(len(roles)) if at not in result.dropped)
        assert all(at < last and roles[at] != "system" for at in result.dropped)
    assert (result.blocked is None and not result.dropped) == (not hits)


# ---- order, seams, failures


def test_instructions_are_joined_in_front() -> None:
    final = _final(history())
    assert final["messages"][0] == {"role": "system", "content": "be kind\n\nbe brief"}
    assert [message["role"] for message in final["messages"][1:]].count("system") == 0


def test_shapes_over_parts_and_messages() -> None:
    parts = [{"type": "text", "text": "a kum"}, {"type": "text", "text": "quat b"}]
    body: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": parts}]}
    assert screened(guard((rule("r", Action.BLOCK), Word(BAD))), body)[0].blocked is not None
    result, request, _ = screened(guard((rule("r", Action.REDACT), Word(BAD, "*"))), body)
    assert (request.final()["messages"][0]["content"], result.redacted) == ("a * b", 1)
    apart = {"model": "m", "messages": [{"role": "user", "content": "a kum"}, {"role": "user", "content": "quat b"}]}
    assert screened(guard((rule("r", Action.BLOCK), Word(BAD))), apart)[0].blocked is None
    assert screened(guard((rule("r", Action.BLOCK), Word(BAD, joins=True))), apart)[0].blocked is not None


def test_what_comes_together_when_a_turn_is_dropped() -> None:
    """Messages that stand side by side in what is sent, though not in what came."""
    watch = guard((rule("r", Action.BLOCK, on_history="drop"), Word("bad")), (rule("j", Action.BLOCK), Word(BAD, joins=True)))
    messages = [
        {"role": "user", "content": "fine"},
        {"role": "assistant", "content": "a kum"},
        {"role": "user", "content": "bad"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "quat b"},
    ]
    result, _, _ = screened(watch, {"model": "m", "messages": messages})
    assert result.blocked is not None
    assert result.blocked.rule == "j"
    mixed = [{"role": "user", "content": "quat"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]
    late = {"model": "m", "messages": [*mixed, {"role": "system", "content": "kum"}]}
    assert screened(watch, late)[0].blocked is not None  # instructions go in front, wherever they came


@pytest.mark.parametrize(("on_error", "blocked"), [(Action.FLAG, False), (Action.BLOCK, True)])
def test_a_guard_that_fails(on_error: Action, blocked: bool) -> None:
    watch = guard((rule("r", Action.FLAG, on_error=on_error), Broken(OSError())))
    result, request, record = screened(watch, {"model": "m", "messages": [{"role": "user", "content": "x"}]})
    assert (result.blocked is not None) == blocked
    assert [blind.rule for blind in record.blind] == ["r"]
    assert request.final()["messages"][0]["content"] == "x"


def test_look_judges_one_text() -> None:
    watch = guard((rule("r", Action.BLOCK, say="no"), Word(BAD)))
    record = exchange(watch)
    blocked = asyncio.run(Screen(watch, record).look(f"a {BAD}"))
    assert blocked is not None
    assert blocked.say == "no"
    assert asyncio.run(Screen(watch, record).look("fine")) is None
