"""Drives a reply whose answers have a form, or limits: the model is asked, what it wrote is checked, and it is asked again.

Each choice stands for itself: one that has the form leaves at once, one that has not is asked for again, alone. The caller's
limit on tokens holds for all tries together, and what all of them cost is the exchange's usage.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from proxy.contract.check import Check
from proxy.contract.delivery import Again, Delivery
from proxy.contract.form import Form
from proxy.contract.sheet import Sheet, Watch, Watching
from proxy.road.plan import Plan
from proxy.road.reply import Ask, Reply
from proxy.upstream.protocol import Upstream, Usage
from proxy.wire.render import Out

MOST_QUOTED: Final = 8_000
"""Characters of an answer that the model is shown again; a longer one it is only told of."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How the model is asked. `begun` puts the beginning of the reply behind the messages, where the model wants one.

    `smaller` of the ask is only tried where the larger one does not fit, see `Ask`.
    """

    upstream: Upstream
    ask: Ask
    choices: int
    begun: Callable[[Ask], Ask]


class Tries:
    """Stands in the place of a `Reply`. `form`: None where only the policy's limits of readability hold."""

    def __init__(self, asking: Asking, form: Form | None, plan: Plan, out: Out) -> None:
        self._asking, self._form, self._plan, self._out = asking, form, plan, out
        limits, shows = plan.policy.readability, plan.policy.reasoning
        holds = form is not None and not form.prefix
        prefix = form is not None and form.prefix
        in_json = form is not None and form.kind == "json"
        self._how = Watching(holds, prefix, shows, limits, thoughts=in_json)
        looks = in_json or limits.repetition != "pass" or limits.empty != "pass"
        # Thoughts have to come by to be looked at; what of them the client sees is decided behind that.
        self._seen = replace(plan, policy=replace(plan.policy, reasoning="show")) if looks else plan
        self._told: set[int] = set()
        self._usage: Usage | None = None
        self._going: Reply | None = None  # the try that is not counted yet
        self._spent: dict[int, int] = {}  # tokens of answers, by choice

    async def run(self) -> AsyncIterator[None]:
        """As `Reply.run`. Raises `UpstreamError`."""
        restored = self._plan.placeholders.restored if self._plan.placeholders else None
        check = await asyncio.to_thread(Check, self._form, restored) if self._form is not None else None
        self._delivery = Delivery(self._form, check, self._plan, self._out)
        sheets = [Sheet(choice) for choice in range(self._asking.choices)]
        async for _ in self._ask_for(sheets, self._asking.begun(self._asking.ask), self._seen):
            yield
        for sheet in sheets:
            async for _ in self._bring(sheet):
                yield

    async def _bring(self, sheet: Sheet) -> AsyncIterator[None]:
        """One choice to its end, with as many further tries as it takes and gets."""
        tries = 1
        while True:
            left = self._left(sheet.choice)
            again = await self._delivery.deliver(sheet, self._watch([sheet]), tries, left is None or left > 0)
            yield
            if again is None:
                return
            tries += 1
            self._plan.exchange.grow("answers_asked_again", 1)
            sheet = Sheet(sheet.choice, thinking_since=sheet.thinking_since)
            plan = replace(self._seen, limit=left)
            async for _ in self._ask_for([sheet], self._again(again, left), plan):
                yield

    def _watch(self, sheets: list[Sheet]) -> Watch:
        return Watch(self._out, sheets, self._how, self._told)

    async def _ask_for(self, sheets: list[Sheet], ask: Ask, plan: Plan) -> AsyncIterator[None]:
        watch = self._watch(sheets)
        reply = self._going = Reply(self._asking.upstream, ask, len(sheets), plan, watch)
        async with aclosing(cast("AsyncGenerator[None, None]", reply.run())) as running:
            async for _ in running:
                yield
                if watch.over:
                    break
        usage = await reply.usage(_sent_text(ask.body))
        self._add(usage)
        self._going = None
        each = -(-(usage.completion - (usage.reasoning or 0)) // len(sheets))
        for sheet in sheets:
            self._spent[sheet.choice] = self._spent.get(sheet.choice, 0) + each

    # ---- what it cost

    def _add(self, more: Usage) -> None:
        """The prompt counts once, as the caller sent it; all that was written counts."""
        usage = self._usage
        if usage is None:
            self._usage = more
            return
        thoughts = None if usage.reasoning is None or more.reasoning is None else usage.reasoning + more.reasoning
        source = usage.source if more.source == "server" else more.source
        self._usage = replace(usage, completion=usage.completion + more.completion, reasoning=thoughts, source=source)

    def _left(self, choice: int) -> int | None:
        """Tokens of an answer that the caller's limit leaves; None where there is none."""
        return None if self._plan.limit is None else self._plan.limit - self._spent.get(choice, 0)

    async def usage(self, prompt: str) -> Usage:
        """What all tries cost, one that was cut off included."""
        if self._going is not None:
            more = await self._going.usage(prompt)
            self._going = None
            self._add(more)
        return self._usage or Usage(0, 0, 0)

    # ---- what is asked then

    def _again(self, again: Again, left: int | None) -> Ask:
        ask = self._asking.ask
        smaller = None if ask.smaller is None else self._body(ask.smaller, again, left)
        return self._asking.begun(Ask(self._body(ask.body, again, left), smaller))

    def _body(self, body: Mapping[str, Any], again: Again, left: int | None) -> dict[str, Any]:
        """The same question, with what was wrong with the answer. The seed would bring the same answer."""
        sent = {name: value for name, value in body.items() if name not in ("n", "seed")}
        messages = list(sent["messages"])
        if again.words:
            quoted = again.answer.strip()
            if quoted and len(quoted) <= MOST_QUOTED and not self._plan.placeholders:  # they hide from the model what is in it
                messages.append({"role": "assistant", "content": quoted})
                messages.append({"role": "user", "content": again.words})
            else:
                messages = _asked_more(messages, again.words)
        if left is not None and "max_tokens" in sent and self._plan.limit is not None:
            sent["max_tokens"] = max(1, sent["max_tokens"] - (self._plan.limit - left))
        return {**sent, "messages": messages}


def _asked_more(messages: list[dict[str, Any]], words: str) -> list[dict[str, Any]]:
    """The words behind the last turn of the user, or as one where it is not the last."""
    last = messages[-1] if messages else {}
    if last.get("role") != "user":
        return [*messages, {"role": "user", "content": words}]
    return [*messages[:-1], {**last, "content": f"{last.get('content') or ''}\n\n{words}"}]


def _sent_text(body: Mapping[str, Any]) -> str:
    return "\n".join(message["content"] for message in body["messages"] if message.get("content"))
