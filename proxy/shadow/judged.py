"""Judges an exchange again: the same road, with another policy and with nobody who listens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from classifiers.finding import Channel
from policies.verdict import Action, Reason, Verdict
from proxy.contract.delivery import CONTRACT, READABILITY
from proxy.contract.form import check_form, form_of
from proxy.contract.tries import Asking, Tries
from proxy.errors import ApiError
from proxy.exchange import Exchange
from proxy.prompt import agents, dialogue
from proxy.prompt.asked import asked
from proxy.prompt.draft import Draft
from proxy.prompt.few_shot import step as few_shot
from proxy.prompt.profile import Profile
from proxy.prompt.shaping import shape
from proxy.road.choice import Plan
from proxy.road.placeholders import Placeholders
from proxy.road.repair import Mender
from proxy.road.reply import Ask, Reply
from proxy.road.screen import Screen
from proxy.road.splitter import Thinking
from proxy.routes.route import Bench
from proxy.shadow.glimpse import AskedAgainError, Recorded
from proxy.upstream.protocol import Chunk, UpstreamError
from proxy.wire.chat import ChatRequest
from proxy.wire.render import WholeOut

REQUEST: Final = "request"
"""Under this name stands what a policy refuses as the caller's mistake: an unknown field, a task that may not be chosen."""
GATES: Final = frozenset({agents.RULE, dialogue.RULE, few_shot.RULE, CONTRACT, READABILITY, REQUEST})
"""What acts beside the rules of a policy, under names of its own."""


@dataclass(frozen=True, slots=True)
class Acted:
    """What a policy did: by rule or gate the first action that it took (or its failure brought about), and where."""

    action: Action
    rules: Mapping[str, Action]
    where: Mapping[str, Sequence[str]]  # rule → channel:category

    @property
    def blocked(self) -> bool:
        """Whether the exchange was stopped."""
        return self.action >= Action.REVIEW


def acted(exchange: Exchange, until: tuple[int, int] | None = None) -> Acted:
    """What the exchange's policy did: its rules, its gates, and the form that it wants of answers.

    A rule that repairs counts as that, whatever came of it, and an answer that was asked for again as flagged: here nothing is
    written again. `until` leaves out what was noted when that had happened, see `Glimpse`.
    """
    known = GATES | {rule.name for rule in exchange.policy.rules}
    rules, where = dict[str, Action](), dict[str, dict[str, None]]()
    for reason in exchange.reasons[: until[0] if until else None]:
        if reason.rule in known:
            rules.setdefault(reason.rule, reason.action)
            where.setdefault(reason.rule, {})[f"{reason.channel.value}:{reason.category}"] = None
    for blind in exchange.blind[: until[1] if until else None]:
        if blind.rule in known:
            rules.setdefault(blind.rule, blind.action)
            where.setdefault(blind.rule, {})["unjudged"] = None
    return Acted(max(rules.values(), default=Action.ALLOW), rules, {name: tuple(places) for name, places in where.items()})


@dataclass(frozen=True, slots=True)
class Setting:
    """Where the exchange took place: what its model needs, its route's task, and how thoughts come from there.

    Without `gates` there is no conversation, but a text that stands for itself: it is judged by rules alone.
    """

    profile: Profile | None = None
    task: str = ""
    thinking: Thinking = "auto"
    gates: bool = True


async def judged(
    bench: Bench, request: ChatRequest, batches: Sequence[Sequence[Chunk]], setting: Setting = Setting(), language: str = "en"
) -> Acted:
    """What the bench's policy would have done. The batches are not changed; the request is. Other work gets its turn between
    any two batches. Raises what a road raises that is not the model server's fault."""
    exchange = Exchange(bench.policy, "shadow")
    try:
        request = _under(bench, request) if setting.gates else request
        screened = await Screen(bench.guard, exchange).judge(request)
        draft = Draft(request, bench.policy, exchange, setting.profile, setting.task)
        if screened.blocked is None and setting.gates:
            await check_form(request.form)
            shape(draft)
    except ApiError as error:
        refused(exchange, error)
        return acted(exchange)
    if screened.blocked is None and draft.blocked is None and batches:
        ask = asked(draft, draft.body(), "", setting.thinking) if setting.gates else Ask(request.body)
        driven = _driven(bench, draft, ask, _Heard(batches, screened.placeholders or None, setting, language))
        try:
            async for _ in driven.run():
                await asyncio.sleep(0)
        except (UpstreamError, AskedAgainError):  # the reply was cut short, there as here
            pass
    return acted(exchange)


def refused(exchange: Exchange, error: ApiError) -> None:
    """Puts on record that the policy refuses such a request."""
    reason = Reason(REQUEST, error.code or REQUEST, 1.0, Action.BLOCK, Channel.PROMPT, 0, 0)
    exchange.note(Verdict(Action.BLOCK, (reason,)))


def _under(bench: Bench, request: ChatRequest) -> ChatRequest:
    """The request as this policy reads it. Raises `ApiError` where it would not be taken."""
    policy = bench.policy
    dropped = [name for name in request.dropped if name != "response_format"]  # that one is a policy's doing
    if policy.strict and dropped:
        raise ApiError(400, "An unknown parameter.", code="unknown_parameter")
    if request.choices > policy.most_choices:
        raise ApiError(400, "Too many choices.", param="n", code="too_many_choices")
    form = form_of(policy.contract, request.body.get("response_format"))
    return replace(request, form=form, wants_json=form.kind == "json" if form else "response_format" in request.body)


@dataclass(frozen=True, slots=True)
class _Heard:
    batches: Sequence[Sequence[Chunk]]
    placeholders: Placeholders | None
    setting: Setting
    language: str


def _driven(bench: Bench, draft: Draft, ask: Ask, heard: _Heard) -> Reply | Tries:
    """What judges the reply: as in `proxy.chat`, with a model server that says everything once."""
    request, policy, recorded = draft.request, bench.policy, Recorded(heard.batches, draft.request.choices)
    mender = Mender(draft.exchange.id, recorded, ask.body, draft.profile, "", heard.placeholders, policy.most_tokens)
    plan = Plan(
        policy=policy,
        guard=bench.guard,
        context=request.context,
        exchange=draft.exchange,
        thinking=heard.setting.thinking,
        stops=request.stops,
        limit=request.limit,
        tools=request.tools,
        language=heard.language,
        wants_json=request.wants_json,
        logprobs=False,
        placeholders=heard.placeholders,
        mender=mender if bench.guard.repairs else None,
    )
    out = WholeOut(request.model, "both", request.choices, request.legacy)
    if not heard.setting.gates or (request.form is None and not policy.readability.watches):
        return Reply(recorded, ask, request.choices, plan, out)
    return Tries(Asking(recorded, ask, request.choices, lambda as_it_is: as_it_is), request.form, plan, out)


def in_pieces(text: str, channel: Channel, size: int = 256) -> list[Sequence[Chunk]]:
    """A text as a model server would send it."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    chunks = [Chunk(reasoning=one) if channel is Channel.REASONING else Chunk(content=one) for one in pieces]
    return [[one] for one in chunks]
