"""A judge's scores as they are shared with other processes: a JSON object of categories and numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from classifiers.judge.format import Scores
from classifiers.remote.remembered import Name

_SHAPE = TypeAdapter(dict[str, Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]])


class Kept:
    """Reads back only categories that this judge has."""

    def __init__(self, categories: frozenset[str]) -> None:
        self._categories = categories

    def write(self, verdict: Scores) -> bytes:
        """See `Form`."""
        return orjson.dumps(dict(verdict))

    def read(self, written: bytes, name: Name) -> Mapping[str, float] | None:
        """See `Form`."""
        try:
            scores = _SHAPE.validate_json(written, strict=True)
        except ValidationError:
            return None
        return scores if scores.keys() <= self._categories else None
