"""What the settings say about verdicts that replicas share, made. Imports nothing of Redis or of judges where they share none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from policies.bind import Builder
from proxy.settings import LEAST_SECRET, PREFIX, REDIS_PASSWORD_VARIABLE, Settings
from proxy.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from proxy.state.verdicts import RedisVerdicts

NO_SECRET = (
    "verdict_cache: redis: verdicts are hashed and sealed with a secret that all replicas have: set one of verdict_cache_secret "
    f"({PREFIX}VERDICT_CACHE_SECRET) and verdict_cache_secret_file; make one with: openssl rand -hex 32"
)


def secret_of(settings: Settings) -> bytes:
    """What verdicts are hashed and sealed with. Raises `ValueError` where there is none, or one that will not do."""
    if (settings.verdict_cache_secret is None) == (not settings.verdict_cache_secret_file):
        raise ValueError(NO_SECRET)
    if settings.verdict_cache_secret is not None:
        return settings.verdict_cache_secret.get_secret_value().encode()
    file = Path(settings.verdict_cache_secret_file)
    try:
        secret = file.read_bytes().strip()
    except OSError as error:
        raise ValueError(f"verdict_cache_secret_file: cannot read {file}: {error.strerror}") from None
    if len(secret) < LEAST_SECRET:
        raise ValueError(f"verdict_cache_secret_file: {file}: {LEAST_SECRET} characters or more: openssl rand -hex 32 > {file}")
    return secret


def verdicts_of(settings: Settings, environ: Mapping[str, str]) -> RedisVerdicts | None:
    """The verdicts that the settings let replicas share; None where they do not. Connects to nothing yet. Raises `ValueError`."""
    if settings.verdict_cache == "local":
        return None
    from proxy.state.redis import Shared, redis_place
    from proxy.state.verdicts import PATIENT, RedisVerdicts

    redis = Shared(
        redis_place(settings.redis_url),
        password=environ.get(REDIS_PASSWORD_VARIABLE, ""),
        ca=settings.redis_ca,
        timeout=max(PATIENT, settings.verdict_cache_timeout),
    )
    return RedisVerdicts(
        redis,
        secret_of(settings),
        prefix=settings.redis_prefix,
        seconds=settings.verdict_cache_seconds,
        patience=settings.verdict_cache_timeout,
    )


@asynccontextmanager
async def sharing(builder: Builder, metrics: Metrics) -> AsyncIterator[None]:
    """While the block runs, the classifiers of this builder share their verdicts, if it was made for that."""
    if builder.verdicts is None:
        yield
        return
    from proxy.state.verdicts import RedisVerdicts
    from proxy.telemetry.verdicts import VerdictMetrics

    assert isinstance(builder.verdicts, RedisVerdicts)  # noqa: S101  # the only kind there is
    async with builder.verdicts.watched(VerdictMetrics(metrics)):
        yield
