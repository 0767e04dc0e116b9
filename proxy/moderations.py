"""`POST /v1/moderations`: OpenAI's shape, answered by the policy's prompt rules. No model is asked."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from classifiers.finding import Channel
from policies.policy import Policy
from policies.verdict import Action
from proxy.errors import ApiError
from proxy.exchange import Exchange
from proxy.road.screen import Screen

MOST_INPUTS = 256

STANDARD = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
"""OpenAI's categories, which its SDK's types expect to be there. A policy's own categories stand beside them."""


class TextInput(BaseModel):
    """An input as a part: only text can be judged."""

    model_config = ConfigDict(extra="ignore")
    type: Literal["text"]
    text: str


class ModerationBody(BaseModel):
    """One request."""

    model_config = ConfigDict(extra="ignore")
    input: str | Annotated[list[str] | list[TextInput], Field(min_length=1, max_length=MOST_INPUTS)]
    model: Annotated[str, Field(max_length=256)] = "omni-moderation-latest"


def texts(body: ModerationBody) -> list[str]:
    """The inputs, each judged for itself; parts are one input together, as in OpenAI's API."""
    if isinstance(body.input, str):
        return [body.input]
    if all(isinstance(item, TextInput) for item in body.input):
        return ["\n".join(item.text for item in body.input if isinstance(item, TextInput))]
    return [item for item in body.input if isinstance(item, str)]


def watching(policy: Policy) -> Policy:
    """The policy with rules that only look: nothing stops at the first hit, so that every category is told."""
    return replace(policy, rules=tuple(replace(rule, do=Action.FLAG) for rule in policy.rules))


async def moderate(screen: Screen, exchange: Exchange, policy: Policy, text: str) -> dict[str, Any]:
    """One result: the categories in which rules on prompts find something. `screen` has the policy's rules as `watching` makes
    them; what `policy` itself would do goes on record.

    Raises `ApiError` 503 where a rule could not look and its `on_error` does not forgive that: an answer would be a guess.
    """
    before, blind_before = len(exchange.reasons), len(exchange.blind)
    await screen.look(text)
    does = {rule.name: rule.do for rule in policy.rules}
    exchange.reasons[before:] = [replace(reason, action=does[reason.rule]) for reason in exchange.reasons[before:]]
    reasons, blind = exchange.reasons[before:], exchange.blind[blind_before:]
    if any(one.action >= Action.WITHHOLD for one in blind):
        raise ApiError(503, "A classifier could not judge the input.", code="unjudged")
    scores: dict[str, float] = dict.fromkeys(STANDARD, 0.0)
    acted: dict[str, bool] = dict.fromkeys(STANDARD, False)
    for reason in reasons:
        if reason.channel is Channel.PROMPT:
            scores[reason.category] = max(scores.get(reason.category, 0.0), reason.score)
            acted[reason.category] = True
    return {
        "flagged": any(acted.values()),
        "categories": acted,
        "category_scores": scores,
        "category_applied_input_types": {name: ["text"] for name in acted},
    }


def answer(model: str, results: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole body."""
    return {"id": "modr-" + secrets.token_hex(12), "model": model, "results": results}
