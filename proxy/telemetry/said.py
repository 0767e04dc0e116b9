"""What a span says of an exchange, by OpenTelemetry's conventions for generative AI (semantic conventions 1.37) and our own.

Nothing here is text of a conversation. The name of the model is the only thing that a caller wrote, and it is one that there is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from classifiers.asked_within import asked_within
from proxy.exchange import Exchange
from proxy.exchange import rules as rules_of
from proxy.telemetry.current import within_exchange
from proxy.telemetry.span import NO_SPAN, Value
from proxy.wire.chat import ChatRequest

MOST_RULES = 32
"""Rules named on a span; how many acted is in `sluicegate.findings`."""
PARAMETERS: Mapping[str, str] = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "seed": "gen_ai.request.seed",
}


def asked(exchange: Exchange, request: ChatRequest) -> dict[str, Value]:
    """What is known once a request was read."""
    body: Mapping[str, Any] = request.body
    numbers = {name: body[key] for key, name in PARAMETERS.items() if isinstance(body.get(key), int | float)}
    notes: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "deepseek",
        "gen_ai.request.model": request.model[:200],
        "gen_ai.output.type": "json" if request.wants_json or (request.form and request.form.kind == "json") else "text",
        "sluicegate.stream": request.stream,
        "sluicegate.prompt.messages": len(request.roles),
        "sluicegate.prompt.chars": request.chars,
        **numbers,
    }
    if request.choices > 1:
        notes["gen_ai.request.choice.count"] = request.choices
    if request.limit is not None:
        notes["gen_ai.request.max_tokens"] = request.limit
    if exchange.model_route:
        notes["sluicegate.route"] = exchange.model_route
    return notes


def became(exchange: Exchange) -> dict[str, Value]:
    """What is known at the end."""
    found = rules_of(exchange.reasons)
    notes: dict[str, Value] = {
        "http.request.method": "POST",
        "http.route": exchange.route,
        "http.response.status_code": exchange.status,
        "gen_ai.response.id": exchange.id,
        "sluicegate.exchange": exchange.id,
        "sluicegate.outcome": exchange.outcome,
        "sluicegate.verdict": exchange.worst.word,
        "sluicegate.policy.name": exchange.policy.name,
        "sluicegate.policy.digest": exchange.policy.digest,
        "sluicegate.rules": [f"{one['rule']}:{one['channel']}:{one['action']}" for one in found[:MOST_RULES]],
        "sluicegate.unjudged": sorted({blind.rule for blind in exchange.blind})[:MOST_RULES],
        "sluicegate.findings": len(exchange.reasons),
        "sluicegate.repairs": len(exchange.repaired),
    }
    words = {
        "sluicegate.tenant": exchange.tenant,
        "sluicegate.key": exchange.key,
        "sluicegate.upstream": exchange.upstream,
        "sluicegate.truncated_in": exchange.truncated_in,
    }
    notes |= {name: value for name, value in words.items() if value}
    if exchange.outcome == "prompt_blocked":  # no choice was ever begun
        notes["gen_ai.response.finish_reasons"] = ["content_filter"]
    if exchange.usage is not None:
        usage = exchange.usage
        notes |= {"gen_ai.usage.input_tokens": usage.prompt, "gen_ai.usage.output_tokens": usage.completion}
        notes["sluicegate.usage.source"] = usage.source
        if usage.reasoning is not None:
            notes["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning
    if exchange.client_first is not None:
        notes["sluicegate.client_first_seconds"] = round(exchange.client_first, 6)
    if exchange.upstream_first is not None:
        notes["sluicegate.upstream_first_seconds"] = round(exchange.upstream_first, 6)
    return notes


def guarded(exchange: Exchange) -> dict[str, Value]:
    """What judging a reply took, all of it together."""
    held = {f"sluicegate.held_seconds.{channel.value}": round(most, 6) for channel, most in exchange.held.items()}
    return {"sluicegate.guard.busy_seconds": round(exchange.guarded, 6), **held}


def failure(exchange: Exchange) -> str:
    """The word for what went wrong, empty where nothing did. A verdict is no failure."""
    if exchange.upstream_error:
        return exchange.upstream_error
    if exchange.outcome in ("failed", "client_left"):
        return exchange.outcome
    return str(exchange.status) if exchange.status >= 400 and exchange.outcome not in ("prompt_blocked", "answer_blocked") else ""


def read(exchange: Exchange, request: ChatRequest) -> None:
    """The exchange's request was read: its span gets the model's name."""
    span = exchange.span
    if span.live:
        span.rename(f"chat {request.model[:200]}")
        span.note(asked(exchange, request))


@contextmanager
def followed(exchange: Exchange) -> Iterator[None]:
    """What runs in the block is this exchange: its log lines bear its id, and with the block its span ends. Servers that it asks
    hear of its trace, if only that nobody will see it."""
    heard = nullcontext() if exchange.span is NO_SPAN else asked_within(lambda: exchange.span.headers)
    try:
        with within_exchange(exchange.id, exchange.span.trace_id), heard:
            yield
    finally:
        _ended(exchange)


def _ended(exchange: Exchange) -> None:
    span = exchange.span
    if span.live:
        span.note(became(exchange))
        told = exchange.guards is not None and exchange.guards.end(guarded(exchange))
        if not told and exchange.upstream_first is not None:
            since = time.perf_counter() - exchange.started - exchange.upstream_first
            span.past("reply guard", since, guarded(exchange))
        if kind := failure(exchange):
            span.fail(kind)
    span.end()
