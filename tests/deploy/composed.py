"""A compose file, as far as ours uses the specification: every key that is not known here is a mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]+$")]
Duration = Annotated[str, Field(pattern=r"^(\d+h)?(\d+m)?(\d+s)?$", min_length=2)]
Port = Annotated[str, Field(pattern=r"^127\.0\.0\.1:\d{2,5}:\d{2,5}$")]
"""On this machine only: there is no TLS yet."""


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Build(Strict):
    context: str
    dockerfile: str


class Mount(Strict):
    type: Literal["bind", "volume"]
    source: str
    target: Annotated[str, Field(pattern="^/")]
    read_only: bool = False


class Health(Strict):
    test: Annotated[list[str], Field(min_length=2)]
    interval: Duration
    timeout: Duration
    retries: int
    start_period: Duration = "0s"

    @model_validator(mode="after")
    def _said_how(self) -> Health:
        assert self.test[0] in ("CMD", "CMD-SHELL")
        return self


class Dependency(Strict):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]
    required: bool = True


class Device(Strict):
    driver: str
    count: int
    capabilities: list[str]


class Reservations(Strict):
    devices: list[Device]


class Resources(Strict):
    reservations: Reservations


class Deployment(Strict):
    resources: Resources


class Attached(Strict):
    aliases: list[Name] = []


class Service(Strict):
    image: Annotated[str, Field(pattern=r"^\S+:v?[0-9][\w.-]*$")]
    build: Build | None = None
    entrypoint: list[str] = []
    command: list[str] = []
    environment: dict[str, str] = {}
    ports: list[Port] = []
    volumes: list[Mount] = []
    tmpfs: list[str] = []
    networks: Annotated[list[Name] | dict[Name, Attached], Field(min_length=1)]
    profiles: list[Name] = []
    healthcheck: Health | None = None
    depends_on: dict[Name, Dependency] = {}
    deploy: Deployment | None = None
    read_only: bool = False
    cap_drop: list[str] = []
    security_opt: list[str] = []
    restart: Literal["unless-stopped"] | None = None
    stop_grace_period: Duration = "10s"
    shm_size: str = ""
    mem_limit: str = ""
    user: str = ""


class Network(Strict):
    internal: bool = False


class Compose(Strict):
    """The whole file; `x-` keys are anchors and mean nothing."""

    name: Name
    services: dict[Name, Service]
    networks: dict[Name, Network]
    volumes: dict[Name, dict[str, Any]]

    @model_validator(mode="after")
    def _refers_to_what_is_there(self) -> Compose:
        for name, service in self.services.items():
            for other, known in (
                (service.depends_on, self.services),
                (service.networks, self.networks),
                ({each.source for each in service.volumes if each.type == "volume"}, self.volumes),
            ):
                missing = sorted(set(other) - set(known))
                if missing:
                    raise ValueError(f"{name} refers to {', '.join(missing)}, which is not there")
            for needed, how in service.depends_on.items():
                if how.condition == "service_healthy" and self.services[needed].healthcheck is None:
                    raise ValueError(f"{name} waits until {needed} is healthy, which nobody checks")
        return self


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """Puts in what the environment says. Raises `ValueError` where `${NAME:?}` is not said, as compose does."""

    def value(found: re.Match[str]) -> str:
        name = found["name"]
        if found["must"] and not values.get(name):
            raise ValueError(f"{name} is not set")
        return values.get(name, "")

    return re.sub(r"(?<!\$)\$\{(?P<name>\w+)(?P<must>:\?)?\}", value, text).replace("$$", "$")


def compose(text: str, values: Mapping[str, str]) -> Compose:
    """The file with the values of an env file. Raises pydantic's `ValidationError`, and `ValueError`."""
    from tests.deploy.cluster import read

    (written,) = read(interpolated(text, values))
    return Compose.model_validate({name: value for name, value in written.items() if not name.startswith("x-")})
