"""What a client sees: chunks over SSE, or one JSON body. Both are fed with the same calls."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import orjson

from proxy.errors import ApiError
from proxy.upstream.protocol import FinishReason, Usage

ReasoningField = Literal["both", "reasoning", "reasoning_content"]
DONE = b"data: [DONE]\n\n"
COMMENT = b": keep-alive\n\n"


class Out(Protocol):
    """Where judged text goes. `choice` is the index of the choice."""

    def begin(self, choice: int) -> None: ...
    def reasoning(self, choice: int, text: str) -> None: ...
    def answer(self, choice: int, text: str, logprobs: Sequence[Mapping[str, Any]] | None = None) -> None: ...
    def refusal(self, choice: int, text: str) -> None: ...
    def tool(self, choice: int, index: int, name: str, arguments: str) -> None: ...
    def finish(self, choice: int, reason: FinishReason) -> None: ...


def call_id() -> str:
    """A new id for a tool call: the server's own never reaches the client."""
    return "call_" + secrets.token_hex(12)


def usage_body(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage object. `source` stands in it where the numbers are not the server's own."""
    body: dict[str, Any] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }
    if usage.reasoning is not None:
        body["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    if usage.source != "server":
        body["source"] = usage.source
    return body


class StreamOut:
    """Renders `chat.completion.chunk` events; `take` gives the bytes that have come together."""

    def __init__(self, model: str, field: ReasoningField, legacy: bool = False) -> None:
        self.created = int(time.time())
        head = {
            "id": "chatcmpl-" + secrets.token_hex(12),
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": model,
        }
        self._head = orjson.dumps(head)[:-1]
        names = ("reasoning", "reasoning_content") if field == "both" else (field,)
        self._names = tuple(b'"%s":' % name.encode() for name in names)
        self._legacy = legacy
        self._parts: list[bytes] = []
        self._answers: dict[int, bytes] = {}
        self._thoughts: dict[int, bytes] = {}
        self._begun: set[int] = set()
        self.spoken = False  # some text of the model, or of the policy, was rendered

    def take(self) -> bytes:
        """The bytes since the last call."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data

    def begin(self, choice: int) -> None:
        if choice not in self._begun:
            self._begun.add(choice)
            self._delta(choice, {"role": "assistant", "content": ""})

    def reasoning(self, choice: int, text: str) -> None:
        self.spoken = True
        data = orjson.dumps(text)
        head = self._thoughts.get(choice)
        if head is None:
            head = self._thoughts[choice] = b'data: %s,"choices":[{"index":%d,"delta":{' % (self._head, choice)
        self._parts += (head, b",".join([name + data for name in self._names]), b'},"logprobs":null,"finish_reason":null}]}\n\n')

    def answer(self, choice: int, text: str, logprobs: Sequence[Mapping[str, Any]] | None = None) -> None:
        self.spoken = True
        if logprobs:
            self._delta(choice, {"content": text}, logprobs={"content": logprobs, "refusal": None})
            return
        head = self._answers.get(choice)
        if head is None:
            head = b'data: %s,"choices":[{"index":%d,"delta":{"content":' % (self._head, choice)
            self._answers[choice] = head
        self._parts += (head, orjson.dumps(text), b'},"logprobs":null,"finish_reason":null}]}\n\n')

    def refusal(self, choice: int, text: str) -> None:
        self._delta(choice, {"refusal": text})

    def tool(self, choice: int, index: int, name: str, arguments: str) -> None:
        function = {"name": name, "arguments": arguments}
        if self._legacy:
            self._delta(choice, {"function_call": function})
        else:
            self._delta(choice, {"tool_calls": [{"index": index, "id": call_id(), "type": "function", "function": function}]})

    def finish(self, choice: int, reason: FinishReason) -> None:
        self._delta(choice, {}, "function_call" if self._legacy and reason == "tool_calls" else reason)

    def end(self, usage: Usage | None, extension: Mapping[str, Any] | None) -> None:
        """The last chunks before `[DONE]`: usage where the caller asked for it, the extension where there is one."""
        if usage is None and not extension:
            return
        body: dict[str, Any] = {"choices": []}
        if usage is not None:
            body["usage"] = usage_body(usage)
        if extension:
            body["sluicegate"] = extension
        self._parts += (b"data: ", self._head, b",", orjson.dumps(body)[1:], b"\n\n")

    def error(self, error: ApiError) -> None:
        """An error after the headers: an event that SDKs raise."""
        self._parts += (b"data: ", error.body(), b"\n\n")

    def _delta(self, choice: int, delta: Mapping[str, Any], finish: str | None = None, logprobs: Any = None) -> None:
        body = orjson.dumps({"index": choice, "delta": delta, "logprobs": logprobs, "finish_reason": finish})
        self._parts += (b"data: ", self._head, b',"choices":[', body, b"]}\n\n")


class WholeOut:
    """Puts a whole `chat.completion` together."""

    def __init__(self, model: str, field: ReasoningField, choices: int, legacy: bool = False) -> None:
        self._model, self._legacy = model, legacy
        self._names = ("reasoning", "reasoning_content") if field == "both" else (field,)
        self._thoughts: list[list[str]] = [[] for _ in range(choices)]
        self._answers: list[list[str]] = [[] for _ in range(choices)]
        self._refusals: list[list[str]] = [[] for _ in range(choices)]
        self._logprobs: list[list[Mapping[str, Any]]] = [[] for _ in range(choices)]
        self._tools: list[list[dict[str, Any]]] = [[] for _ in range(choices)]
        self._finish: list[str] = ["stop"] * choices

    def begin(self, choice: int) -> None:
        return

    def reasoning(self, choice: int, text: str) -> None:
        self._thoughts[choice].append(text)

    def answer(self, choice: int, text: str, logprobs: Sequence[Mapping[str, Any]] | None = None) -> None:
        self._answers[choice].append(text)
        self._logprobs[choice] += logprobs or ()

    def refusal(self, choice: int, text: str) -> None:
        self._refusals[choice].append(text)

    def tool(self, choice: int, index: int, name: str, arguments: str) -> None:
        self._tools[choice].append({"name": name, "arguments": arguments})

    def finish(self, choice: int, reason: FinishReason) -> None:
        self._finish[choice] = "function_call" if self._legacy and reason == "tool_calls" else reason

    def body(self, usage: Usage | None, extension: Mapping[str, Any] | None) -> bytes:
        """The JSON."""
        body: dict[str, Any] = {
            "id": "chatcmpl-" + secrets.token_hex(12),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self._model,
            "choices": [self._choice(index) for index in range(len(self._answers))],
            "usage": usage_body(usage) if usage else None,
        }
        if extension:
            body["sluicegate"] = extension
        return orjson.dumps(body)

    def _choice(self, index: int) -> dict[str, Any]:
        calls = self._tools[index]
        content = "".join(self._answers[index])
        message: dict[str, Any] = {"role": "assistant", "content": content if content or not calls else None}
        message["refusal"] = "".join(self._refusals[index]) or None
        if thought := "".join(self._thoughts[index]):
            message |= dict.fromkeys(self._names, thought)
        if calls and self._legacy:
            message["function_call"] = calls[0]
        elif calls:
            message["tool_calls"] = [{"id": call_id(), "type": "function", "function": call} for call in calls]
        logprobs = {"content": self._logprobs[index], "refusal": None} if self._logprobs[index] else None
        return {"index": index, "message": message, "logprobs": logprobs, "finish_reason": self._finish[index]}
