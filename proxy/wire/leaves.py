"""Every text of a request, and where it stands in what will be sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from classifiers.finding import Channel

DEEPEST = 48
"""Levels of nesting in a schema. Real ones have under ten."""

KEYWORDS = frozenset(
    {
        "type",
        "properties",
        "items",
        "description",
        "title",
        "enum",
        "const",
        "default",
        "examples",
        "required",
        "anyOf",
        "allOf",
        "oneOf",
        "not",
        "additionalProperties",
        "$defs",
        "definitions",
        "$ref",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "if",
        "then",
        "else",
        "dependentSchemas",
        "patternProperties",
        "prefixItems",
    }
)
"""Words of JSON schema. Other keys are the caller's own text, and places stand in records: there they are a star."""


@dataclass(slots=True)
class Leaf:
    """One text. `message` is the index of its message, -1 where it belongs to none (tools, formats).

    Where `box` is given, `box[key]` is what will be sent, and can be replaced. `sent` without a box: the text goes to the server
    and cannot be changed, so that what would be masked must be refused. `seams` are the places of the line breaks that we put
    between the parts of a text.
    """

    place: str
    channel: Channel
    message: int
    text: str
    box: Any = None
    key: str | int = ""
    sent: bool = False
    seams: tuple[int, ...] = ()

    def replace(self, text: str) -> bool:
        """Puts another text in its place; False where that cannot be."""
        if self.box is None:
            return not self.sent
        self.box[self.key] = text
        return True


def words(place: str, box: Any, key: str | int, channel: Channel, depth: int = 0) -> Iterator[Leaf]:
    """All strings under `box[key]`, keys of objects included. Raises `RecursionError` beyond `DEEPEST` levels."""
    if depth > DEEPEST:
        raise RecursionError(place)
    value = box[key]
    if isinstance(value, str):
        yield Leaf(place, channel, -1, value, box, key)
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from words(f"{place}[{index}]", value, index, channel, depth + 1)
    elif isinstance(value, dict):
        for name in value:
            yield Leaf(f"{place} (a key)", channel, -1, name, sent=True)
            known = name if name in KEYWORDS else "*"
            yield from words(f"{place}.{known}", value, name, channel, depth + 1)
