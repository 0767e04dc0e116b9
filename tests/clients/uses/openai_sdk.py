"""The openai SDK for Python."""

from __future__ import annotations

import importlib
import json
from typing import Any

from tests.clients import model
from tests.clients.uses import (
    FOLLOW_UP,
    HISTORY_ANSWER,
    QUESTION,
    RECIPE_AS_JSON,
    RECIPE_QUESTION,
    SYSTEM,
    WEATHER_QUESTION,
    WEATHER_TOOL,
    Client,
    Heard,
    Recipe,
    Server,
)


def _client(server: Server) -> Any:
    return importlib.import_module("openai").OpenAI(base_url=server.url, api_key=server.key, max_retries=0)


def _ask(server: Server, content: Any = QUESTION, **options: Any) -> Heard:
    messages = options.pop("messages", None) or [{"role": "user", "content": content}]
    with _client(server) as client:
        return _heard(client.chat.completions.create(model=server.model, messages=messages, **options))


def _heard(reply: Any) -> Heard:
    first = reply.choices[0].message
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in first.tool_calls or []]
    if first.function_call:
        calls.append((first.function_call.name, json.loads(first.function_call.arguments)))
    return Heard(
        texts=[choice.message.content or "" for choice in reply.choices],
        reasoning=getattr(first, "reasoning_content", None) or getattr(first, "reasoning", None) or "",
        value=parsed.model_dump() if (parsed := getattr(first, "parsed", None)) else None,
        calls=calls,
        finish=reply.choices[0].finish_reason,
        tokens=reply.usage.total_tokens if reply.usage else None,
    )


def _stream(server: Server, **options: Any) -> Heard:
    texts: dict[int, str] = {}
    thoughts, finish, tokens = "", None, None
    messages = [{"role": "user", "content": QUESTION}]
    with (
        _client(server) as client,
        client.chat.completions.create(model=server.model, messages=messages, stream=True, **options) as stream,
    ):
        for chunk in stream:
            tokens = chunk.usage.total_tokens if chunk.usage else tokens
            for choice in chunk.choices:
                texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
                finish = choice.finish_reason or finish
                if choice.index == 0:
                    thoughts += getattr(choice.delta, "reasoning_content", None) or getattr(choice.delta, "reasoning", None) or ""
    return Heard(texts=[texts[i] for i in sorted(texts)], reasoning=thoughts, finish=finish, tokens=tokens)


def _stream_helper(server: Server, content: str = QUESTION, **options: Any) -> Heard:
    with (
        _client(server) as client,
        client.chat.completions.stream(model=server.model, messages=[{"role": "user", "content": content}], **options) as stream,
    ):
        for _ in stream:
            pass
        return _heard(stream.get_final_completion())


def _parse(server: Server) -> Heard:
    with _client(server) as client:
        messages = [{"role": "user", "content": RECIPE_QUESTION}]
        return _heard(client.chat.completions.parse(model=server.model, messages=messages, response_format=Recipe))


def _parts(server: Server) -> Heard:
    words = ["How do I sharpen ", "a kitchen knife?"]
    return _ask(server, [{"type": "text", "text": text} for text in words])


def _history(server: Server) -> Heard:
    messages = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": HISTORY_ANSWER},
        {"role": "user", "content": FOLLOW_UP},
    ]
    return _ask(server, messages=messages)


def _developer(server: Server) -> Heard:
    return _ask(server, messages=[{"role": "developer", "content": SYSTEM}, {"role": "user", "content": QUESTION}])


def _tools(server: Server) -> Heard:
    messages: list[Any] = [{"role": "user", "content": WEATHER_QUESTION}]
    with _client(server) as client:
        asked = client.chat.completions.create(model=server.model, messages=messages, tools=[WEATHER_TOOL], tool_choice="auto")
        call = asked.choices[0].message.tool_calls[0]
        messages += [asked.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": model.WEATHER}]
        told = _heard(client.chat.completions.create(model=server.model, messages=messages, tools=[WEATHER_TOOL]))
    return Heard(texts=told.texts, reasoning=told.reasoning, calls=_heard(asked).calls, finish=told.finish, tokens=told.tokens)


def _sampling(server: Server) -> Heard:
    return _ask(
        server,
        temperature=0.6,
        top_p=0.95,
        frequency_penalty=0.1,
        presence_penalty=0.1,
        seed=7,
        stop=["\n\nNote:"],
        max_tokens=400,
        user="reader-17",
        metadata={"team": "kitchen"},
        reasoning_effort="low",
        store=False,
        parallel_tool_calls=False,
        service_tier="auto",
    )


OPENAI = Client(
    "openai",
    (),
    {
        "plain": _ask,
        "stream": _stream,
        "stream_usage": lambda server: _stream(server, stream_options={"include_usage": True}),
        "stream_helper": _stream_helper,
        "stream_parse": lambda server: _stream_helper(server, RECIPE_QUESTION, response_format=Recipe),
        "parse": _parse,
        "json_object": lambda server: _ask(server, RECIPE_AS_JSON, response_format={"type": "json_object"}),
        "parts": _parts,
        "history": _history,
        "developer": _developer,
        "tools": _tools,
        "stream_tools": lambda server: _stream_helper(server, WEATHER_QUESTION, tools=[WEATHER_TOOL]),
        "functions": lambda server: _ask(server, WEATHER_QUESTION, functions=[WEATHER_TOOL["function"]], function_call="auto"),
        "two_choices": lambda server: _ask(server, n=2),
        "stream_two_choices": lambda server: _stream(server, n=2),
        "sampling": _sampling,
        "max_completion_tokens": lambda server: _ask(server, max_completion_tokens=400, verbosity="low"),
        "logprobs": lambda server: _ask(server, logprobs=True, top_logprobs=2),
    },
    _ask,
)
