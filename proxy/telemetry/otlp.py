"""Spans made with OpenTelemetry's SDK and sent over OTLP, in batches, from a thread of their own.

How many are taken, where they go and how long that may take is said in OpenTelemetry's own variables (`OTEL_TRACES_SAMPLER`,
`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_BSP_MAX_QUEUE_SIZE` …). Nothing of it is global: each application has its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from types import TracebackType

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from proxy.telemetry.delivery import Delivery
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.span import Kind, Span, Value

KINDS: Mapping[Kind, trace.SpanKind] = {
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
    "internal": trace.SpanKind.INTERNAL,
}


def tried() -> None:
    """Makes and closes what the environment asks for, with nowhere to send it. Raises `ValueError` for numbers that are none."""
    _hushed()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    provider.shutdown()


def _hushed() -> None:
    """It logs collectors' answers and full queues by itself, at every batch. Both are counted; see `Delivery`."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)


def otlp(metrics: Metrics) -> Otlp:
    """Traces as the environment wants them."""
    _hushed()
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)  # its sampler comes from the environment
    provider.add_span_processor(Delivery(OTLPSpanExporter(), metrics))
    return Otlp(provider)


def _resource() -> Resource:
    """Who we are. What the environment says of it wins."""
    ours = Resource(
        {
            "service.name": "sluicegate",
            "service.version": version("sluicegate"),
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        }
    )
    named = Resource.create()
    unnamed = str(named.attributes.get("service.name", "")).startswith("unknown_service")
    return ours.merge(
        Resource({key: value for key, value in named.attributes.items() if not (unnamed and key == "service.name")})
    )


class Otlp:
    """See `proxy.telemetry.tracing.Tracing`."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("sluicegate", version("sluicegate"))
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, headers: Iterable[tuple[bytes, bytes]]) -> Span:
        """See `Tracing.begin`. A header that is there twice, or is no `traceparent`, is as good as none."""
        parents = [value for name, value in headers if name == b"traceparent"]
        context = Context()  # never that of whoever calls us
        if len(parents) == 1:
            context = self._propagator.extract({"traceparent": parents[0].decode("latin-1")}, context)
        return of(self._tracer, self._tracer.start_span("chat", context, trace.SpanKind.SERVER))

    async def aclose(self) -> None:
        """See `Tracing.aclose`."""
        await asyncio.to_thread(self._provider.shutdown)


def of(tracer: trace.Tracer, span: trace.Span) -> Span:
    """A span of OpenTelemetry as one of ours."""
    return Recorded(tracer, span) if span.is_recording() else Passing(span.get_span_context())


def _traceparent(context: trace.SpanContext) -> Sequence[tuple[str, str]]:
    return (("traceparent", f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags) & 1:02x}"),)


def _clean(value: Value) -> Value:
    """Lone surrogates cannot be sent, and one of them would take its whole batch along."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool | int | float):
        return value
    return [each.encode("utf-8", "replace").decode() for each in value]


class Recorded:
    """A span that will be seen."""

    __slots__ = ("_context", "_span", "_tracer")
    live = True

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer, self._span = tracer, span
        self._context: Context | None = None

    @property
    def trace_id(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}"

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        return _traceparent(self._span.get_span_context())

    def begin(self, name: str, kind: Kind = "internal", ago: float = 0.0) -> Span:
        began = time.time_ns() - int(ago * 1e9) if ago > 0 else None
        return of(self._tracer, self._tracer.start_span(name, self._within(), KINDS[kind], start_time=began))

    def _within(self) -> Context:
        if self._context is None:
            self._context = trace.set_span_in_context(self._span, Context())
        return self._context

    def past(self, name: str, seconds: float, notes: Mapping[str, Value]) -> None:
        began = time.time_ns() - int(max(0.0, seconds) * 1e9)
        span = self._tracer.start_span(name, self._within(), start_time=began)
        span.set_attributes({key: _clean(value) for key, value in notes.items()})
        span.end()

    def rename(self, name: str) -> None:
        self._span.update_name(str(_clean(name)))

    def note(self, notes: Mapping[str, Value]) -> None:
        self._span.set_attributes({key: _clean(value) for key, value in notes.items()})

    def event(self, name: str, notes: Mapping[str, Value]) -> None:
        self._span.add_event(name, {key: _clean(value) for key, value in notes.items()})

    def fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(trace.StatusCode.ERROR)

    def end(self) -> None:
        if self._span.is_recording():
            self._span.end()

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None and kind is not GeneratorExit:
            self.fail(getattr(error, "kind", "") or getattr(error, "code", "") or kind.__name__)  # of our own errors, their word
        self.end()


class Passing:
    """A span that the sampler left out: only its `traceparent` goes on, so that all of a trace is left out or none of it."""

    __slots__ = ("_context",)
    live = False
    trace_id = ""

    def __init__(self, context: trace.SpanContext) -> None:
        self._context = context

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        return _traceparent(self._context)

    def begin(self, name: str, kind: Kind = "internal", ago: float = 0.0) -> Span:
        return self

    def past(self, name: str, seconds: float, notes: Mapping[str, Value]) -> None: ...
    def rename(self, name: str) -> None: ...
    def note(self, notes: Mapping[str, Value]) -> None: ...
    def event(self, name: str, notes: Mapping[str, Value]) -> None: ...
    def fail(self, kind: str) -> None: ...
    def end(self) -> None: ...

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...
