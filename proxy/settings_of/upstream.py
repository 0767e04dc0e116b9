"""Settings of the model server, or of the file that names several."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from proxy.settings_of.names import UPSTREAM_KEY_VARIABLE
from proxy.settings_of.written import Seconds, Written
from proxy.upstream.address import address


class ModelServer(Written):
    """A group of `Settings`."""

    routes: str = Field("", description="A routes file: several models, several model servers. Then upstream is not used.")
    upstream: str = Field(
        "", description="Address of the model server, as an OpenAI client would write it; /v1 is added where no path is given."
    )
    upstream_api_key_env: str = Field(
        UPSTREAM_KEY_VARIABLE, description="Name of the environment variable that holds the model server's key."
    )
    upstream_connect_timeout: Seconds = Field(5.0, description="Time limit for the connection to the model server.")
    upstream_first_byte_timeout: Seconds = Field(
        600.0, description="Time limit until its first byte: its queue, and reading a long prompt."
    )
    upstream_between_bytes_timeout: Seconds = Field(120.0, description="Time limit between two bytes of its stream.")
    upstream_total_timeout: Seconds = Field(
        3600.0, description="Time limit for one whole reply: 32k tokens of thought at 10 a second take 3277 s."
    )
    upstream_connections: int = Field(
        4096, ge=1, le=100_000, description="Connections to the model server at one time, per worker."
    )
    upstream_retries: int = Field(1, ge=0, le=10, description="Further tries after a failure before the first byte.")
    upstream_gather_seconds: float = Field(
        0.03,
        ge=0,
        le=1,
        description="From a model server faster than this, tokens are taken in together, once in this time; 0: as they come.",
    )
    model: str = Field("", description="The one model to ask the server for; empty lets the caller choose among the server's.")
    profile: str = Field(
        "",
        description="What the model needs: a profile's name or a file; empty: recognised by the model's name, where it can be.",
    )
    thinking: Literal["auto", "fields", "inline"] = Field(
        "auto", description="How the server sends thoughts: in fields of their own, inline in <think> tags, or to be found out."
    )
    reasoning_field: Literal["both", "reasoning", "reasoning_content"] = Field(
        "both", description="The field in which clients get thoughts."
    )

    @field_validator("upstream")
    @classmethod
    def _address(cls, value: str) -> str:
        return address(value, f"the environment ({UPSTREAM_KEY_VARIABLE})") if value else value

    @field_validator("upstream_api_key_env")
    @classmethod
    def _variable(cls, value: str) -> str:
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) is None:
            raise ValueError("this is the *name* of an environment variable, not the key itself")
        return value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        beside = [name for name in ("upstream", "model", "profile") if getattr(self, name)] if self.routes else []
        if beside:
            raise ValueError(f"{' and '.join(beside)}: not used beside routes; write them into the file {self.routes}")
        return self
