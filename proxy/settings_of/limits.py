"""Settings of limits, of the queue, and of the Redis in which several processes count together."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from proxy.access.written import LimitsWritten
from proxy.settings_of.names import PREFIX, REDIS_PASSWORD_VARIABLE
from proxy.settings_of.written import Seconds, Written, numbers
from proxy.state.redis import redis_place

LEAST_SECRET = 32
"""Characters of a secret; fewer can be guessed."""


class Bounds(Written):
    """A group of `Settings`."""

    redis_url: str = Field(
        "",
        description="Redis, for limits of several workers or replicas together, and word among them: redis://, rediss://, "
        f"unix://, redis+sentinel://, redis+cluster://. The password belongs into {REDIS_PASSWORD_VARIABLE}.",
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
    default_limits: Annotated[LimitsWritten, BeforeValidator(numbers)] = Field(
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
    queue_weights: Annotated[dict[str, Annotated[float, Field(gt=0, le=1000)]], BeforeValidator(numbers)] = Field(
        {}, description="Shares of tenants in the queue: acme=3, trial=0.5; 1 for those not named."
    )
    shed_lag_seconds: float = Field(
        2.0, ge=0, le=60, description="New requests are refused (503) while the event loop lags by this much; 0: never."
    )

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
    def _shared_verdicts(self) -> Self:
        if self.verdict_cache == "redis" and not self.redis_url:
            raise ValueError(f"verdict_cache: redis: where is it? Set redis_url ({PREFIX}REDIS_URL)")
        return self
