"""Findings of a server as they are shared with other processes: a JSON list of category, score, start and end."""

from __future__ import annotations

from typing import Annotated

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from classifiers.finding import Finding
from classifiers.remote.remembered import Name

Hits = tuple[Finding, ...]
_Place = Annotated[int, Field(ge=0)]
_SHAPE = TypeAdapter(list[tuple[str, Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)], _Place, _Place]])


class Kept:
    """Reads back only categories of this classifier, at places within the text, which the name ends with."""

    def __init__(self, categories: frozenset[str]) -> None:
        self._categories = categories

    def write(self, verdict: Hits) -> bytes:
        """See `Form`."""
        return orjson.dumps([(hit.category, hit.score, hit.start, hit.end) for hit in verdict])

    def read(self, written: bytes, name: Name) -> Hits | None:
        """See `Form`."""
        try:
            hits = tuple(Finding(*one) for one in _SHAPE.validate_json(written, strict=True))
        except ValidationError:
            return None
        sound = all(hit.category in self._categories and hit.start <= hit.end <= len(name[-1]) for hit in hits)
        return hits if sound else None
