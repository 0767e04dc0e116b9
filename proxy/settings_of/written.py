"""How settings are written."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=0, le=65_535)]


def words(value: Any) -> Any:
    """A list in an environment variable is written with commas."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def numbers(value: Any) -> Any:
    """A mapping in an environment variable is written with commas, too: one=1, two=2."""
    if not isinstance(value, str):
        return value
    pairs = [word.partition("=") for word in words(value)]
    if any(not equals for _, equals, _ in pairs):
        raise ValueError("write it as NAME=NUMBER, NAME=NUMBER")
    return {name.strip(): number.strip() for name, _, number in pairs}


class Written(BaseModel):
    """Settings, frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)
