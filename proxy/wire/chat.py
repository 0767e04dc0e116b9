"""From the bytes of a chat request to our own object, every text of it within reach of the guard."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError

from classifiers.finding import Channel, Context, Turn
from policies.policy import Policy
from proxy.errors import ApiError
from proxy.wire import request as wire
from proxy.wire.leaves import Leaf, words

MOST_TEXTS = 50_000
"""Texts in one request, strings inside schemas counted: more than any client sends, few enough to judge."""
MOST_STOPS, MOST_STOP_CHARS = 16, 256
ROLES = ("system", "developer", "user", "assistant", "tool", "function")

_OLD_THOUGHT = re.compile(r"\s{0,64}<think>(.*?)</think>\s{0,8}", re.DOTALL)


@dataclass(slots=True)
class ChatRequest:
    """A request on its way. `body` is what will be sent to the server; each `Leaf` points to one text in it.

    `limit` is the caller's bound on answer tokens. `dropped` are fields that were not sent on, for the warning header.
    `legacy` says that the caller used functions, not tools, and wants function calls back. `roles` are those of the caller's
    messages, `indices` the places in them of the messages in `body`, `system` the boxes of instructions, sent as one message.
    """

    model: str
    body: dict[str, Any]
    leaves: list[Leaf]
    context: Context
    choices: int = 1
    stream: bool = False
    include_usage: bool = False
    limit: int | None = None
    stops: tuple[str, ...] = ()
    logprobs: bool = False
    legacy: bool = False
    wants_json: bool = False
    tools: frozenset[str] = frozenset()
    dropped: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    indices: list[int] = field(default_factory=list)
    system: list[dict[str, Any]] = field(default_factory=list)

    def final(self) -> dict[str, Any]:
        """The body to send, once everything is judged."""
        if not self.system:
            return self.body
        instructions = "\n\n".join(box["content"] for box in self.system)
        return {**self.body, "messages": [{"role": "system", "content": instructions}, *self.body["messages"]]}

    @property
    def chars(self) -> int:
        """Characters of all texts."""
        return sum(len(leaf.text) for leaf in self.leaves)


def parse(raw: bytes, policy: Policy, most_messages: int) -> ChatRequest:
    """Reads and checks a request. Raises `ApiError` 400, naming the parameter, for anything that is not the API's."""
    try:
        body = wire.ChatBody.model_validate_json(raw)
    except ValidationError as error:
        raise _refusal(error) from None
    except ValueError:  # pydantic's JSON parser on lone surrogates and the like
        raise ApiError(400, "The body is not valid JSON.", code="invalid_json") from None
    if len(body.messages) > most_messages:
        raise ApiError(400, f"At most {most_messages} messages are taken.", param="messages", code="too_many_messages")
    dropped = _unknown(body)
    if policy.strict and dropped:
        name = dropped[0][:80]
        raise ApiError(
            400, f"The parameter '{name}' is not allowed by this server's policy.", param=name, code="unknown_parameter"
        )
    request = _build(body, policy)
    request.dropped = tuple(dropped)
    if len(request.leaves) > MOST_TEXTS:
        raise ApiError(400, f"The request holds more than {MOST_TEXTS} texts.", param="messages", code="too_many_texts")
    return request


def _build(body: wire.ChatBody, policy: Policy) -> ChatRequest:
    messages = _Messages()
    for index, message in enumerate(body.messages):
        messages.add(index, message)
    sent: dict[str, Any] = {"model": body.model, "messages": messages.sent}
    for name in wire.FORWARDED:
        value = getattr(body, name)
        if value is not None:
            sent[name] = value
    leaves = messages.leaves
    tools = _tools(body, sent, leaves)
    _response_format(body, sent, leaves)
    choices = body.n or 1
    if choices > policy.most_choices:
        raise ApiError(400, f"At most {policy.most_choices} choices can be asked for.", param="n", code="too_many_choices")
    if choices > 1:
        sent["n"] = choices
    logprobs = bool(body.logprobs) and policy.logprobs
    if logprobs:
        sent["logprobs"] = True
        sent["top_logprobs"] = body.top_logprobs or 0
    return ChatRequest(
        model=body.model,
        body=sent,
        leaves=leaves,
        context=Context(tuple(messages.turns), messages.prompt),
        choices=choices,
        stream=bool(body.stream),
        include_usage=bool(body.stream_options and body.stream_options.include_usage),
        limit=body.max_completion_tokens or body.max_tokens,
        stops=_stops(body.stop),
        logprobs=logprobs,
        legacy=body.functions is not None,
        wants_json=body.response_format is not None and body.response_format.type != "text",
        tools=tools,
        roles=tuple(message.role for message in body.messages),
        indices=messages.indices,
        system=messages.system,
    )


class _Messages:
    """Our own list of messages, built one by one.

    System and developer messages become one system message in front: R1's own template joins them there, the distilled models'
    keeps only the last, and both drop the role `developer` without a word. Old reasoning is judged, and not sent: no template of
    R1 shows it to the model.
    """

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.leaves: list[Leaf] = []
        self.turns: list[Turn] = []
        self.prompt = ""
        self.system: list[dict[str, Any]] = []
        self.indices: list[int] = []

    def add(
        self, index: int, message: wire.Instruction | wire.User | wire.Assistant | wire.ToolResult | wire.FunctionResult
    ) -> None:
        place = f"messages[{index}]"
        if isinstance(message, wire.Instruction):
            self._instruct(index, place, message)
            return
        sent: dict[str, Any] = {"role": message.role}
        channel = Channel.CONTEXT if message.role in ("tool", "function") else Channel.PROMPT
        if message.content is not None:
            text = self._content(place, channel, index, message.content, sent)
            self.turns.append(Turn(message.role, text))
            if message.role == "user":
                self.prompt = text
        if message.name:
            sent["name"] = message.name
            self.leaves.append(Leaf(f"{place}.name", channel, index, message.name, sent, "name"))
        if isinstance(message, wire.Assistant):
            self._assistant(index, place, message, sent)
        elif isinstance(message, wire.ToolResult):
            sent["tool_call_id"] = message.tool_call_id
        elif isinstance(message, wire.FunctionResult):
            # Servers know only tools. The call that this answers gets the same made-up id.
            sent |= {"role": "tool", "tool_call_id": f"call_{message.name}"}
        self.sent.append(sent)
        self.indices.append(index)

    def _content(self, place: str, channel: Channel, index: int, content: wire.Content, sent: dict[str, Any]) -> str:
        seams: list[int] = []
        if isinstance(content, str):
            text = content
        else:
            parts = [part.text if isinstance(part, wire.TextPart) else part.refusal for part in content]
            text = "\n".join(parts)  # as vLLM joins them
            for part in parts[:-1]:
                seams.append(len(part) + (seams[-1] + 1 if seams else 0))
        sent["content"] = text
        self.leaves.append(Leaf(f"{place}.content", channel, index, text, sent, "content", seams=tuple(seams)))
        return text

    def _instruct(self, index: int, place: str, message: wire.Instruction) -> None:
        box: dict[str, Any] = {}
        text = self._content(place, Channel.PROMPT, index, message.content, box)
        self.turns.append(Turn("system", text))
        if message.name:
            self.leaves.append(Leaf(f"{place}.name", Channel.PROMPT, index, message.name))
        self.system.append(box)

    def _assistant(self, index: int, place: str, message: wire.Assistant, sent: dict[str, Any]) -> None:
        for name in ("reasoning", "reasoning_content"):
            if thought := getattr(message, name):
                self.leaves.append(Leaf(f"{place}.{name}", Channel.PROMPT, index, thought))
        self._inline_thought(index, place, sent)
        if message.refusal:
            if message.content is None:
                sent["content"] = message.refusal
                self.leaves.append(Leaf(f"{place}.refusal", Channel.PROMPT, index, message.refusal, sent, "content"))
            else:
                self.leaves.append(Leaf(f"{place}.refusal", Channel.PROMPT, index, message.refusal))
        calls = list(message.tool_calls or ())
        if message.function_call:
            calls.append(wire.ToolCall(id=f"call_{message.function_call.name}", function=message.function_call))
        if not calls:
            sent.setdefault("content", "")  # None makes R1's template fail
            return
        sent["tool_calls"] = []
        for at, call in enumerate(calls):
            function = {"name": call.function.name, "arguments": call.function.arguments}
            sent["tool_calls"].append({"id": call.id or f"call_{at}", "type": "function", "function": function})
            where = f"{place}.tool_calls[{at}].function"
            self.leaves.append(Leaf(f"{where}.name", Channel.PROMPT, index, call.function.name, None, "", sent=True))
            self.leaves.append(Leaf(f"{where}.arguments", Channel.PROMPT, index, call.function.arguments, function, "arguments"))

    def _inline_thought(self, index: int, place: str, sent: dict[str, Any]) -> None:
        """Some clients send an old reply back with its thoughts in tags. They are old reasoning: judged, not sent."""
        found = _OLD_THOUGHT.match(sent.get("content", ""))
        if found is None:
            return
        leaf = next(leaf for leaf in reversed(self.leaves) if leaf.box is sent and leaf.key == "content")
        self.leaves.append(Leaf(f"{place}.content (thoughts)", Channel.PROMPT, index, found.group(1)))
        leaf.text = sent["content"] = leaf.text[found.end() :]
        leaf.seams = tuple(seam - found.end() for seam in leaf.seams if seam > found.end())


def _tools(body: wire.ChatBody, sent: dict[str, Any], leaves: list[Leaf]) -> frozenset[str]:
    tools = list(body.tools or ())
    tools += [wire.Tool(type="function", function=function) for function in body.functions or ()]
    if not tools:
        return frozenset()
    sent["tools"] = []
    for at, tool in enumerate(tools):
        place = f"tools[{at}].function"
        function: dict[str, Any] = {"name": tool.function.name}
        leaves.append(Leaf(f"{place}.name", Channel.PROMPT, -1, tool.function.name, None, "", sent=True))
        if tool.function.description is not None:
            function["description"] = tool.function.description
            leaves.append(Leaf(f"{place}.description", Channel.PROMPT, -1, tool.function.description, function, "description"))
        if tool.function.parameters is not None:
            function["parameters"] = tool.function.parameters
            leaves += _words(f"{place}.parameters", function, "parameters")
        if tool.function.strict is not None:
            function["strict"] = tool.function.strict
        sent["tools"].append({"type": "function", "function": function})
    names = frozenset(tool.function.name for tool in tools)
    choice = body.tool_choice if body.tool_choice is not None else _as_choice(body.function_call)
    if isinstance(choice, wire.NamedTool):
        if choice.function.name not in names:
            raise ApiError(400, "tool_choice names a tool that is not among the tools.", param="tool_choice")
        sent["tool_choice"] = {"type": "function", "function": {"name": choice.function.name}}
    elif choice is not None:
        sent["tool_choice"] = choice
    return names


def _as_choice(call: str | wire.Named | None) -> str | wire.NamedTool | None:
    return wire.NamedTool(type="function", function=call) if isinstance(call, wire.Named) else call


def _response_format(body: wire.ChatBody, sent: dict[str, Any], leaves: list[Leaf]) -> None:
    wanted = body.response_format
    if wanted is None or wanted.type == "text":
        return
    made: dict[str, Any] = {"type": wanted.type}
    if wanted.type == "json_schema":
        if wanted.json_schema is None:
            raise ApiError(
                400, "response_format of type json_schema needs the field json_schema.", param="response_format.json_schema"
            )
        schema: dict[str, Any] = {"name": wanted.json_schema.name}
        if wanted.json_schema.description is not None:
            schema["description"] = wanted.json_schema.description
            leaves.append(
                Leaf("response_format.json_schema.description", Channel.PROMPT, -1, schema["description"], schema, "description")
            )
        if wanted.json_schema.schema_ is not None:
            schema["schema"] = wanted.json_schema.schema_
            leaves += _words("response_format.json_schema.schema", schema, "schema")
        if wanted.json_schema.strict is not None:
            schema["strict"] = wanted.json_schema.strict
        leaves.append(Leaf("response_format.json_schema.name", Channel.PROMPT, -1, wanted.json_schema.name, None, "", sent=True))
        made["json_schema"] = schema
    sent["response_format"] = made


def _words(place: str, box: dict[str, Any], key: str) -> list[Leaf]:
    try:
        return list(words(place, box, key, Channel.PROMPT))
    except RecursionError:
        raise ApiError(400, "The schema is nested too deeply.", param=place, code="schema_too_deep") from None


def _stops(stop: str | Sequence[str] | None) -> tuple[str, ...]:
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if len(stops) > MOST_STOPS or any(not text or len(text) > MOST_STOP_CHARS for text in stops):
        message = f"stop takes at most {MOST_STOPS} texts of 1 to {MOST_STOP_CHARS} characters."
        raise ApiError(400, message, param="stop", code="invalid_stop")
    return stops


def _unknown(body: wire.ChatBody) -> list[str]:
    """Names of fields that will not be sent on, those clients send by habit left out."""
    names = [name for name in body.model_extra or () if name not in wire.QUIET]
    for index, message in enumerate(body.messages):
        names += [f"messages[{index}].{name}" for name in _extra(message)]
        if isinstance(message.content, list):
            for at, part in enumerate(message.content):
                names += [f"messages[{index}].content[{at}].{name}" for name in _extra(part)]
    return names


def _extra(model: BaseModel) -> Iterator[str]:
    for name, value in (model.model_extra or {}).items():
        if name not in wire.MESSAGE_QUIET and value not in (None, [], {}):
            yield name


_UNION = re.compile(r"(?:list|literal)\[.*|[A-Z][A-Za-z]+|str", re.DOTALL)
"""Names of union members that pydantic puts into a location."""


def _refusal(error: ValidationError) -> ApiError:
    """The first mistake, in the API's words. Never quotes the value: it may be long, or secret."""
    mistakes = error.errors(include_url=False, include_input=True)
    mistake = max(mistakes, key=lambda each: len(each["loc"])) if len(mistakes) > 1 else mistakes[0]
    if mistake["type"] == "json_invalid":
        return ApiError(400, "The body is not valid JSON.", code="invalid_json")
    param = _path(mistake["loc"])
    part = next((each for each in mistakes if each["loc"][-1:] == ("type",) and each["type"] == "literal_error"), None)
    if part is not None and "content" in part["loc"]:
        kind = str(part["input"])[:40] if re.fullmatch(r"[a-z_]{1,40}", str(part["input"])) else "unknown"
        message = f"Content parts of type '{kind}' cannot be judged and are refused; only text is taken."
        return ApiError(400, message, param=_path(part["loc"][:-1]), code="unsupported_content")
    said = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"].startswith("union_tag"):
        param, said = f"{param}.role", f"Input should be one of {', '.join(ROLES)}"
    return ApiError(400, f"{param}: {said}", param=param, code="invalid_value")


def _path(loc: Sequence[int | str]) -> str:
    """`messages[0].content` for pydantic's location, the names of union members left out."""
    path = ""
    for at, step in enumerate(loc):
        if isinstance(step, int):
            path += f"[{step}]"
            continue
        role = at == 2 and loc[0] == "messages"
        kind_of_part = step in ("text", "refusal") and at > 1 and isinstance(loc[at - 1], int)
        if not (role or kind_of_part or _UNION.fullmatch(step)):
            path += f".{step}" if path else step
    return path or "body"
