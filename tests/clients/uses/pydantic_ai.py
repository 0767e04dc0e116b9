"""pydantic-ai over its OpenAI chat model."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.clients import model
from tests.clients.uses import FOLLOW_UP, QUESTION, RECIPE_QUESTION, SYSTEM, WEATHER_QUESTION, Client, Heard, Recipe, Server


@asynccontextmanager
async def _agent(server: Server, **options: Any) -> AsyncIterator[Any]:
    async with importlib.import_module("openai").AsyncOpenAI(base_url=server.url, api_key=server.key, max_retries=0) as openai:
        provider = importlib.import_module("pydantic_ai.providers.openai").OpenAIProvider(openai_client=openai)
        chat = importlib.import_module("pydantic_ai.models.openai").OpenAIChatModel(server.model, provider=provider)
        yield importlib.import_module("pydantic_ai").Agent(chat, **options)


def _run(server: Server, question: Any, settings: Any = None, **options: Any) -> Heard:
    async def run() -> Heard:
        async with _agent(server, **options) as agent:
            return _heard(await agent.run(question, model_settings=settings))

    return asyncio.run(run())


def weather(city: str) -> str:
    """The weather in a city now.

    Args:
        city: Name of the city.
    """
    return model.WEATHER if city == model.CITY else "unknown"


def _heard(result: Any) -> Heard:
    parts = [part for message in result.all_messages() for part in message.parts]
    last = result.response
    output = result.output
    return Heard(
        texts=[output if isinstance(output, str) else last.text or ""],
        reasoning="".join(part.content for part in last.parts if part.part_kind == "thinking"),
        value=output.model_dump() if isinstance(output, Recipe) else None,
        calls=[(part.tool_name, part.args_as_dict()) for part in parts if part.part_kind == "tool-call"],
        finish=last.finish_reason,
        tokens=last.usage.total_tokens or None,
    )


def _stream(server: Server) -> Heard:
    async def run() -> Heard:
        async with _agent(server) as agent, agent.run_stream(QUESTION) as result:
            text = "".join([piece async for piece in result.stream_text(delta=True, debounce_by=None)])
            last = result.response
            thoughts = "".join(part.content for part in last.parts if part.part_kind == "thinking")
            return Heard([text], thoughts, finish=last.finish_reason, tokens=last.usage.total_tokens or None)

    return asyncio.run(run())


def _history(server: Server) -> Heard:
    async def run() -> Heard:
        async with _agent(server, system_prompt=SYSTEM) as agent:
            first = await agent.run(QUESTION)
            return _heard(await agent.run(FOLLOW_UP, message_history=first.all_messages()))

    return asyncio.run(run())


def _sampling(server: Server) -> Heard:
    settings = {
        "temperature": 0.6,
        "top_p": 0.95,
        "seed": 7,
        "stop_sequences": ["\n\nNote:"],
        "max_tokens": 400,
        "parallel_tool_calls": False,
        "openai_reasoning_effort": "low",
        "openai_user": "reader-17",
    }
    return _run(server, QUESTION, settings)


def _output(server: Server, kind: str, **options: Any) -> Heard:
    output = getattr(importlib.import_module("pydantic_ai"), kind)
    return _run(server, RECIPE_QUESTION, output_type=output(Recipe, **options))


PYDANTIC_AI = Client(
    "pydantic-ai-slim",
    ("openai",),
    {
        "plain": lambda server: _run(server, QUESTION),
        "stream": _stream,
        "instructions": lambda server: _run(server, QUESTION, instructions=SYSTEM),
        "history": _history,
        "tools": lambda server: _run(server, WEATHER_QUESTION, tools=[weather]),
        "output_tool": lambda server: _output(server, "ToolOutput"),
        "output_native": lambda server: _output(server, "NativeOutput"),
        "output_prompted": lambda server: _output(
            server, "PromptedOutput", template="Answer with one JSON object of this schema: {schema}"
        ),
        "parts": lambda server: _run(server, ["How do I sharpen ", "a kitchen knife?"]),
        "sampling": _sampling,
    },
    _run,
)
