"""The LiteLLM SDK, by the three provider names under which people reach a server like ours."""

from __future__ import annotations

import importlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
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


def _litellm() -> Any:
    # Without this the import fetches a price list over the network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    return importlib.import_module("litellm")


def _complete(server: Server, content: Any = QUESTION, provider: str = "openai", **options: Any) -> Any:
    options.setdefault("messages", [{"role": "user", "content": content}])
    options |= {"model": f"{provider}/{server.model}", "api_base": server.url, "api_key": server.key, "max_retries": 0}
    with ThreadPoolExecutor(1) as pool:  # in the main thread it leaves an event loop behind
        return pool.submit(_litellm().completion, **options).result()


def _ask(server: Server, content: Any = QUESTION, **options: Any) -> Heard:
    return _heard(_complete(server, content, **options))


def _heard(reply: Any) -> Heard:
    first = reply.choices[0].message
    return Heard(
        texts=[choice.message.content or "" for choice in reply.choices],
        reasoning=getattr(first, "reasoning_content", None) or "",
        calls=[(call.function.name, json.loads(call.function.arguments)) for call in first.tool_calls or []],
        finish=reply.choices[0].finish_reason,
        tokens=reply.usage.total_tokens if getattr(reply, "usage", None) else None,
    )


def _stream(server: Server, **options: Any) -> Heard:
    chunks = list(_complete(server, stream=True, **options))
    return _heard(_litellm().stream_chunk_builder(chunks))


def _structured(server: Server, shape: Any) -> Heard:
    heard = _ask(server, RECIPE_AS_JSON if isinstance(shape, dict) else RECIPE_QUESTION, response_format=shape)
    return Heard(heard.texts, heard.reasoning, json.loads(heard.texts[0]), heard.calls, heard.finish, heard.tokens)


def _history(server: Server) -> Heard:
    turns = [("system", SYSTEM), ("user", QUESTION), ("assistant", HISTORY_ANSWER), ("user", FOLLOW_UP)]
    return _ask(server, messages=[{"role": role, "content": content} for role, content in turns])


def _tools(server: Server) -> Heard:
    messages: list[Any] = [{"role": "user", "content": WEATHER_QUESTION}]
    asked = _complete(server, messages=messages, tools=[WEATHER_TOOL], tool_choice="auto")
    message = asked.choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "name": "weather", "content": model.WEATHER}
    told = _ask(server, messages=[*messages, message, result], tools=[WEATHER_TOOL])
    return Heard(told.texts, told.reasoning, None, _heard(asked).calls, told.finish, told.tokens)


def _parts(server: Server) -> Heard:
    return _ask(server, [{"type": "text", "text": "How do I sharpen "}, {"type": "text", "text": "a kitchen knife?"}])


def _sampling(server: Server) -> Heard:
    return _ask(
        server,
        temperature=0.6,
        top_p=0.95,
        seed=7,
        stop=["\n\nNote:"],
        max_tokens=400,
        user="reader-17",
        metadata={"team": "kitchen"},
    )


LITELLM = Client(
    "litellm",
    ("openai",),
    {
        "plain": _ask,
        "plain_hosted_vllm": lambda server: _ask(server, provider="hosted_vllm"),
        "plain_deepseek": lambda server: _ask(server, provider="deepseek"),
        "stream": _stream,
        "stream_usage": lambda server: _stream(server, stream_options={"include_usage": True}),
        "stream_hosted_vllm": lambda server: _stream(server, provider="hosted_vllm"),
        "stream_deepseek": lambda server: _stream(server, provider="deepseek"),
        "structured": lambda server: _structured(server, Recipe),
        "json_object": lambda server: _structured(server, {"type": "json_object"}),
        "history": _history,
        "parts": _parts,
        "tools": _tools,
        "two_choices": lambda server: _ask(server, n=2),
        "sampling": _sampling,
    },
    _ask,
)
