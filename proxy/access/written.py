"""Keys and tenants as people write them: in a keys file, on the command line, to the admin API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from proxy.access.caller import Limits

TENANT = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
ROUTE = r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$"
POLICY = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

TenantName = Annotated[str, Field(pattern=TENANT)]
RouteName = Annotated[str, Field(pattern=ROUTE)]
PolicyName = Annotated[str, Field(pattern=POLICY)]
KeyName = Annotated[str, Field(max_length=200)]


def _a_number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is no number")
    return value


Bound = Annotated[int, Field(ge=1, le=10**15), BeforeValidator(_a_number)]


class LimitsWritten(BaseModel):
    """Bounds; what is left out has none. See docs/limits.md for what each counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: Bound | None = None
    requests_per_day: Bound | None = None
    prompt_tokens_per_minute: Bound | None = None
    reasoning_tokens_per_minute: Bound | None = None
    answer_tokens_per_minute: Bound | None = None
    tokens_per_minute: Bound | None = None
    tokens_per_day: Bound | None = None
    streams: Bound | None = None

    def meant(self) -> Limits:
        """As they are held."""
        return Limits(**self.model_dump())


def given(limits: Limits) -> dict[str, int]:
    """The bounds that there are, by name."""
    return {name: value for name in Limits.__slots__ if (value := getattr(limits, name)) is not None}


def stored(limits: Mapping[str, Any]) -> Limits:
    """From what a database holds; bounds that this program does not know are left out, as a newer one may have written them."""
    return Limits(**{name: int(limits[name]) for name in Limits.__slots__ if limits.get(name) is not None})
