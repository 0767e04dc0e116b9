"""What an operator can set, and where it comes from: flags, then the environment, then one settings file, then defaults.

A name nobody knows is an error that suggests the nearest: a mistyped setting must not leave a door open.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from proxy.access.written import LimitsWritten
from proxy.settings_file import parse, reason
from proxy.settings_mistakes import is_service_link, nearest, said
from proxy.state.place import place as database_place
from proxy.state.redis import redis_place
from proxy.upstream.address import address

PREFIX = "SLUICEGATE_"
FILE_VARIABLE = "SLUICEGATE_SETTINGS"
MODELS_VARIABLE = "SLUICEGATE_MODELS"  # where models lie that do not ship
UPSTREAM_KEY_VARIABLE = "SLUICEGATE_UPSTREAM_API_KEY"
REHEARSE_KEY_VARIABLE = "SLUICEGATE_REHEARSE_KEY"  # of `sluicegate rehearse`, which may run from the same shell
REDIS_PASSWORD_VARIABLE = "SLUICEGATE_REDIS_PASSWORD"  # noqa: S105  # the name of one
KEYS_PREFIX = "SLUICEGATE_KEY_"  # of variables that a routes file or a policy names: keys of servers

LEAST_SECRET = 32
"""Characters of a secret; fewer can be guessed."""

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=0, le=65_535)]


def _words(value: Any) -> Any:
    """A list in an environment variable is written with commas."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _numbers(value: Any) -> Any:
    """A mapping in an environment variable is written with commas, too: one=1, two=2."""
    if not isinstance(value, str):
        return value
    pairs = [word.partition("=") for word in _words(value)]
    if any(not equals for _, equals, _ in pairs):
        raise ValueError("write it as NAME=NUMBER, NAME=NUMBER")
    return {name.strip(): number.strip() for name, _, number in pairs}


class Settings(BaseModel):
    """All settings, frozen. Times are seconds, sizes bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    policy: str = Field(
        "default",
        description="A policy file, a folder of them, the name of one that comes with the program; store:NAME: of the database.",
    )
    policy_name: str = Field("", description="Which policy of the folder, where there are several.")
    policy_reload: Literal["on", "off", "sighup"] = Field(
        "on", description="Whether changed policies are taken in while the program runs: on, off, or sighup: when it is told to."
    )
    policy_reload_seconds: float = Field(
        0.5, ge=0.05, le=3600, description="How often policies are looked at; a file is taken in once it is the same twice."
    )
    policy_store: bool = Field(False, description="Policies in the database take the place of files of their names.")
    shadow: str = Field("", description="A candidate policy, as for policy, which judges what passes and does nothing.")
    shadow_samples: str = Field(
        "", description="A file for samples of what the candidate would do differently: ids, rules, categories, no text."
    )
    shadow_share: float = Field(1.0, ge=0, le=1, description="The share of exchanges that the candidate sees.")
    shadow_queue: int = Field(256, ge=1, le=100_000, description="Exchanges that may wait for it, per worker; more are dropped.")

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
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(_words)] = Field(
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

    redis_url: str = Field(
        "",
        description="Redis, for limits of several workers or replicas together, and word among them: redis://, rediss://, unix://, "
        f"redis+sentinel://, redis+cluster://. The password belongs into {REDIS_PASSWORD_VARIABLE}.",
    )
    redis_ca: str = Field("", description="A file with the certificate authorities that Redis' certificate may be from.")
    redis_timeout: float = Field(0.1, ge=0.005, le=10, description="Time in which Redis answers, or counts as gone.")
    redis_prefix: str = Field(
        "sluicegate", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Begins the names of all that is kept in Redis."
    )
    verdict_cache: Literal["local", "redis"] = Field(
        "local", description="Who remembers what servers that judge have said: each process for itself, or all together in Redis."
    )
    verdict_cache_seconds: int = Field(3600, ge=1, le=2_592_000, description="How long Redis keeps a verdict.")
    verdict_cache_timeout: float = Field(
        0.05, ge=0.001, le=10, description="Time in which Redis tells a verdict, or the judge is asked."
    )
    verdict_cache_secret: SecretStr | None = Field(
        None, description="What all replicas hash and seal verdicts with: 32 characters or more. Never by flag."
    )
    verdict_cache_secret_file: str = Field("", description="A file that holds it, in the place of verdict_cache_secret.")
    default_limits: Annotated[LimitsWritten, BeforeValidator(_numbers)] = Field(
        LimitsWritten(), description="Limits of every key that has none of its own: requests_per_minute=60, streams=4."
    )
    limits_without_redis: Literal["local", "refuse"] = Field(
        "local", description="While Redis is gone: local, a share of the limits in each process; refuse, a 503."
    )
    replicas: int = Field(1, ge=1, le=10_000, description="How many of this program run: the shares while Redis is gone.")
    upstream_concurrency: int = Field(
        0, ge=0, le=100_000, description="Exchanges at the model servers at one time, per worker; 0: no bound, and no queue."
    )
    queue_length: int = Field(1000, ge=0, le=1_000_000, description="Exchanges that may wait for a place there, per worker.")
    queue_seconds: Seconds = Field(60.0, description="The most time that one waits.")
    queue_weights: Annotated[dict[str, Annotated[float, Field(gt=0, le=1000)]], BeforeValidator(_numbers)] = Field(
        {}, description="Shares of tenants in the queue: acme=3, trial=0.5; 1 for those not named."
    )
    shed_lag_seconds: float = Field(
        2.0, ge=0, le=60, description="New requests are refused (503) while the event loop lags by this much; 0: never."
    )

    audit: str = Field(
        "sluicegate-audit.jsonl",
        description="Where the audit log goes: a path, stdout (or -), stderr; off says so at every start.",
    )
    audit_fsync: bool = Field(False, description="Wait until each audit line is on the disk.")
    audit_heads: str = Field(
        "", description="Where heads of the ledger's chain are anchored: a path on another disk, syslog, stdout or stderr."
    )
    audit_heads_seconds: Seconds = Field(10.0, description="How often the head is anchored.")
    audit_texts: str = Field("", description="The folder for texts that policies keep; empty: texts, beside the ledger.")
    audit_ship: Literal["none", "database"] = Field(
        "none", description="Where the ledger is sent on to, besides its files: none, or database, which all replicas share."
    )
    audit_ship_texts: bool = Field(False, description="Sealed texts that policies keep are sent there too.")
    audit_without_database: Literal["spool", "refuse"] = Field(
        "spool",
        description="While that database is gone: spool, lines wait on the disk; refuse, new exchanges are refused (500).",
    )
    audit_spool_bytes: int = Field(
        1 << 30, ge=1 << 16, le=1 << 40, description="What may wait to be sent on; beyond it new exchanges are refused (500)."
    )
    metrics: bool = Field(True, description="Serve /metrics for Prometheus.")
    traces: Literal["auto", "on", "off"] = Field(
        "auto", description="OpenTelemetry traces over OTLP; auto: where OTEL_EXPORTER_OTLP_ENDPOINT names a collector."
    )
    docs: bool = Field(True, description="Serve /docs and /openapi.json.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least grave message that is logged.")
    log_format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, JSON lines elsewhere.")

    @field_validator("upstream")
    @classmethod
    def _address(cls, value: str) -> str:
        return address(value, f"the environment ({UPSTREAM_KEY_VARIABLE})") if value else value

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

    @field_validator("upstream_api_key_env")
    @classmethod
    def _variable(cls, value: str) -> str:
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value) is None:
            raise ValueError("this is the *name* of an environment variable, not the key itself")
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str) -> str:
        if value:
            redis_place(value)
        return value

    @field_validator("verdict_cache_secret")
    @classmethod
    def _secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < LEAST_SECRET:
            raise ValueError(f"{LEAST_SECRET} characters or more, like those of: openssl rand -hex 32")
        return value

    @model_validator(mode="after")
    def _shared_verdicts(self) -> Settings:
        if self.verdict_cache == "redis" and not self.redis_url:
            raise ValueError(f"verdict_cache: redis: where is it? Set redis_url ({PREFIX}REDIS_URL)")
        return self

    @model_validator(mode="after")
    def _counted(self) -> Settings:
        if self.default_limits.meant() and not self.redis_url and self.workers * self.replicas > 1:
            raise ValueError(
                f"default_limits with {self.workers} workers and {self.replicas} replicas: limits are counted exactly, which "
                f"several processes can do only together: set redis_url ({PREFIX}REDIS_URL)"
            )
        return self

    @model_validator(mode="after")
    def _reach(self) -> Settings:
        demanded = self.api_key or self.keys == "required" or self.keys_file
        if not (demanded or self.allow_anonymous or is_loopback(self.host)):
            raise ValueError(
                f"host {self.host} can be reached from other machines, and no key is set: say keys: required "
                f"({PREFIX}KEYS=required) and make keys with sluicegate keys create, set {PREFIX}API_KEY, "
                "or say --allow-anonymous (allow_anonymous: true)"
            )
        return self

    @model_validator(mode="after")
    def _shipped(self) -> Settings:
        if self.audit_ship == "database" and (not self.database or self.audit in ("stdout", "-", "stderr", "off")):
            raise ValueError("audit_ship: the ledger goes to a file (audit) and from there to the database: both must be named")
        if self.audit_ship == "none" and (self.audit_ship_texts or self.audit_without_database == "refuse"):
            raise ValueError("audit_ship_texts, audit_without_database: nothing is sent to a database: say audit_ship: database")
        return self

    @model_validator(mode="after")
    def _one_way(self) -> Settings:
        beside = [name for name in ("upstream", "model", "profile") if getattr(self, name)] if self.routes else []
        if beside:
            raise ValueError(f"{' and '.join(beside)}: not used beside routes; write them into the file {self.routes}")
        return self

    def admits(self, authorization: str | None) -> bool:
        """Whether a caller with this Authorization header may come in. Takes the same time for every wrong key."""
        if self.api_key is None:
            return True
        scheme, _, token = (authorization or "").partition(" ")
        given, wanted = token.strip().encode(), self.api_key.get_secret_value().encode()
        return hmac.compare_digest(given, wanted) and scheme.lower() == "bearer"


class SettingsError(Exception):
    """Settings that cannot be used; `mistakes` are all of them, one line each, each with its place and the fix."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


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
