"""How the model is driven for one exchange: what it is asked, by whom it is heard besides, and where its words go."""

from __future__ import annotations

from functools import partial
from typing import Any

from proxy.contract.tries import Asking, Tries
from proxy.disclosure.disclosed import disclosed
from proxy.disclosure.language import answered_in
from proxy.exchange import Exchange
from proxy.house import House
from proxy.prompt.asked import as_begun, asked
from proxy.prompt.draft import Draft
from proxy.prompt.language_line import expected
from proxy.prompt.thinking import begun, forced
from proxy.prompt.tongue import spoken
from proxy.records.copies import copied_out, copied_upstream, copies_of
from proxy.road.choice import Plan
from proxy.road.placeholders import Placeholders
from proxy.road.repair import Mender
from proxy.road.reply import Ask, Reply
from proxy.routes.route import Route
from proxy.telemetry import heard, inquiry
from proxy.telemetry.watched import watched
from proxy.upstream.pool import as_seen_by
from proxy.wire.chat import ChatRequest
from proxy.wire.render import Out


class Drive:
    """What an exchange needs for asking the model. `placeholders` are to be set once the prompt was judged."""

    def __init__(self, house: House, route: Route, exchange: Exchange, request: ChatRequest) -> None:
        self._house, self._route, self._exchange, self._request = house, route, exchange, request
        self.language = request.context.language or spoken(request.context.prompt)
        self.draft = Draft(request, route.policy, exchange, route.profile, route.task)
        self.guard = watched(exchange, route.guard)
        self.copies = copies_of(route.policy.record, request.leaves, request.roles)
        self.glimpse = house.shadow.glimpse(self.draft) if house.shadow else None
        self.placeholders: Placeholders | None = None
        upstream = inquiry.traced(exchange, as_seen_by(exchange, route.upstream, request.session))
        upstream = copied_upstream(upstream, self.copies)
        self._upstream = self.glimpse.over(upstream) if self.glimpse else upstream

    def reply(self, body: dict[str, Any], out: Out) -> Reply | Tries:
        """The reply to `body`, not yet begun; where answers must have a form or be readable, with as many tries as that takes."""
        ask = asked(self.draft, body, self._route.model, self._house.settings.thinking)
        form, choices, plan = self._request.form, self._request.choices, self._plan(ask)
        out = self._over(out)
        if form is None and not self._route.policy.readability.watches:
            return Reply(self._upstream, as_begun(self.draft, ask), choices, plan, out)
        return Tries(Asking(self._upstream, ask, choices, partial(as_begun, self.draft)), form, plan, out)

    def _over(self, out: Out) -> Out:
        """`out`, with our own words around the model's, and with those in front that listen."""
        request, policy = self._request, self._route.policy
        plain = request.form is None and not request.wants_json
        language = answered_in(policy, request.context, self.language)
        out = disclosed(copied_out(out, self.copies), policy, language, self.draft.notices, plain=plain)
        return heard.listened(out, self._exchange, self.placeholders)

    def _plan(self, ask: Ask) -> Plan:
        route, request = self._route, self._request
        return Plan(
            policy=route.policy,
            guard=self.guard,
            context=request.context,
            exchange=self._exchange,
            thinking=self._house.settings.thinking,
            stops=request.stops,
            limit=request.limit,
            tools=request.tools,
            language=self.language,
            wants_json=request.wants_json,
            logprobs=request.logprobs,
            placeholders=self.placeholders,
            mender=self._mender(ask) if route.guard.repairs else None,
        )

    def _mender(self, ask: Ask) -> Mender:
        """How a choice is written again."""
        route, body, most = self._route, ask.body, self._route.policy.most_tokens
        language = expected(route.policy, self._request.context)
        begin = begun if forced(self.draft) else dict
        return Mender(self._exchange.id, self._upstream, body, route.profile, language, self.placeholders, most, begin)
