"""What an operator can set, and where it comes from: flags, then the environment, then one settings file, then defaults.

A name nobody knows is an error that suggests the nearest: a mistyped setting must not leave a door open.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator

from proxy.settings_file import parse, reason
from proxy.settings_mistakes import is_service_link, nearest, said
from proxy.settings_of.door import Entrance, is_loopback
from proxy.settings_of.judged import Judged
from proxy.settings_of.limits import LEAST_SECRET, Bounds
from proxy.settings_of.names import (
    FILE_VARIABLE,
    KEYS_PREFIX,
    MODELS_VARIABLE,
    PREFIX,
    REDIS_PASSWORD_VARIABLE,
    REHEARSE_KEY_VARIABLE,
    UPSTREAM_KEY_VARIABLE,
)
from proxy.settings_of.records import Records
from proxy.settings_of.upstream import ModelServer

__all__ = [
    "KEYS_PREFIX",
    "LEAST_SECRET",
    "PREFIX",
    "REDIS_PASSWORD_VARIABLE",
    "UPSTREAM_KEY_VARIABLE",
    "Settings",
    "SettingsError",
    "is_loopback",
    "load",
]


class Settings(Records, Bounds, Entrance, ModelServer, Judged):
    """All settings, frozen. Times are seconds, sizes bytes.

    The groups stand from last to first: pydantic begins with the fields of the last one.
    """

    @model_validator(mode="after")
    def _counted(self) -> Settings:
        if self.default_limits.meant() and not self.redis_url and self.workers * self.replicas > 1:
            raise ValueError(
                f"default_limits with {self.workers} workers and {self.replicas} replicas: limits are counted exactly, which "
                f"several processes can do only together: set redis_url ({PREFIX}REDIS_URL)"
            )
        return self

    @model_validator(mode="after")
    def _shipped(self) -> Settings:
        if self.audit_ship == "database" and (not self.database or self.audit in ("stdout", "-", "stderr", "off")):
            raise ValueError("audit_ship: the ledger goes to a file (audit) and from there to the database: both must be named")
        if self.audit_ship == "none" and (self.audit_ship_texts or self.audit_without_database == "refuse"):
            raise ValueError("audit_ship_texts, audit_without_database: nothing is sent to a database: say audit_ship: database")
        return self


class SettingsError(Exception):
    """Settings that cannot be used; `mistakes` are all of them, one line each, each with its place and the fix."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


def load(flags: Mapping[str, Any], environ: Mapping[str, str], file: Path | None = None) -> Settings:
    """The settings from all places. A flag that is None was not given. Raises `SettingsError` with every mistake found."""
    mistakes: list[str] = []
    if file is None and environ.get(FILE_VARIABLE):
        file = Path(environ[FILE_VARIABLE])
    places: dict[str, str] = {}
    values: dict[str, Any] = {}
    given = {name: value for name, value in flags.items() if value is not None}
    for source, place in (
        (_from_file(file, mistakes) if file else {}, lambda name: f"{file}: {name}"),
        (_from_environment(environ, mistakes), lambda name: PREFIX + name.upper()),
        (given, lambda name: "--" + name.replace("_", "-")),
    ):
        values |= source
        places |= {name: place(name) for name in source}
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError([*mistakes, *said(error, places, list(Settings.model_fields))]) from None
    if mistakes:
        raise SettingsError(mistakes)
    return settings


def _from_file(file: Path, mistakes: list[str]) -> dict[str, Any]:
    try:
        read = parse(file)
    except (OSError, ValueError) as error:
        mistakes.append(f"{file}: {reason(error)}")
        return {}
    if not isinstance(read, dict):
        mistakes.append(f"{file}: a settings file holds one mapping of names to values")
        return {}
    known = list(Settings.model_fields)
    mistakes += [f"{file}: unknown setting '{name}'{nearest(str(name), known)}" for name in read if name not in known]
    return {name: value for name, value in read.items() if name in known}


def _from_environment(environ: Mapping[str, str], mistakes: list[str]) -> dict[str, Any]:
    known = {PREFIX + name.upper(): name for name in Settings.model_fields}
    own = {FILE_VARIABLE, MODELS_VARIABLE, UPSTREAM_KEY_VARIABLE, REHEARSE_KEY_VARIABLE, REDIS_PASSWORD_VARIABLE}
    own.add(environ.get(PREFIX + "UPSTREAM_API_KEY_ENV", ""))
    found: dict[str, Any] = {}
    for name, value in environ.items():
        if not name.startswith(PREFIX) or name.startswith(KEYS_PREFIX) or name in own or is_service_link(name, value):
            continue
        if name not in known:
            mistakes.append(f"environment: unknown setting {name}{nearest(name, list(known))}")
        elif value:  # `X=` is how a compose file says "not set"
            found[known[name]] = value
    return found
