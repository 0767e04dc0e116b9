"""What the settings say of verdicts that replicas share, and of notices among them, made. Imports no client of Redis and no judge
where there are none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.settings import LEAST_SECRET, PREFIX, REDIS_PASSWORD_VARIABLE, Settings
from proxy.state.notices import ByTheClock, Notices, RedisNotices, Told, Topic
from proxy.state.redis import Shared, redis_place

if TYPE_CHECKING:
    from policies.bind import Builder
    from proxy.state.verdicts import RedisVerdicts
    from proxy.telemetry.metrics import Metrics

PATIENT = 2.0
"""Seconds for what no request waits for: a notice, keeping a verdict, the first connection."""
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
    from proxy.state.verdicts import RedisVerdicts

    return RedisVerdicts(
        _client(settings, environ, max(PATIENT, settings.verdict_cache_timeout)),
        secret_of(settings),
        prefix=settings.redis_prefix,
        seconds=settings.verdict_cache_seconds,
        patience=settings.verdict_cache_timeout,
    )


def _client(settings: Settings, environ: Mapping[str, str], timeout: float) -> Shared:
    password = environ.get(REDIS_PASSWORD_VARIABLE, "")
    return Shared(redis_place(settings.redis_url), password=password, ca=settings.redis_ca, timeout=timeout)


def notices_of(settings: Settings, environ: Mapping[str, str]) -> Notices:
    """The channel between replicas that the settings name, if they name a Redis. Connects to nothing yet."""
    if not settings.redis_url:
        return ByTheClock()
    return RedisNotices(_client(settings, environ, PATIENT), settings.redis_prefix)


def teller(settings: Settings, environ: Mapping[str, str], topic: Topic) -> Told:
    """Tells the replicas once, for a command that then ends."""

    async def told() -> None:
        notices = notices_of(settings, environ)
        try:
            await notices.tell(topic)
        finally:
            await notices.aclose()

    return told


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
