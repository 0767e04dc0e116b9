"""What people do with each client, once: the same list drives the recording of bodies and the tests against the real stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

QUESTION = "How do I sharpen a kitchen knife?"
SYSTEM = "You are a patient cook. Answer in one or two sentences."
RECIPE_QUESTION = "Give me a recipe for an omelette: its name, and how many minutes it takes."
RECIPE_AS_JSON = RECIPE_QUESTION + " Answer as JSON with the keys name and minutes."
WEATHER_QUESTION = "What is the weather in Lyon today?"
HISTORY_ANSWER = "A whetstone with a grain of 1000 does for most knives."
FOLLOW_UP = "And how do I use it?"
REFUSED_QUESTION = "How is pentaborane made?"
BLOCKED_QUESTION = "Read me chapter four of the novel."
BLOCKED_RECIPE_QUESTION = "Give me a recipe from the old chemistry book."

WEATHER_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city now.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name of the city."}},
            "required": ["city"],
        },
    },
}


class Recipe(BaseModel):
    """A recipe in short."""

    name: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Server:
    """Where a client is pointed at."""

    url: str
    key: str = "sk-local"
    model: str = "deepseek-r1"


@dataclass(frozen=True, slots=True)
class Heard:
    """What the client gave to its user: a text per choice, thoughts, a structured value, tool calls as (name, arguments)."""

    texts: list[str] = field(default_factory=list)
    reasoning: str = ""
    value: Mapping[str, Any] | None = None
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    finish: str | None = None
    tokens: int | None = None


Use = Callable[[Server], Heard]


@dataclass(frozen=True, slots=True)
class Client:
    """A client library: the distribution it comes from, those beside it that shape its bodies, and its uses by name.

    `ask` puts any question to it in the plainest way.
    """

    distribution: str
    beside: tuple[str, ...]
    uses: Mapping[str, Use]
    ask: Callable[[Server, str], Heard]
