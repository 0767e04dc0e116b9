"""pydantic-ai over its OpenAI chat model."""

from __future__ import annotations

import importlib
from typing import Any

from tests.clients import model
from tests.clients.uses import FOLLOW_UP, QUESTION, RECIPE_QUESTION, SYSTEM, WEATHER_QUESTION, Client, Heard, Recipe, Server


def _agent(server: Server, **options: Any) -> Any:
    openai = importlib.import_module("openai").AsyncOpenAI(base_url=server.url, api_key=server.key, max_retries=0)
    provider = importlib.import_module("pydantic_ai.providers.openai").OpenAIProvider(openai_client=openai)
    chat = importlib.import_module("pydantic_ai.models.openai").OpenAIChatModel(server.model, provider=provider)
    return importlib.import_module("pydantic_ai").Agent(chat, **options)


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
    with _agent(server).run_stream_sync(QUESTION) as result:
        for _ in result.stream_text(delta=True, debounce_by=None):
            pass
        last = result.response
        return Heard(
            texts=[result.get_output()],
            reasoning="".join(part.content for part in last.parts if part.part_kind == "thinking"),
            finish=last.finish_reason,
            tokens=last.usage.total_tokens or None,
        )


def _history(server: Server) -> Heard:
    agent = _agent(server, system_prompt=SYSTEM)
    first = agent.run_sync(QUESTION)
    return _heard(agent.run_sync(FOLLOW_UP, message_history=first.all_messages()))


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
    return _heard(_agent(server).run_sync(QUESTION, model_settings=settings))


def _output(server: Server, kind: str, **options: Any) -> Heard:
    output = getattr(importlib.import_module("pydantic_ai"), kind)
    return _heard(_agent(server, output_type=output(Recipe, **options)).run_sync(RECIPE_QUESTION))


PYDANTIC_AI = Client(
    "pydantic-ai-slim",
    ("openai",),
    {
        "plain": lambda server: _heard(_agent(server).run_sync(QUESTION)),
        "stream": _stream,
        "instructions": lambda server: _heard(_agent(server, instructions=SYSTEM).run_sync(QUESTION)),
        "history": _history,
        "tools": lambda server: _heard(_agent(server, tools=[weather]).run_sync(WEATHER_QUESTION)),
        "output_tool": lambda server: _output(server, "ToolOutput"),
        "output_native": lambda server: _output(server, "NativeOutput"),
        "output_prompted": lambda server: _output(
            server, "PromptedOutput", template="Answer with one JSON object of this schema: {schema}"
        ),
        "parts": lambda server: _heard(_agent(server).run_sync(["How do I sharpen ", "a kitchen knife?"])),
        "sampling": _sampling,
    },
)
