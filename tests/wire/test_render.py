"""What a client sees has the API's shape: the SDK's own types read it, streamed and whole, and both say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from proxy.errors import ApiError
from proxy.upstream.protocol import FinishReason, Usage
from proxy.wire.render import COMMENT, DONE, Out, ReasoningField, StreamOut, WholeOut, usage_body
from proxy.wire.sse import EventParser

FIELDS: tuple[ReasoningField, ...] = ("both", "reasoning", "reasoning_content")
ENTRY = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
Story = Callable[[Out], None]


def chunks(story: Story, field: ReasoningField = "both", legacy: bool = False, **end: Any) -> list[dict[str, Any]]:
    out = StreamOut("r1", field, legacy)
    story(out)
    out.end(end.get("usage"), end.get("extension"))
    events = EventParser(1 << 20).feed(out.take() + DONE)
    assert events[-1] == b"[DONE]"
    assert out.take() == b""
    return [json.loads(event) for event in events[:-1]]


def whole(story: Story, field: ReasoningField = "both", legacy: bool = False, choices: int = 1, **end: Any) -> dict[str, Any]:
    out = WholeOut("r1", field, choices, legacy)
    story(out)
    body: dict[str, Any] = json.loads(out.body(end.get("usage"), end.get("extension")))
    return body


def strictly(model: type[Any], value: Mapping[str, Any]) -> Any:
    """Read by the SDK's type; nothing of ours is unknown to it but what is named here."""
    read = model.model_validate(value, strict=True)
    extra = {*(read.model_extra or {})}
    assert extra <= {"sluicegate"}
    for choice in read.choices:
        part = choice.delta if hasattr(choice, "delta") else choice.message
        assert {*(part.model_extra or {})} <= {"reasoning", "reasoning_content"}
        assert not choice.model_extra
    return read


def tell(out: Out) -> None:
    """A reply with everything in it, by two choices."""
    for choice in (0, 1):
        out.begin(choice)
        out.reasoning(choice, "Hm ")
        out.reasoning(choice, "\u2028so.")
        out.answer(choice, "Hi", [ENTRY])
        out.answer(choice, ' "there"\n')
        out.tool(choice, 0, "find", '{"q": "x"}')
        out.tool(choice, 1, "send", "{}")
        out.finish(choice, "tool_calls")


@pytest.mark.parametrize("field", FIELDS)
def test_streamed(field: ReasoningField) -> None:
    read = [strictly(ChatCompletionChunk, each) for each in chunks(tell, field, usage=Usage(3, 4))]
    assert len({chunk.id for chunk in read}) == len({chunk.created for chunk in read}) == 1
    assert {chunk.model for chunk in read} == {"r1"}
    for index in (0, 1):
        mine = [chunk.choices[0] for chunk in read if chunk.choices and chunk.choices[0].index == index]
        assert mine[0].delta.role == "assistant"
        assert "".join(choice.delta.content or "" for choice in mine) == 'Hi "there"\n'
        for name in ("reasoning", "reasoning_content"):
            thought = "".join((choice.delta.model_extra or {}).get(name, "") for choice in mine)
            assert thought == ("Hm \u2028so." if field in ("both", name) else "")
        calls = [call for choice in mine for call in choice.delta.tool_calls or ()]
        assert [(call.index, call.function.name, call.function.arguments) for call in calls] == [
            (0, "find", '{"q": "x"}'),
            (1, "send", "{}"),
        ]
        assert [choice.finish_reason for choice in mine if choice.finish_reason] == ["tool_calls"]
        assert mine[-1].finish_reason == "tool_calls"
        assert [choice.logprobs.content[0].token for choice in mine if choice.logprobs] == ["Hi"]
    assert read[-1].choices == []
    assert read[-1].usage == CompletionUsage(prompt_tokens=3, completion_tokens=4, total_tokens=7)
    assert [chunk.usage for chunk in read[:-1]] == [None] * (len(read) - 1)


@pytest.mark.parametrize("field", FIELDS)
def test_whole(field: ReasoningField) -> None:
    read = strictly(ChatCompletion, whole(tell, field, choices=2, usage=Usage(3, 4, 2)))
    assert (read.object, read.model, read.usage.total_tokens) == ("chat.completion", "r1", 7)
    assert read.usage.completion_tokens_details.reasoning_tokens == 2
    assert [choice.index for choice in read.choices] == [0, 1]
    for choice in read.choices:
        message = choice.message
        assert (message.role, message.content, message.refusal) == ("assistant", 'Hi "there"\n', None)
        assert [call.function.name for call in message.tool_calls] == ["find", "send"]
        assert choice.logprobs.content[0].token == "Hi"
        names = {"reasoning", "reasoning_content"} if field == "both" else {field}
        assert message.model_extra == dict.fromkeys(names, "Hm \u2028so.")
        assert choice.finish_reason == "tool_calls"


def test_ids_are_made_anew() -> None:
    """The server's never reach a client, and two replies share none."""
    first, second = whole(tell, choices=2), whole(tell, choices=2)
    ids = [re.findall(r'"id": "([^"]+)"', json.dumps(body)) for body in (first, second)]
    assert len({*ids[0], *ids[1]}) == len(ids[0]) + len(ids[1]) == 10
    assert all(re.fullmatch(r"(chatcmpl-|call_)[0-9a-f]{24}", each) for each in ids[0])


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls", "function_call"])
def test_finish_reasons(reason: FinishReason) -> None:
    def story(out: Out) -> None:
        out.begin(0)
        out.answer(0, "x")
        out.finish(0, reason)

    assert strictly(ChatCompletion, whole(story)).choices[0].finish_reason == reason
    assert strictly(ChatCompletionChunk, chunks(story)[-1]).choices[0].finish_reason == reason


def test_legacy_function_calls() -> None:
    def story(out: Out) -> None:
        out.begin(0)
        out.tool(0, 0, "find", '{"q": 1}')
        out.finish(0, "tool_calls")

    message = strictly(ChatCompletion, whole(story, legacy=True)).choices[0]
    assert (message.message.function_call.name, message.message.function_call.arguments) == ("find", '{"q": 1}')
    assert (message.message.content, message.message.tool_calls, message.finish_reason) == (None, None, "function_call")
    read = [strictly(ChatCompletionChunk, each).choices[0] for each in chunks(story, legacy=True)]
    assert [choice.delta.function_call.name for choice in read if choice.delta.function_call] == ["find"]
    assert read[-1].finish_reason == "function_call"


def test_refusals() -> None:
    def story(out: Out) -> None:
        out.begin(0)
        out.refusal(0, "I must ")
        out.refusal(0, "not.")
        out.finish(0, "content_filter")

    read = strictly(ChatCompletion, whole(story)).choices[0]
    assert (read.message.refusal, read.message.content, read.finish_reason) == ("I must not.", "", "content_filter")
    deltas = [strictly(ChatCompletionChunk, each).choices[0].delta for each in chunks(story)]
    assert "".join(delta.refusal or "" for delta in deltas) == "I must not."


def test_an_empty_reply() -> None:
    def story(out: Out) -> None:
        out.begin(0)
        out.finish(0, "stop")

    body = whole(story)
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "", "refusal": None}
    strictly(ChatCompletion, body | {"usage": None})


@pytest.mark.parametrize(
    ("usage", "body"),
    [
        (Usage(1, 2), {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
        (
            Usage(1, 2, 0),
            {
                "prompt_tokens": 1,
                "completion_tokens": 2,
                "total_tokens": 3,
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
        ),
        (Usage(0, 0, None, "estimate"), {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "source": "estimate"}),
    ],
)
def test_usage(usage: Usage, body: dict[str, Any]) -> None:
    assert usage_body(usage) == body
    assert CompletionUsage.model_validate(body).total_tokens == usage.prompt + usage.completion


def test_the_end_of_a_stream() -> None:
    def story(out: Out) -> None:
        out.begin(0)

    assert len(chunks(story)) == 1
    assert chunks(story, usage=Usage(1, 2))[-1]["usage"]["total_tokens"] == 3
    extended = chunks(story, extension={"action": "block"})[-1]
    assert (extended["choices"], extended["sluicegate"], extended.get("usage")) == ([], {"action": "block"}, None)
    assert len(chunks(story, usage=Usage(1, 2), extension={"a": 1})) == 2
    assert whole(story, extension={"action": "block"})["sluicegate"] == {"action": "block"}
    assert "sluicegate" not in whole(story)


def test_a_choice_begins_once() -> None:
    out = StreamOut("m", "both")
    out.begin(0)
    out.begin(0)
    out.begin(1)
    assert out.take().count(b'"role":"assistant"') == 2


def test_an_error_in_the_middle() -> None:
    out = StreamOut("m", "both")
    out.error(ApiError(502, "The model server failed.", code="upstream_truncated"))
    (event,) = EventParser(1 << 20).feed(out.take())
    error = json.loads(event)["error"]
    assert error == {"message": "The model server failed.", "type": "server_error", "param": None, "code": "upstream_truncated"}


def test_comments_are_none_for_a_parser() -> None:
    assert EventParser(1 << 20).feed(COMMENT) == []


# ---- streamed and whole say the same

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
STEPS = st.lists(st.tuples(st.sampled_from(["reasoning", "answer", "refusal"]), TEXTS), max_size=8)


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_any_text_arrives_unchanged_both_ways(steps: Sequence[tuple[str, str]]) -> None:
    def story(out: Out) -> None:
        out.begin(0)
        for kind, text in steps:
            getattr(out, kind)(0, text)
        out.finish(0, "stop")

    said = {kind: "".join(text for each, text in steps if each == kind) for kind in ("reasoning", "answer", "refusal")}
    message = whole(story, "reasoning")["choices"][0]["message"]
    assert (message["content"], message["refusal"] or "", message.get("reasoning", "")) == (
        said["answer"],
        said["refusal"],
        said["reasoning"],
    )
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(story, "reasoning")]
    for kind, name in (("answer", "content"), ("refusal", "refusal"), ("reasoning", "reasoning")):
        assert "".join(delta.get(name, "") for delta in deltas) == said[kind]
