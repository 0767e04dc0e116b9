"""LangChain: `ChatOpenAI`, and `ChatDeepSeek`, by which a model's thoughts are read there."""

from __future__ import annotations

import importlib
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


def _openai(server: Server, **options: Any) -> Any:
    made = importlib.import_module("langchain_openai").ChatOpenAI
    return made(model=server.model, base_url=server.url, api_key=server.key, max_retries=0, **options)


def _deepseek(server: Server, **options: Any) -> Any:
    made = importlib.import_module("langchain_deepseek").ChatDeepSeek
    return made(model=server.model, api_base=server.url, api_key=server.key, max_retries=0, **options)


def _heard(message: Any) -> Heard:
    return Heard(
        texts=[message.text],
        reasoning=message.additional_kwargs.get("reasoning_content") or "",
        calls=[(call["name"], call["args"]) for call in message.tool_calls],
        finish=message.response_metadata.get("finish_reason"),
        tokens=message.usage_metadata["total_tokens"] if message.usage_metadata else None,
    )


def _stream(chat: Any) -> Heard:
    pieces = list(chat.stream(QUESTION))
    total = pieces[0]
    for piece in pieces[1:]:
        total = total + piece
    return _heard(total)


def _structured(method: str, chat: Any) -> Heard:
    question = RECIPE_AS_JSON if method == "json_mode" else RECIPE_QUESTION
    told = chat.with_structured_output(Recipe, method=method, include_raw=True).invoke(question)
    if told["parsing_error"]:
        raise told["parsing_error"]
    heard = _heard(told["raw"])
    value = told["parsed"].model_dump()
    return Heard(heard.texts, heard.reasoning, value, heard.calls, heard.finish, heard.tokens)


def _messages() -> Any:
    return importlib.import_module("langchain_core.messages")


def _history(server: Server) -> Heard:
    kinds = _messages()
    asked = [
        kinds.SystemMessage(SYSTEM),
        kinds.HumanMessage(QUESTION),
        kinds.AIMessage(HISTORY_ANSWER),
        kinds.HumanMessage(FOLLOW_UP),
    ]
    return _heard(_openai(server).invoke(asked))


def _parts(server: Server) -> Heard:
    parts = [{"type": "text", "text": "How do I sharpen "}, {"type": "text", "text": "a kitchen knife?"}]
    return _heard(_openai(server).invoke([_messages().HumanMessage(content=parts, name="reader")]))


def _tools(chat: Any) -> Heard:
    kinds, bound = _messages(), chat.bind_tools([WEATHER_TOOL])
    messages: list[Any] = [kinds.HumanMessage(WEATHER_QUESTION)]
    asked = bound.invoke(messages)
    messages += [asked, kinds.ToolMessage(model.WEATHER, tool_call_id=asked.tool_calls[0]["id"])]
    told = _heard(bound.invoke(messages))
    return Heard(told.texts, told.reasoning, None, _heard(asked).calls, told.finish, told.tokens)


def _two_choices(server: Server) -> Heard:
    made = _openai(server, n=2).generate([[_messages().HumanMessage(QUESTION)]])
    return Heard(
        texts=[one.text for one in made.generations[0]], finish="stop", tokens=made.llm_output["token_usage"]["total_tokens"]
    )


def _sampling(server: Server) -> Heard:
    chat = _openai(
        server,
        temperature=0.6,
        top_p=0.95,
        seed=7,
        stop=["\n\nNote:"],
        max_tokens=400,
        reasoning_effort="low",
        metadata={"team": "kitchen"},
        model_kwargs={"user": "reader-17"},
    )
    return _heard(chat.invoke(QUESTION))


LANGCHAIN = Client(
    "langchain-openai",
    ("langchain-core", "openai"),
    {
        "plain": lambda server: _heard(_openai(server).invoke(QUESTION)),
        "stream": lambda server: _stream(_openai(server)),
        "stream_usage": lambda server: _stream(_openai(server, stream_usage=True)),
        "structured_json_schema": lambda server: _structured("json_schema", _openai(server)),
        "structured_function_calling": lambda server: _structured("function_calling", _openai(server)),
        "structured_json_mode": lambda server: _structured("json_mode", _openai(server)),
        "structured_streaming": lambda server: _structured("json_schema", _openai(server, streaming=True)),
        "history": _history,
        "parts": _parts,
        "tools": lambda server: _tools(_openai(server)),
        "two_choices": _two_choices,
        "sampling": _sampling,
    },
    lambda server, question: _heard(_openai(server).invoke(question)),
)

LANGCHAIN_DEEPSEEK = Client(
    "langchain-deepseek",
    ("langchain-openai", "langchain-core", "openai"),
    {
        "plain": lambda server: _heard(_deepseek(server).invoke(QUESTION)),
        "stream": lambda server: _stream(_deepseek(server)),
        "structured_function_calling": lambda server: _structured("function_calling", _deepseek(server)),
        "tools": lambda server: _tools(_deepseek(server)),
    },
    lambda server, question: _heard(_deepseek(server).invoke(question)),
)
