"""LlamaIndex over `OpenAILike`, the class it has for servers that speak as OpenAI does."""

from __future__ import annotations

import importlib
from typing import Any

from tests.clients import model
from tests.clients.uses import (
    FOLLOW_UP,
    HISTORY_ANSWER,
    QUESTION,
    RECIPE_QUESTION,
    SYSTEM,
    WEATHER_QUESTION,
    Client,
    Heard,
    Recipe,
    Server,
)


def _llm(server: Server, **options: Any) -> Any:
    made = importlib.import_module("llama_index.llms.openai_like").OpenAILike
    settings = {"is_chat_model": True, "is_function_calling_model": True, "max_retries": 0, "context_window": 32768}
    return made(model=server.model, api_base=server.url, api_key=server.key, **settings, **options)


def _messages(*turns: tuple[str, Any]) -> list[Any]:
    kinds = importlib.import_module("llama_index.core.llms")
    return [kinds.ChatMessage(role=role, content=content) for role, content in turns]


def _heard(reply: Any) -> Heard:
    raw, blocks = reply.raw, reply.message.blocks
    return Heard(
        texts=[reply.message.content or ""],
        reasoning="".join(block.content or "" for block in blocks if block.block_type == "thinking"),
        calls=[(block.tool_name, _arguments(block.tool_kwargs)) for block in blocks if block.block_type == "tool_call"],
        finish=raw.choices[0].finish_reason if raw.choices else None,
        tokens=raw.usage.total_tokens if raw.usage else None,
    )


def _arguments(given: Any) -> Any:
    return importlib.import_module("json").loads(given) if isinstance(given, str) else given


def _weather(city: str) -> str:
    """The weather in a city now."""
    return model.WEATHER if city == model.CITY else "unknown"


def _tool() -> Any:
    return importlib.import_module("llama_index.core.tools").FunctionTool.from_defaults(fn=_weather, name="weather")


def _tools(server: Server) -> Heard:
    llm, tool = _llm(server), _tool()
    asked = llm.chat_with_tools([tool], user_msg=WEATHER_QUESTION)
    call = llm.get_tool_calls_from_response(asked)[0]
    result = importlib.import_module("llama_index.core.llms").ChatMessage(
        role="tool", content=model.WEATHER, additional_kwargs={"tool_call_id": call.tool_id, "name": call.tool_name}
    )
    history = [*_messages(("user", WEATHER_QUESTION)), asked.message, result]
    told = _heard(llm.chat_with_tools([tool], chat_history=history))
    return Heard(told.texts, told.reasoning, None, [(call.tool_name, call.tool_kwargs)], told.finish, told.tokens)


def _stream(server: Server) -> Heard:
    last = None
    for last in _llm(server).stream_chat(_messages(("user", QUESTION))):  # noqa: B007 - the last one holds the whole
        pass
    return _heard(last)


def _structured(server: Server, **options: Any) -> Heard:
    prompt = importlib.import_module("llama_index.core").PromptTemplate(RECIPE_QUESTION)
    return Heard(value=_llm(server, **options).structured_predict(Recipe, prompt).model_dump())


def _history(server: Server) -> Heard:
    turns = (("system", SYSTEM), ("user", QUESTION), ("assistant", HISTORY_ANSWER), ("user", FOLLOW_UP))
    return _heard(_llm(server).chat(_messages(*turns)))


def _parts(server: Server) -> Heard:
    kinds = importlib.import_module("llama_index.core.llms")
    blocks = [kinds.TextBlock(text="How do I sharpen "), kinds.TextBlock(text="a kitchen knife?")]
    return _heard(_llm(server).chat([kinds.ChatMessage(role="user", blocks=blocks)]))


def _sampling(server: Server) -> Heard:
    extra = {"seed": 7, "stop": ["\n\nNote:"], "user": "reader-17", "top_p": 0.95}
    return _heard(_llm(server, temperature=0.6, max_tokens=400, additional_kwargs=extra).chat(_messages(("user", QUESTION))))


LLAMA_INDEX = Client(
    "llama-index-llms-openai-like",
    ("llama-index-llms-openai", "llama-index-core", "openai"),
    {
        "plain": lambda server: _heard(_llm(server).chat(_messages(("user", QUESTION)))),
        "complete": lambda server: Heard(texts=[_llm(server).complete(QUESTION).text]),
        "stream": _stream,
        "history": _history,
        "parts": _parts,
        "tools": _tools,
        "structured_by_tool": _structured,
        "structured_by_schema": lambda server: _structured(server, should_use_structured_outputs=True),
        "sampling": _sampling,
    },
    lambda server, question: _heard(_llm(server).chat(_messages(("user", question)))),
)
