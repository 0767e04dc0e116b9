"""How a server that judges is reached, as a rule writes it: address, key, limits. `remote` and `judge` share it."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any

import httpx
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator

from classifiers.registry import Options

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_WRITTEN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m)")


def _seconds(value: Any) -> Any:
    """`500ms`, `2s` and `5m` as seconds, as in the rules' own keys; a number is seconds already."""
    found = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    return float(found[1]) * _UNITS[found[2]] if found else value


_SCHEMA = {"anyOf": [{"type": "string", "examples": ["500ms", "2s", "5m"]}, {"type": "number"}]}
Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=3600, allow_inf_nan=False), WithJsonSchema(_SCHEMA)]


OWN_NAMES = (".svc", ".cluster.local", ".internal", ".local", ".localhost", ".home.arpa")
"""How names end that nobody outside can own: Kubernetes' services, and what RFC 6761, 6762, 8375 and ICANN set apart."""


def ours(url: str) -> bool:
    """Whether a server stands in our own house, as far as its address tells: a name without a dot or with one of `OWN_NAMES`, or
    an address that is not routed outside."""
    host = httpx.URL(url).host.strip("[]").rstrip(".").lower()
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(OWN_NAMES)


class BreakerOptions(BaseModel):
    """After `failures` failed calls within `seconds` nobody is asked for `pause` seconds; then one call tries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    failures: int = Field(default=5, ge=1, le=1000)
    seconds: Seconds = 30.0
    pause: Seconds = 10.0


class ServerOptions(Options):
    """`url`: the server's address, in front of a protocol's own path; `model`: its name there; `api_key_env`: the environment
    variable that holds the key; `ca_file`: trusted certificates instead of the system's.

    `deadline`: seconds for one call, waiting for its turn included: less than the rule's `within` (2 s unless it says otherwise),
    or slow calls end before they can count as failures. `concurrency`: calls under way at once; `waiting`: calls that may wait
    for their turn, one more is an overload. `cache`: verdicts that are remembered, 0 for none. `traceparent`: whether the server
    is told which trace a call is part of; where nothing is said, servers of our own are, by their address (`ours`).
    """

    url: str
    model: str = Field(default="", max_length=500)
    api_key_env: str = ""
    ca_file: Path | None = None
    deadline: Seconds = 1.8
    concurrency: int = Field(default=16, ge=1, le=1024)
    waiting: int = Field(default=64, ge=0, le=65536)
    breaker: BreakerOptions = BreakerOptions()
    cache: int = Field(default=4096, ge=0, le=1_000_000)
    traceparent: bool | None = None

    @field_validator("url")
    @classmethod
    def _address(cls, url: str) -> str:
        example = "write it like http://127.0.0.1:8000"
        try:
            parts = httpx.URL(url)
        except httpx.InvalidURL:
            raise ValueError(f"this is no address; {example}") from None
        if parts.scheme not in ("http", "https") or not parts.host:
            raise ValueError(f"an address has a scheme (http or https) and a host; {example}")
        if parts.userinfo or parts.query or parts.fragment:
            raise ValueError("an address without user, query and fragment; the key goes into a variable that api_key_env names")
        return url.rstrip("/")

    @field_validator("api_key_env")
    @classmethod
    def _key(cls, name: str) -> str:
        if not name:
            return name
        key = os.environ.get(name, "")
        if not key:
            raise ValueError(f"the environment variable {name} is not set; export it, or take api_key_env out")
        if not key.isascii() or not key.isprintable():
            raise ValueError(f"the environment variable {name} holds what cannot be sent in a header; a key is one line of ASCII")
        return name
