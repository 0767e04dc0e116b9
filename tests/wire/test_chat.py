"""What is made of a request: our own messages, tools and formats, and one leaf for every text in them."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifiers.finding import Channel, Turn
from policies.policy import Policy
from proxy.wire.chat import ChatRequest, parse
from proxy.wire.leaves import Leaf

POLICY = Policy("p", (), "0" * 64)
USER = {"role": "user", "content": "hi"}
FUNCTION = {"name": "find", "description": "Finds.", "parameters": {"type": "object", "properties": {"q": {}}}, "strict": True}


def read(*messages: dict[str, Any], **more: Any) -> ChatRequest:
    return parse(json.dumps({"model": "m", "messages": list(messages) or [USER], **more}).encode(), POLICY, 1000)


def leaf(request: ChatRequest, place: str) -> Leaf:
    (found,) = (leaf for leaf in request.leaves if leaf.place == place)
    return found


# ---- messages


def test_roles_and_names() -> None:
    request = read(
        {"role": "system", "content": "one", "name": "boss"},
        {"role": "user", "content": "two", "name": "ann"},
        {"role": "developer", "content": [{"type": "text", "text": "three"}, {"type": "text", "text": "four"}]},
        {"role": "assistant", "content": "five"},
        {"role": "user", "content": "six"},
    )
    assert request.final()["messages"] == [
        {"role": "system", "content": "one\n\nthree\nfour"},
        {"role": "user", "content": "two", "name": "ann"},
        {"role": "assistant", "content": "five"},
        {"role": "user", "content": "six"},
    ]
    assert request.roles == ("system", "user", "developer", "assistant", "user")
    assert request.indices == [1, 3, 4]
    assert request.context.prompt == "six"
    assert request.context.conversation == (
        Turn("system", "one"),
        Turn("user", "two"),
        Turn("system", "three\nfour"),
        Turn("assistant", "five"),
        Turn("user", "six"),
    )
    assert leaf(request, "messages[2].content").seams == (5,)
    assert (leaf(request, "messages[0].name").box, leaf(request, "messages[1].name").message) == (None, 1)


def test_tool_calls_and_results() -> None:
    call: dict[str, Any] = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"q": 1}'}}
    request = read(
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call, {"function": call["function"]}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "found", "name": "find"},
    )
    first, second = request.final()["messages"][1]["tool_calls"]
    assert (first, second["id"]) == (call, "call_1")
    assert "content" not in request.final()["messages"][1]
    assert request.final()["messages"][2] == {"role": "tool", "content": "found", "name": "find", "tool_call_id": "call_1"}
    assert leaf(request, "messages[2].content").channel is Channel.CONTEXT
    assert leaf(request, "messages[1].tool_calls[0].function.arguments").replace("{}")
    assert request.final()["messages"][1]["tool_calls"][0]["function"]["arguments"] == "{}"
    assert not leaf(request, "messages[1].tool_calls[0].function.name").replace("other")


def test_legacy_functions_become_tools() -> None:
    request = read(
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": "{}"}},
        {"role": "function", "name": "find", "content": "found"},
        functions=[FUNCTION],
        function_call={"name": "find"},
    )
    final = request.final()
    assert request.legacy
    assert final["tools"] == [{"type": "function", "function": FUNCTION}]
    assert final["tool_choice"] == {"type": "function", "function": {"name": "find"}}
    calling, result = final["messages"][1:]
    assert calling["tool_calls"][0]["id"] == result["tool_call_id"] == "call_find"
    assert (result["role"], result["name"]) == ("tool", "find")
    assert not {"functions", "function_call"} & {*final, *calling}


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ({"content": None}, ""),
        ({"content": ""}, ""),
        ({"content": None, "refusal": "I must not."}, "I must not."),
        ({"content": "yes", "refusal": "no"}, "yes"),
        ({"content": [{"type": "refusal", "refusal": "no"}]}, "no"),
        ({"content": "yes", "reasoning": "hm", "reasoning_content": "hm"}, "yes"),
        ({"content": "<think>hm</think>\n\nyes"}, "yes"),
        ({"content": "\n<think>\nhm\n</think>yes </think> no"}, "yes </think> no"),
        ({"content": "<think>never closed"}, "<think>never closed"),
        ({"content": "yes <think>hm</think>"}, "yes <think>hm</think>"),
    ],
)
def test_old_replies(message: dict[str, Any], sent: str) -> None:
    """Old reasoning is judged and not sent; a message without text has an empty one, for R1's template."""
    request = read(USER, {"role": "assistant", **message})
    assert request.final()["messages"][1] == {"role": "assistant", "content": sent}
    judged = "".join(leaf.text for leaf in request.leaves if leaf.message == 1)
    for text in ("hm", "no", "yes", "I must not."):
        assert (text in judged) == (text in json.dumps(message))


@given(st.lists(st.text(alphabet="ab\n", max_size=4), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_parts_are_joined_with_line_breaks_at_their_seams(parts: list[str]) -> None:
    request = read({"role": "user", "content": [{"type": "text", "text": part} for part in parts]})
    content = leaf(request, "messages[0].content")
    assert content.text == request.final()["messages"][0]["content"] == request.context.prompt == "\n".join(parts)
    edges = [-1, *content.seams, len(content.text)]
    assert [content.text[a + 1 : b] for a, b in pairwise(edges)] == parts


@given(st.lists(st.text(alphabet="ab\n", max_size=4), min_size=2, max_size=5))
@settings(max_examples=100, deadline=None)
def test_seams_behind_an_old_thought(parts: list[str]) -> None:
    """What is cut off in front moves the seams with it."""
    texts = [{"type": "text", "text": "<think>hm</think>x" + parts[0]}, *({"type": "text", "text": part} for part in parts[1:])]
    content = leaf(read(USER, {"role": "assistant", "content": texts}), "messages[1].content")
    assert content.text == "x" + "\n".join(parts)
    edges = [-1, *content.seams, len(content.text)]
    assert [content.text[a + 1 : b] for a, b in pairwise(edges)] == ["x" + parts[0], *parts[1:]]


# ---- everything else


def test_tools_and_formats() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "number", "maximum": 1.5}}}
    request = read(
        tools=[{"type": "function", "function": FUNCTION}, {"type": "function", "function": {"name": "bare"}}],
        tool_choice="required",
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "r", "description": "d", "schema": schema, "strict": True},
        },
    )
    final = request.final()
    assert final["tools"] == [{"type": "function", "function": FUNCTION}, {"type": "function", "function": {"name": "bare"}}]
    assert final["tool_choice"] == "required"
    assert final["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "r", "description": "d", "schema": schema, "strict": True},
    }
    assert (request.tools, request.wants_json, request.legacy) == (frozenset({"find", "bare"}), True, False)


@pytest.mark.parametrize(
    ("wanted", "sent", "wants_json"),
    [
        (None, None, False),
        ({"type": "text"}, None, False),
        ({"type": "json_object"}, {"type": "json_object"}, True),
        ({"type": "json_schema", "json_schema": {"name": "r"}}, {"type": "json_schema", "json_schema": {"name": "r"}}, True),
    ],
)
def test_response_formats(wanted: Any, sent: Any, wants_json: bool) -> None:
    request = read(response_format=wanted)
    assert (request.final().get("response_format"), request.wants_json) == (sent, wants_json)


@pytest.mark.parametrize(
    ("more", "name", "value"),
    [
        ({}, "stream", False),
        ({"stream": True}, "stream", True),
        ({"stream": None}, "stream", False),
        ({}, "include_usage", False),
        ({"stream_options": {"include_usage": True}}, "include_usage", True),
        ({"stream_options": {}}, "include_usage", False),
        ({}, "limit", None),
        ({"max_tokens": 5}, "limit", 5),
        ({"max_completion_tokens": 7}, "limit", 7),
        ({"max_tokens": 5, "max_completion_tokens": 7}, "limit", 7),
        ({"stop": "x"}, "stops", ("x",)),
        ({"stop": ["x", "y"]}, "stops", ("x", "y")),
        ({"stop": []}, "stops", ()),
        ({"stop": None}, "stops", ()),
        ({"n": 3}, "choices", 3),
        ({"n": None}, "choices", 1),
        ({"functions": []}, "legacy", True),
    ],
)
def test_what_we_do_ourselves(more: dict[str, Any], name: str, value: Any) -> None:
    """Streaming, usage, limits and stops are ours: the server never hears of them."""
    request = read(**more)
    assert getattr(request, name) == value
    assert not {"stream", "stream_options", "stop", "max_tokens", "max_completion_tokens"} & set(request.final())


def test_every_string_that_is_sent_is_a_leaf() -> None:
    """Roles, ids and the model's name, which are checked against an alphabet or a list, are the exceptions."""
    request = read(
        {"role": "system", "content": "text 1"},
        {"role": "user", "content": "text 2", "name": "text 3"},
        {"role": "assistant", "content": "t4", "tool_calls": [{"id": "i", "function": {"name": "find", "arguments": "t5"}}]},
        {"role": "tool", "tool_call_id": "i", "content": "text 6"},
        tools=[{"type": "function", "function": FUNCTION}],
        tool_choice={"type": "function", "function": {"name": "find"}},
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"enum": ["text 7"]}}},
    )
    judged = {leaf.text for leaf in request.leaves}
    closed = {"m", "system", "user", "assistant", "tool", "function", "i", "json_schema"}
    assert set(_strings(request.final())) - judged == closed


def _strings(value: Any) -> list[str]:
    """Every string in what is sent, and the keys of schemas."""
    if isinstance(value, dict):
        inside = [text for each in value.values() for text in _strings(each)]
        names = [key for schema in ("parameters", "schema") if schema in value for key in value[schema]]
        return inside + names
    if isinstance(value, list):
        return [text for each in value for text in _strings(each)]
    return [value] if isinstance(value, str) else []


def test_masking_a_leaf_changes_what_is_sent() -> None:
    request = read({"role": "system", "content": "a"}, {"role": "user", "content": "b"})
    for each in request.leaves:
        each.replace(each.text + "!")
    assert [message["content"] for message in request.final()["messages"]] == ["a!", "b!"]


def test_ten_thousand_messages() -> None:
    messages = [{"role": ("user", "assistant")[at % 2], "content": f"message {at}"} for at in range(10_000)]
    request = parse(json.dumps({"model": "m", "messages": messages}).encode(), POLICY, 10_000)
    assert len(request.leaves) == len(request.final()["messages"]) == 10_000
    assert request.chars == sum(len(message["content"]) for message in messages)
