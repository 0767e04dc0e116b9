"""One request and all that became of it, for the audit and the metrics. Holds no text of the conversation."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from classifiers.finding import Channel
from policies.policy import Policy
from policies.verdict import Action, Asked, Blind, Reason, Verdict
from proxy.records.audit import Closed, Opened, Outcome, Repaired
from proxy.telemetry.guards import Guards
from proxy.telemetry.span import NO_SPAN, Span
from proxy.upstream.protocol import Usage

MOST_NOTED = 1024
"""Reasons, blind spots and second looks kept per exchange; a reply that trips a rule at every word must not fill the memory."""


def new_id() -> str:
    """An exchange's id: 24 random hex digits after a prefix that says what it is."""
    return "exc-" + secrets.token_hex(12)


@dataclass(slots=True)
class Exchange:
    """The running record of one exchange. Times are `perf_counter` seconds."""

    policy: Policy
    route: str
    model_route: str = ""  # the route's public name, where there are several
    upstream: str = ""  # the name of the upstream that served, where the route has several
    tenant: str = ""  # who asked, where callers have keys
    key: str = ""  # the public id of the key
    id: str = field(default_factory=new_id)
    started: float = field(default_factory=time.perf_counter)
    outcome: Outcome = "answered"
    status: int = 200
    reasons: list[Reason] = field(default_factory=list)
    blind: list[Blind] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    repaired: list[Repaired] = field(default_factory=list)
    worst: Action = Action.ALLOW
    usage: Usage | None = None
    upstream_error: str = ""
    truncated_in: str = ""
    prompt_judged: float = 0.0  # seconds spent on the prompt
    guarded: float = 0.0  # seconds spent judging the reply
    held: dict[Channel, float] = field(default_factory=dict)  # the longest that text of a channel waited for its verdict
    upstream_first: float | None = None
    client_first: float | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)  # hashes of the sealed texts, where the policy keeps any
    span: Span = NO_SPAN  # its trace, where there are traces
    guards: Guards | None = None  # the part of it that tells of the guard

    def note(self, verdict: Verdict, place: str = "", worst: Action | None = None) -> None:
        """Puts a verdict on record; `place` says where in the request it fell."""
        self.worst = max(self.worst, verdict.action if worst is None else worst)
        if len(self.reasons) < MOST_NOTED:
            self.reasons += [replace(reason, place=place) for reason in verdict.reasons] if place else verdict.reasons
        if len(self.blind) < MOST_NOTED:
            self.blind += [replace(blind, place=place) for blind in verdict.blind] if place else verdict.blind
        if verdict.asked and len(self.asked) < MOST_NOTED:
            self.asked += [replace(asked, place=place) for asked in verdict.asked] if place else verdict.asked

    def grow(self, name: str, by: int) -> None:
        """Adds to a size."""
        self.sizes[name] = self.sizes.get(name, 0) + by

    def opened(self, model: str, stream: bool, choices: int, messages: int, prompt_chars: int) -> Opened:
        """The record before the first byte."""
        at = time.time()
        policy = self.policy
        sizes = (stream, choices, messages, prompt_chars)
        who = (self.tenant, self.key)
        return Opened(self.id, at, policy.name, policy.digest, self.route, model, *sizes, self.model_route, *who)

    def closed(self) -> Closed:
        """The record at the end."""
        now = time.perf_counter()
        timings = {"total": (now - self.started) * 1e3, "prompt_guard": self.prompt_judged * 1e3, "guard": self.guarded * 1e3}
        if self.upstream_first is not None:
            timings["upstream_first"] = self.upstream_first * 1e3
        if self.client_first is not None:
            timings["client_first"] = self.client_first * 1e3
        return Closed(
            self.id,
            time.time(),
            self.outcome,
            self.status,
            tuple(self.reasons),
            tuple(self.blind),
            self.usage,
            timings,
            self.sizes,
            self.upstream_error,
            self.truncated_in,
            tuple(self.asked),
            self.upstream,
            tuple(self.repaired),
            self.texts,
        )

    def summary(self) -> dict[str, object]:
        """The body extension for clients: what acted, where, without any text."""
        return {
            "exchange": self.id,
            "policy": self.policy.name,
            "policy_digest": self.policy.digest,
            "action": self.worst.word,
            "rules": rules(self.reasons),
            "unjudged": sorted({blind.rule for blind in self.blind}),
            **({"asked": sorted({asked.rule for asked in self.asked})} if self.asked else {}),
            **({"truncated_in": self.truncated_in} if self.truncated_in else {}),
        }


def rules(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    """Which rules acted on which channels, each once, in order of their first hit."""
    seen: dict[tuple[str, Channel, str, Action], None] = {}
    for reason in reasons:
        seen.setdefault((reason.rule, reason.channel, reason.category, reason.action))
    return [
        {"rule": rule, "channel": channel.value, "category": category, "action": action.word}
        for rule, channel, category, action in seen
    ]
