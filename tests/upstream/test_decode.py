import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.upstream.decode import Reply
from proxy.upstream.fields import UnknownFields
from proxy.upstream.protocol import Chunk, ToolDelta, UpstreamError, Usage

DONE = b"data: [DONE]\n\n"
MOST = 1 << 20


def sse(*events: object) -> bytes:
    return b"".join(b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n" for event in events)


def choice(index: int = 0, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def chunk(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": list(choices), **more}


class Seen:
    """A reply with what it counted."""

    def __init__(self, choices: int = 1, most: int = MOST) -> None:
        self.unknown: Counter[str] = Counter()
        self.reply = Reply(choices, most, UnknownFields(lambda name: self.unknown.update([name])))

    def all(self, data: bytes) -> list[Chunk]:
        chunks = self.reply.feed(data)
        self.reply.finish()
        return chunks


def decode(data: bytes, choices: int = 1) -> list[Chunk]:
    return Seen(choices).all(data)


def fault(data: bytes, choices: int = 1) -> UpstreamError:
    with pytest.raises(UpstreamError) as error:
        decode(data, choices)
    return error.value


END = sse(chunk(choice(finish="stop"))) + DONE


@pytest.mark.parametrize(
    ("deltas", "reasoning", "content", "unknown"),
    [
        ([{"reasoning_content": "R"}, {"content": "A"}], "R", "A", {}),  # vLLM to 0.11.0, SGLang forks
        (
            [{"reasoning": "R", "reasoning_content": "R"}, {"content": "A", "reasoning_content": None}],
            "R",
            "A",
            {},
        ),  # vLLM 0.11.1-0.15
        ([{"reasoning": "R"}, {"content": "A"}], "R", "A", {}),  # vLLM from 0.16
        ([{"content": None, "reasoning_content": "R"}, {"content": "A", "reasoning_content": None}], "R", "A", {}),  # DeepSeek
        ([{"role": None, "content": "", "reasoning_content": "R", "tool_calls": None}], "R", "", {}),  # SGLang
        ([{"reasoning": "R", "content": "A"}], "R", "A", {}),  # the delta that holds the closing tag
        ([{"reasoning": "", "reasoning_content": "R"}], "R", "", {}),
        ([{"reasoning": "one", "reasoning_content": "two"}], "onetwo", "", {"reasoning_differs": 1}),
    ],
)
def test_field_names(deltas: list[dict[str, Any]], reasoning: str, content: str, unknown: dict[str, int]) -> None:
    seen = Seen()
    chunks = seen.all(sse(*(chunk(choice(**delta)) for delta in deltas)) + END)
    assert ("".join(c.reasoning for c in chunks), "".join(c.content for c in chunks)) == (reasoning, content)
    assert seen.unknown == unknown


def test_empty_chunks_are_left_out() -> None:
    chunks = decode(sse(chunk(choice(role="assistant", content=""), prompt_token_ids=None), chunk(choice(content="A"))) + END)
    assert chunks == [Chunk(content="A"), Chunk(finish="stop")]


def test_tools_refusals_functions_and_logprobs() -> None:
    events = sse(
        chunk(choice(tool_calls=[{"index": 1, "id": "x", "type": "function", "function": {"name": "f", "arguments": ""}}])),
        chunk(choice(tool_calls=[{"index": 1, "function": {"arguments": '{"a"'}}, {"index": 0, "function": {"name": None}}])),
        chunk(choice(function_call={"name": "old", "arguments": "{}"})),
        chunk(choice(refusal="No.")),
        chunk({**choice(content="A"), "logprobs": {"content": [{"token": "A", "logprob": -1}]}}),
        chunk(choice(finish="tool_calls")),
    )
    chunks = decode(events + DONE)
    assert [c.tools for c in chunks[:3]] == [
        (ToolDelta(1, "f", ""),),
        (ToolDelta(1, "", '{"a"'), ToolDelta(0)),
        (ToolDelta(-1, "old", "{}"),),
    ]
    assert chunks[3].refusal == "No."
    assert chunks[4].logprobs == [{"token": "A", "logprob": -1}]
    assert chunks[5].finish == "tool_calls"


@pytest.mark.parametrize("finish", ["stop", "length", "tool_calls", "function_call", "content_filter"])
def test_finish_reasons(finish: str) -> None:
    assert decode(sse(chunk(choice(content="x")), chunk(choice(finish=finish))) + DONE)[-1].finish == finish


def test_unknown_fields_are_dropped_and_counted() -> None:
    seen = Seen()
    event = chunk({**choice(content="A", annotations=[], secret="s", audio={"x": 1}), "hidden_states": [1]}, extra=1)
    assert seen.all(sse(event) + END)[0] == Chunk(content="A")
    assert seen.unknown == {"secret": 1, "audio": 1, "hidden_states": 1, "extra": 1}


def test_names_that_are_counted_are_bounded() -> None:
    names: Counter[str] = Counter()
    unknown = UnknownFields(lambda name: names.update([name]), most=3)
    for name in ["a", "Bad Name", "b" * 99, "c", "d", "e", "a"]:
        unknown(name)
    assert names == {"a": 2, "c": 1, "d": 1, "other": 3}


def test_usage_final_and_continuous() -> None:
    final = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    chunks = decode(
        sse(
            chunk(choice(content="A"), usage={**final, "completion_tokens": 1}),
            chunk(choice(content="B"), usage={**final, "completion_tokens": 2}),
            chunk(choice(finish="stop"), usage=None),
            chunk(usage={**final, "completion_tokens_details": {"reasoning_tokens": 3}}),
        )
        + DONE
    )
    assert [c.usage for c in chunks] == [None, Usage(5, 2), None, Usage(5, 7, 3)]  # of one read only the last counts
    assert [c.choice for c in chunks] == [0, 0, 0, -1]


def test_usage_beside_the_finish_and_with_nonsense() -> None:
    chunks = decode(
        sse(chunk(choice(finish="stop"), usage={"prompt_tokens": 1, "completion_tokens": 2, "reasoning_tokens": 9})) + DONE
    )
    assert chunks == [Chunk(finish="stop", usage=Usage(1, 2, 2))]
    seen = Seen()
    assert seen.all(sse(chunk(choice(finish="stop"), usage={"prompt_tokens": -1})) + DONE)[0].usage is None
    assert seen.unknown == {"usage": 1}


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "m", "type": "InternalServerError", "param": None, "code": 500}},
        {"error": {"object": "error", "message": "m", "type": "X", "code": 500}},
        {"object": "error", "message": "m", "type": "InternalServerError", "code": 500},
        {"error": "m"},
        chunk(choice(finish="abort")),
        chunk(choice(finish="error")),
    ],
)
def test_errors_in_the_stream(event: object) -> None:
    seen = Seen()
    assert seen.reply.feed(sse(chunk(choice(content="A")), event) + DONE) == [Chunk(content="A")]
    assert seen.reply.fault is not None
    assert seen.reply.fault.kind == "mid_stream"
    assert seen.reply.feed(END) == []


@pytest.mark.parametrize(
    "event",
    [
        [],
        "text",
        {},
        {"choices": None},
        {"choices": {}},
        {"choices": [1]},
        chunk(choice(index=1, content="x")),
        chunk(choice(index=-1, content="x")),
        chunk({"index": "0", "delta": {"content": "x"}}),
        chunk({"index": True, "delta": {}}),
        chunk({"index": 0, "delta": []}),
        chunk({"index": 0, "delta": "text"}),
        chunk(choice(content=["x"])),
        chunk(choice(content=7)),
        chunk(choice(reasoning={"text": "x"})),
        chunk(choice(reasoning_content=True)),
        chunk(choice(refusal=1)),
        chunk(choice(tool_calls={})),
        chunk(choice(tool_calls=[1])),
        chunk(choice(tool_calls=[{"index": 128, "function": {}}])),
        chunk(choice(tool_calls=[{"index": "0", "function": {}}])),
        chunk(choice(tool_calls=[{"index": 0, "function": "f"}])),
        chunk(choice(tool_calls=[{"index": 0, "function": {"arguments": {"a": 1}}}])),
        chunk(choice(function_call="f")),
        chunk(choice(finish="bored")),
        chunk({**choice(), "finish_reason": ["stop"]}),
        chunk({**choice(content="x"), "logprobs": {"content": ["x"]}}),
        chunk({**choice(content="x"), "logprobs": 1}),
    ],
)
def test_what_is_not_the_format(event: object) -> None:
    assert fault(sse(event) + END).kind == "protocol"


@pytest.mark.parametrize("payload", [b"{", b"\xff", b'{"choices":[{"index":0,"delta":{"content":"\xff"}}]}', b"nonsense", b"NaN"])
def test_what_is_not_json(payload: bytes) -> None:
    assert fault(b"data: " + payload + b"\n\n" + END).kind == "protocol"


def test_an_overlong_event() -> None:
    seen = Seen(most=200)
    assert seen.reply.feed(sse(chunk(choice(content="A")), chunk(choice(content="x" * 300)))) == [Chunk(content="A")]
    assert seen.reply.fault is not None
    assert seen.reply.fault.kind == "protocol"


@pytest.mark.parametrize(
    ("data", "choices"),
    [
        (b"", 1),
        (sse(chunk(choice(content="A"))), 1),
        (sse(chunk(choice(content="A"))) + DONE, 1),
        (sse(chunk(choice(finish="stop"))), 1),
        (DONE, 1),
        (sse(chunk(choice(finish="stop")), chunk(choice(index=1, content="B"))) + DONE, 2),
        (sse(chunk(choice(finish="stop"))) + b"data: [DON", 1),
    ],
)
def test_an_answer_that_breaks_off(data: bytes, choices: int) -> None:
    assert fault(data, choices).kind == "truncated"


def test_what_follows_the_end_is_ignored() -> None:
    seen = Seen()
    assert seen.reply.feed(END + sse(chunk(choice(content="more")))) == [Chunk(finish="stop")]
    assert seen.reply.done
    assert seen.reply.feed(b"garbage") == []
    seen.reply.finish()


def test_a_choice_that_goes_on_after_its_end() -> None:
    assert fault(sse(chunk(choice(finish="stop")), chunk(choice(content="more"))) + DONE).kind == "protocol"
    again = sse(
        chunk(choice(finish="stop")),
        chunk(choice(finish="stop", content="")),
        chunk(usage={"prompt_tokens": 1, "completion_tokens": 1}),
    )
    assert [c.finish for c in decode(again + DONE)] == ["stop", None]


def test_the_last_blank_line_may_be_missing() -> None:
    assert decode(END[:-2]) == [Chunk(finish="stop")]


def test_a_whole_body() -> None:
    message = {"role": "assistant", "content": "A", "reasoning": "R", "refusal": None, "function_call": None, "annotations": None}
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    body = chunk(
        {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop", "stop_reason": None},
        {"index": 1, "message": {"content": None, "tool_calls": [call, call]}, "finish_reason": "tool_calls"},
        usage={"prompt_tokens": 1, "completion_tokens": 2},
    )
    chunks = Reply(2, MOST, UnknownFields(lambda name: None)).whole(json.dumps(body).encode())
    assert chunks[0] == Chunk(reasoning="R", content="A", finish="stop")
    assert chunks[1].tools == (ToolDelta(0, "f", "{}"), ToolDelta(1, "f", "{}"))
    assert chunks[1].usage == Usage(1, 2)
    with pytest.raises(UpstreamError, match="broke off"):
        Reply(1, MOST, UnknownFields(lambda name: None)).whole(json.dumps(chunk({"index": 0, "message": message})).encode())


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
events = st.lists(
    st.builds(lambda i, **delta: chunk(choice(i, **delta)), st.integers(0, 1), content=texts)
    | st.builds(lambda i, **delta: chunk(choice(i, **delta)), st.integers(0, 1), reasoning=texts, reasoning_content=st.none()),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(events, st.lists(st.integers(1, 60), min_size=1, max_size=9), st.booleans())
def test_no_cut_changes_anything(stream: list[dict[str, Any]], sizes: list[int], broken: bool) -> None:
    data = sse(*stream) + (b"data: {\n\n" if broken else sse(chunk(choice(0, "stop"), choice(1, "length"))) + DONE)
    once, cut = Seen(2).reply, Seen(2).reply
    expected, chunks, at = once.feed(data), [], 0
    while at < len(data):
        size = sizes[at % len(sizes)]
        chunks += cut.feed(data[at : at + size])
        at += size
    assert chunks == expected
    assert (once.done, once.fault is not None) == (cut.done, cut.fault is not None) == (not broken, broken)
