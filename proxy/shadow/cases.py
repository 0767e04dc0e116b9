"""What a replay judges: an exchange, out of a line of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import ValidationError

from classifiers.finding import Channel, Context, Turn
from policies.contract import Contract
from policies.policy import Policy
from proxy.errors import ApiError
from proxy.shadow.judged import in_pieces
from proxy.upstream.protocol import Chunk, ToolDelta
from proxy.wire.chat import ChatRequest, build
from proxy.wire.leaves import Leaf
from proxy.wire.refusal import refusal
from proxy.wire.request import ChatBody

MOST_LINE: Final = 16 << 20
SHOWN: Final = 80
MODEL: Final = "replay"
JSON_LINES: Final = (".jsonl", ".ndjson", ".json")
CHANNELS: Final = ("prompt", "context", "reasoning", "answer", "tool")
FORMS: Final = 'write {"prompt": "…"}, {"text": "…", "channel": "answer"} or {"messages": […]} on each line'


class CaseError(Exception):
    """A file cannot be read as prompts. The text names file and line."""


@dataclass(frozen=True, slots=True)
class Part:
    """A text of a case. `place` is where in a request it stood; calls have the name of a `tool`."""

    channel: Channel
    text: str
    place: str = "text"
    tool: str = "tool"


@dataclass(frozen=True, slots=True)
class Case:
    """An exchange to be judged: what was asked, and what the model said. `name` is a file and line, or an exchange's id.

    `request` makes the request anew for a policy; it is not what the policy has to say about it. `gates` is false where there is
    no conversation, but a text that stands for itself.
    """

    name: str
    request: Callable[[Policy], ChatRequest]
    said: Sequence[Part] = ()
    begins: str = ""
    gates: bool = True

    @property
    def short(self) -> str:
        """Its beginning, on one line, for people."""
        text = " ".join((self.begins or " ".join(part.text for part in self.said)).split())
        return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"

    def batches(self) -> list[Sequence[Chunk]]:
        """The reply as a model server sends it; nothing where there is none."""
        found: list[Sequence[Chunk]] = []
        for at, part in enumerate(self.said):
            if part.channel is Channel.TOOL:
                found.append([Chunk(tools=[ToolDelta(at, part.tool, part.text)])])
            else:
                found += in_pieces(part.text, part.channel)
        return [*found, [Chunk(finish="stop")]] if found else []


def from_body(name: str, body: ChatBody, said: Sequence[Part], more: Sequence[Part] = ()) -> Case:
    """A case that is a request. `more` are texts of it that stand nowhere in the body. Raises `ApiError` where no policy would
    take it."""

    def made(policy: Policy) -> ChatRequest:
        neutral = replace(policy, strict=False, most_choices=128, contract=Contract())
        request = build(body.model_copy(deep=True), neutral)
        request.leaves += [Leaf(part.place, part.channel, -1, part.text, {"content": part.text}, "content") for part in more]
        request.dropped = ()  # data sets bring columns of their own
        return request

    last = [_text(message.content) for message in body.messages if message.role in ("user", "tool", "function")]
    return Case(name, made, said, " ".join(reversed(last)) or " ".join(part.text for part in more))


def of_texts(name: str, parts: Sequence[Part], said: Sequence[Part] = ()) -> Case:
    """A case of texts that are no conversation: rules judge them, and gates do not look."""

    def made(policy: Policy) -> ChatRequest:
        boxes: list[dict[str, Any]] = [{"role": "user", "content": part.text} for part in parts] or [
            {"role": "user", "content": ""}
        ]
        leaves = [Leaf(part.place, part.channel, at, part.text, boxes[at], "content") for at, part in enumerate(parts)]
        prompts = [part.text for part in parts if part.channel is Channel.PROMPT]
        context = Context(tuple(Turn("user", part.text) for part in parts), prompts[-1] if prompts else "")
        tools = frozenset(part.tool for part in said if part.channel is Channel.TOOL)
        roles = ("user",) * len(boxes)
        indices = list(range(len(boxes)))
        return ChatRequest(MODEL, {"messages": boxes}, leaves, context, roles=roles, indices=indices, tools=tools)

    return Case(name, made, said, " ".join(part.text for part in reversed(parts)), gates=False)


def replies(reasoning: str, answer: str) -> list[Part]:
    """What the model said, as far as it said anything."""
    return [Part(channel, text) for channel, text in ((Channel.REASONING, reasoning), (Channel.ANSWER, answer)) if text]


def from_file(file: Path) -> Iterator[Case]:
    """The cases of a file: JSON lines (`prompt`, `text` with `channel`, or `messages`), else a prompt on each line.

    Raises `CaseError`.
    """
    try:
        with file.open("rb") as stream:
            yield from from_lines(str(file), iter(lambda: stream.readline(MOST_LINE + 1), b""), jsonl=file.suffix in JSON_LINES)
    except OSError as error:
        raise CaseError(f"cannot read {file}: {error.strerror}") from None


def from_lines(name: str, lines: Iterable[bytes], *, jsonl: bool) -> Iterator[Case]:
    """The same for lines of a source called `name`."""
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        if len(line) > MOST_LINE:
            raise CaseError(f"{where}: the line has more than {MOST_LINE:,} bytes")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise CaseError(f"{where}: it is not UTF-8; save the file in that encoding") from None
        if text.strip():
            yield _case(where, text, jsonl=jsonl)


def _case(name: str, line: str, *, jsonl: bool) -> Case:
    if not jsonl:
        return from_body(name, _body({"messages": [{"role": "user", "content": line.strip("\r\n")}]}), ())
    try:
        read = orjson.loads(line)
    except ValueError as error:
        raise CaseError(f"{name}: it is not JSON ({str(error).partition(':')[0]}); {FORMS}") from None
    if not isinstance(read, dict):
        raise CaseError(f"{name}: it is no JSON object; {FORMS}")
    try:
        return _of(name, read)
    except ValidationError as error:
        raise CaseError(f"{name}: {refusal(error).message}") from None
    except ApiError as error:
        raise CaseError(f"{name}: {error.message}") from None


def _of(name: str, read: dict[str, Any]) -> Case:
    said = replies(_string(name, read, "reasoning"), _string(name, read, "answer"))
    if "messages" in read:
        return from_body(name, _body(read), said)
    if "prompt" in read:
        return from_body(name, _body({**read, "messages": [{"role": "user", "content": _string(name, read, "prompt")}]}), said)
    if "text" not in read:
        raise CaseError(f"{name}: it has neither prompt, text nor messages; {FORMS}")
    channel = read.get("channel", "prompt")
    if channel not in CHANNELS:
        raise CaseError(f"{name}: channel: must be one of {', '.join(CHANNELS)}")
    part = Part(Channel(channel), _string(name, read, "text"))
    return of_texts(name, [part]) if channel in ("prompt", "context") else of_texts(name, [], [part])


def _string(name: str, read: dict[str, Any], key: str) -> str:
    value = read.get(key)
    if value is not None and not isinstance(value, str):
        raise CaseError(f"{name}: {key}: must be a text")
    return value or ""


def _body(read: dict[str, Any]) -> ChatBody:
    """A request out of a line. What a data set leaves out, and the API asks for, is filled in. Raises `ValidationError`."""
    known = {key: value for key, value in read.items() if key in ChatBody.model_fields}
    if isinstance(known["messages"], list):
        known["messages"] = answered(known["messages"])
    return ChatBody.model_validate({**known, "model": MODEL})


def answered(messages: Sequence[Any]) -> list[Any]:
    """The messages with roles, and with ids of calls where they have none: results answer the calls in their order."""
    found: list[Any] = []
    waiting: list[str] = []
    for message in messages:
        if isinstance(message, dict):
            message = {"role": "user", **message}
            if message["role"] in ("user", "system", "developer", "tool") and message.get("content") is None:
                message["content"] = ""
            if isinstance(message.get("tool_calls"), list):
                calls = [_numbered(call, len(found), at) for at, call in enumerate(message["tool_calls"])]
                message["tool_calls"], waiting = calls, [call["id"] for call in calls if isinstance(call, dict)]
            elif message["role"] == "tool":
                following = waiting.pop(0) if waiting else "call"
                message.setdefault("tool_call_id", following)
        found.append(message)
    return found


def _numbered(call: Any, message: int, at: int) -> Any:
    return {**call, "id": call.get("id") or f"call_{message}_{at}"} if isinstance(call, dict) else call


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(getattr(part, "text", "") or "" for part in content)
    return content or ""
