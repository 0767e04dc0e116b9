"""Recorded exchanges, out of the texts that a policy kept: what was asked put together again, as far as texts tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from classifiers.finding import Channel
from proxy.errors import ApiError
from proxy.shadow.cases import MODEL, Case, Part, answered, from_body, of_texts
from proxy.wire.request import ChatBody

_MESSAGE = re.compile(r"messages\[(\d+)\]\.(.+)")
_TOOL = re.compile(r"tools\[(\d+)\]\.function\.(name|description)")
_CALL = re.compile(r"tool_calls\[(\d+)\]\.function\.(name|arguments)")
_ASSISTANT = ("reasoning", "reasoning_content", "refusal", "content (thoughts)")


def from_texts(name: str, texts: Mapping[str, Any]) -> Case:
    """A recorded exchange. What the model wrote before it was judged counts, where that was kept; else what has left.

    Old records do not say whose a message was. Those are texts without a conversation: gates cannot tell turns in them.
    """
    asked = [one for channel in ("prompt", "context") for one in texts.get(channel, {}).get("texts", ())]
    parts = [
        Part(Channel(channel), one["text"], one["place"]) for channel in ("prompt", "context") for one in _all(texts, channel)
    ]
    tools = [one["text"] for one in asked if (found := _TOOL.fullmatch(one["place"])) and found[2] == "name"]
    said = _said(texts, tools)
    if any(_MESSAGE.fullmatch(one["place"]) and "role" not in one for one in asked) or not asked:
        return of_texts(name, parts, said)
    messages, rest = _messages(asked)
    body = {"model": MODEL, "messages": answered(messages), **({"tools": _tools(asked)} if tools else {})}
    try:
        more = [part for part in parts if part.place in rest]
        return from_body(name, ChatBody.model_validate(body), said, more)
    except (ValidationError, ApiError):  # a text that is not whole: the policy bounds what is kept
        return of_texts(name, parts, said)


def _all(texts: Mapping[str, Any], channel: str) -> Sequence[Mapping[str, str]]:
    found: Sequence[Mapping[str, str]] = texts.get(channel, {}).get("texts", ())
    return found


def _messages(asked: Iterable[Mapping[str, str]]) -> tuple[list[dict[str, Any]], set[str]]:
    """The messages, and the places of texts that stand in none of them."""
    by_index: dict[int, dict[str, Any]] = {}
    rest: set[str] = set()
    for one in asked:
        found = _MESSAGE.fullmatch(one["place"])
        if found is None:
            if _TOOL.fullmatch(one["place"]) is None:
                rest.add(one["place"])
            continue
        message = by_index.setdefault(int(found[1]), {"role": one["role"]})
        if not _put(message, found[2], one["text"]):
            rest.add(one["place"])
    return [by_index[index] for index in sorted(by_index)], rest


def _put(message: dict[str, Any], key: str, text: str) -> bool:
    """Puts a text into its message; False where it has no place there."""
    if call := _CALL.fullmatch(key):
        calls = message.setdefault("tool_calls", [])
        while len(calls) <= int(call[1]):
            calls.append({"function": {"name": "", "arguments": ""}})
        calls[int(call[1])]["function"][call[2]] = text
    elif key in ("content", "name"):
        message[key] = text
    elif key in _ASSISTANT and message["role"] == "assistant":
        message["reasoning" if key == "content (thoughts)" else key] = text
    else:
        return False
    return True


def _tools(asked: Iterable[Mapping[str, str]]) -> list[dict[str, Any]]:
    functions: dict[str, dict[str, str]] = {}
    for one in asked:
        if found := _TOOL.fullmatch(one["place"]):
            functions.setdefault(found[1], {})[found[2]] = one["text"]
    return [{"type": "function", "function": function} for function in functions.values()]


def _said(texts: Mapping[str, Any], tools: Sequence[str]) -> list[Part]:
    """Of the first choice."""
    if "model" not in texts:
        channels = (Channel.REASONING, Channel.ANSWER)
        return [Part(channel, one["text"]) for channel in channels for one in _all(texts, channel.value) if _first(one)]
    said: list[Part] = []
    for one in filter(_first, _all(texts, "model")):
        if found := re.search(r"\.(reasoning|content|refusal)$", one["place"]):
            said.append(Part(Channel.REASONING if found[1] == "reasoning" else Channel.ANSWER, one["text"]))
        elif ".tool_calls[" in one["place"]:
            tool = next((name for name in sorted(tools, key=len, reverse=True) if one["text"].startswith(name)), "")
            said.append(Part(Channel.TOOL, one["text"].removeprefix(tool), tool=tool or next(iter(tools), "tool")))
    return sorted(said, key=lambda part: [Channel.REASONING, Channel.ANSWER, Channel.TOOL].index(part.channel))


def _first(one: Mapping[str, str]) -> bool:
    return one["place"].startswith("choices[0]")
