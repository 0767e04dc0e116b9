"""Settings of the door: where the program listens, whom it lets in, and what it takes."""

from __future__ import annotations

import hmac
import ipaddress
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from proxy.settings_of.names import PREFIX
from proxy.settings_of.written import Port, Seconds, Written, words
from proxy.state.place import place as database_place


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class Entrance(Written):
    """A group of `Settings`."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8080, description="Port to listen on; 0 takes a free one and prints it.")
    workers: int = Field(1, ge=1, le=128, description="Processes that share the port.")
    max_body_bytes: int = Field(
        4 * 1024 * 1024, ge=1024, le=1 << 30, description="Size of a request body; a larger one is refused (413)."
    )
    max_messages: int = Field(20_000, ge=1, le=1_000_000, description="Messages in one request.")
    max_prompt_chars: int = Field(
        600_000, ge=1000, le=100_000_000, description="Characters of all texts of a request; a longer one is refused (400)."
    )
    prompt_seconds: Seconds = Field(
        120.0,
        description="The most time for judging one prompt: 10 s and 0.2 ms a character, up to this; then it is refused (400).",
    )
    keep_alive_seconds: float = Field(
        10.0, ge=0, le=600, description="A comment keeps a silent stream open this often; 0 sends none."
    )
    drain_seconds: int = Field(30, ge=0, le=3600, description="Time that running exchanges get when the program is told to stop.")
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(words)] = Field(
        (), description="Web origins whose pages may call us; * for all."
    )
    api_key: SecretStr | None = Field(
        None, description="The key that callers must send as a bearer token. By environment or file, never by flag."
    )
    allow_anonymous: bool = Field(False, description="Listen beyond this machine without a key.")
    keys: Literal["auto", "required"] = Field(
        "auto", description="Whether callers need a key of their own: required; or auto, as soon as there is one."
    )
    keys_file: str = Field("", description="A file with hashes of keys, for installations without a database.")
    keys_refresh_seconds: float = Field(
        0.5, ge=0.05, le=60, description="How often keys are looked at again: the time in which a revocation takes effect."
    )
    keys_stale_seconds: Seconds = Field(
        900.0, description="How long keys are trusted when the database is gone; after that all are refused (503)."
    )
    admin: bool = Field(False, description="Serve the admin API under /admin/v1, for administrators' keys.")
    database: str = Field(
        "sluicegate.db",
        repr=False,
        description="Keys, tenants, policies: an SQLite file, made when it is needed, or a PostgreSQL address. Empty: none.",
    )

    classifier_threads: int = Field(
        0, ge=0, le=256, description="Threads per worker for models that judge; 0: one less than there are cores, at least one."
    )

    @field_validator("api_key")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (not value.get_secret_value().isascii() or len(value.get_secret_value()) < 8):
            raise ValueError("a key has at least 8 characters, all of them ASCII")
        return value

    @field_validator("database")
    @classmethod
    def _database(cls, value: str) -> str:
        database_place(value)
        return value

    @model_validator(mode="after")
    def _reach(self) -> Self:
        demanded = self.api_key or self.keys == "required" or self.keys_file
        if not (demanded or self.allow_anonymous or is_loopback(self.host)):
            raise ValueError(
                f"host {self.host} can be reached from other machines, and no key is set: say keys: required "
                f"({PREFIX}KEYS=required) and make keys with sluicegate keys create, set {PREFIX}API_KEY, "
                "or say --allow-anonymous (allow_anonymous: true)"
            )
        return self

    def admits(self, authorization: str | None) -> bool:
        """Whether a caller with this Authorization header may come in. Takes the same time for every wrong key."""
        if self.api_key is None:
            return True
        scheme, _, token = (authorization or "").partition(" ")
        given, wanted = token.strip().encode(), self.api_key.get_secret_value().encode()
        return hmac.compare_digest(given, wanted) and scheme.lower() == "bearer"
