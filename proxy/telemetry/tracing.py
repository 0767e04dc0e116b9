"""Whether there are traces, and who makes them. OpenTelemetry is imported only where somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from proxy.telemetry.metrics import Metrics
from proxy.telemetry.span import NO_SPAN, Span

When = Literal["auto", "on", "off"]
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SPOKEN = "http/protobuf"


class TracingError(Exception):
    """Traces are asked for and cannot be had; the text names the reason and the fix."""


class Tracing(Protocol):
    """Makes the span of each exchange."""

    def begin(self, headers: Iterable[tuple[bytes, bytes]]) -> Span:
        """The outermost span of an exchange, within the caller's trace if its headers name one."""
        ...

    async def aclose(self) -> None:
        """Sends what has not been sent, in bounded time. To be called once, at the end."""
        ...


class Untraced:
    """No traces."""

    def begin(self, headers: Iterable[tuple[bytes, bytes]]) -> Span:
        return NO_SPAN

    async def aclose(self) -> None: ...


def tracing_of(when: When, environ: Mapping[str, str], metrics: Metrics) -> Tracing:
    """What the setting `traces` and OpenTelemetry's own variables ask for. Raises `TracingError`."""
    if not check(when, environ):
        return Untraced()
    from proxy.telemetry.otlp import otlp

    return otlp(metrics)


def check(when: When, environ: Mapping[str, str]) -> bool:
    """Whether there will be traces. Raises `TracingError` where they are asked for and cannot be had."""
    if not wanted(when, environ):
        return False
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), SPOKEN)
    if protocol != SPOKEN:
        raise TracingError(
            f"traces: {protocol} is not spoken here; set OTEL_EXPORTER_OTLP_PROTOCOL={SPOKEN} (port 4318 of most collectors)"
        )
    try:
        from proxy.telemetry.otlp import tried  # it takes 0.2 s: only those who want traces pay for it
    except ModuleNotFoundError as error:
        name = error.name or "opentelemetry"
        raise TracingError(f"traces need the package {name}: pip install 'sluicegate[otel]', or set traces: off") from error
    try:
        tried()
    except ValueError as error:  # it speaks of numbers only; endpoints and headers are taken as they are
        raise TracingError(f"traces: {str(error).rstrip('.')}; look at the variables OTEL_BSP_… and OTEL_…_LIMIT") from None
    return True


def wanted(when: When, environ: Mapping[str, str]) -> bool:
    """Whether there are traces: `auto` has them where a place for them is named, and nobody switched them off."""
    if when == "off" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if when == "on":
        return True
    return environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() == "otlp" and any(environ.get(name) for name in ENDPOINTS)
