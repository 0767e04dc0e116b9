"""The answer to a chat request that was let in: on record before anything else happens, until its end is on record."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from starlette.types import Receive

from policies.verdict import Action
from proxy.access.cost import cost, estimated
from proxy.access.limiter import Lease, Unlimited
from proxy.contract.form import check_form
from proxy.contract.tries import Tries
from proxy.driven import Drive
from proxy.errors import ApiError, not_recorded, of_upstream, our_fault
from proxy.exchange import Exchange
from proxy.house import House
from proxy.prompt.draft import sent_text
from proxy.prompt.shaping import shape
from proxy.records.audit import AuditError
from proxy.road.attended import ClientLeftError, attended
from proxy.road.budget import within
from proxy.road.lane import Blocked
from proxy.road.reply import Reply
from proxy.road.screen import Screen
from proxy.routes.route import Route
from proxy.telemetry import heard, waiting
from proxy.telemetry.watched import prompt_judged
from proxy.upstream.protocol import UpstreamError, Usage
from proxy.wire import headers
from proxy.wire.chat import ChatRequest
from proxy.wire.extension import extension
from proxy.wire.line import Line
from proxy.wire.render import DONE, StreamOut, WholeOut

log = logging.getLogger("sluicegate")


class Answering:
    """One exchange. What its record and its lease still wait for is in `_on_record` and `_limited`."""

    def __init__(self, house: House, route: Route, exchange: Exchange, request: ChatRequest, line: Line, lease: Lease) -> None:
        self._house, self._route, self._exchange, self._request, self._line = house, route, exchange, request, line
        self._lease, self._limited = lease, not isinstance(lease, Unlimited)
        self._on_record = False
        self._drive = Drive(house, route, exchange, request)
        self._reply: Reply | Tries | None = None
        self._body: dict[str, Any] = {}
        field, model = house.settings.reasoning_field, request.model
        self._stream = StreamOut(model, field, request.legacy) if request.stream else None
        self._whole = WholeOut(model, field, request.choices, request.legacy)

    async def run(self, receive: Receive) -> None:
        """Everything, with an end on record however it ends."""
        exchange = self._exchange
        try:
            self._open()
            with self._house.metrics.in_flight():
                async with attended(receive):
                    await self._answer()
        except ClientLeftError:
            exchange.outcome, exchange.status = "client_left", 499
        except AuditError:
            log.exception("audit")
            exchange.status, self._on_record = 500, False
            await self._fail(not_recorded())
        except asyncio.CancelledError:
            exchange.outcome, exchange.status = "client_left", 499
            raise
        except Exception:
            log.exception("exchange %s failed", exchange.id)
            exchange.outcome, exchange.status = "failed", 500
            await self._fail(our_fault())
        finally:
            try:
                await self._settle()
            finally:
                if self._on_record:
                    self._close()

    # ---- its record and its lease

    def _open(self) -> None:
        request = self._request
        record = self._exchange.opened(request.model, request.stream, request.choices, len(request.roles), request.chars)
        self._house.audit.open(record)
        self._on_record = True
        for name in request.dropped:
            self._house.metrics.dropped_request_field(name)

    async def _settle(self) -> None:
        """What the exchange cost is made good with its limits: before its last byte, so that the next one finds it counted."""
        if not self._limited:
            return
        self._limited = False
        exchange = self._exchange
        try:
            if exchange.usage is None:
                exchange.usage = await cost(self._reply, exchange, self._body)
        finally:  # whoever leaves meanwhile pays what was reserved
            await self._lease.settle(exchange.usage)

    def _close(self) -> None:
        self._on_record, outcome = False, self._exchange.outcome
        try:
            self._house.close(self._exchange, self._drive.copies)
        except AuditError:
            if outcome not in ("client_left", "failed"):
                raise
            log.exception("audit")
        if self._drive.glimpse is not None and self._house.shadow is not None:
            self._house.shadow.put(self._drive.glimpse)

    # ---- from the prompt to the reply

    async def _answer(self) -> None:
        if self._stream is not None:
            self._line.watch(self._stream_headers)
        exchange = self._exchange
        try:
            blocked = await self._judged()
            if blocked is not None:
                await self._refuse(blocked)
            else:
                await self._replied()
        except ApiError as error:  # the prompt cannot be judged or sent, or there is no place in the queue
            exchange.outcome, exchange.status = "rejected", error.status
            await self._fail(error)
        except UpstreamError as error:
            log.warning("exchange %s: upstream %s: %s %s", exchange.id, error.kind, error.message, error.detail)
            refused = of_upstream(error)
            exchange.outcome, exchange.upstream_error, exchange.status = "upstream_error", error.kind, refused.status
            if error.kind == "rejected":
                exchange.outcome = "rejected"
            await self._fail(refused)

    async def _judged(self) -> Blocked | None:
        """Judges the prompt and makes the body that is sent. What refuses it, if anything does."""
        exchange, request, drive = self._exchange, self._request, self._drive
        with prompt_judged(exchange):
            async with within(request.chars, self._house.settings.prompt_seconds):
                screened = await Screen(drive.guard, exchange).judge(request)
        if screened.blocked is None:
            await check_form(request.form)
            shape(drive.draft)
            self._body = drive.draft.body()
            heard.sent(exchange, self._body)
        exchange.prompt_judged = time.perf_counter() - exchange.started
        exchange.sizes["prompt_chars"] = request.chars
        if screened.placeholders:
            drive.placeholders = screened.placeholders
            exchange.sizes["placeholders"] = len(screened.placeholders)
        if screened.dropped:
            exchange.sizes["messages_dropped"] = len(screened.dropped)
        return screened.blocked or drive.draft.blocked

    async def _refuse(self, blocked: Blocked) -> None:
        self._exchange.outcome = "prompt_blocked"
        self._exchange.worst = max(self._exchange.worst, Action.BLOCK)
        await self._line.hush()
        await self._settle()
        text = self._route.policy.message(blocked.say, self._drive.language)
        if self._route.policy.refusal_status == 400 and not self._line.started:
            await self._refuse_as_error(text)
            return
        out = self._stream or self._whole
        for choice in range(self._request.choices):
            out.begin(choice)
            if self._request.wants_json:
                out.refusal(choice, text)
            else:
                out.answer(choice, text)
            out.finish(choice, "content_filter")
        self._exchange.usage = Usage(0, 0, 0)  # no model was asked
        await self._finish()

    async def _refuse_as_error(self, text: str) -> None:
        self._exchange.status = 400
        error = ApiError(400, text, code="content_filter", param="messages")
        self._close()
        said_of_it = self._extension()
        body = error.body(exchange=self._exchange.id, **({"sluicegate": said_of_it} if said_of_it else {}))
        await self._line.whole(400, {**self._headers(), "x-should-retry": "false"}, body)

    async def _replied(self) -> None:
        exchange, stream, line = self._exchange, self._stream, self._line
        reply = self._drive.reply(self._body, stream or self._whole)
        turn_at = self._house.gates.turn(exchange.tenant, lambda: estimated(self._request))
        async with waiting.waited(exchange.span, turn_at) as turn:
            self._reply = reply
            async for _ in reply.run():
                if stream is not None and (data := stream.take()):
                    if not line.started:
                        await line.start(200, self._stream_headers())
                    if exchange.client_first is None and stream.spoken:
                        exchange.client_first = time.perf_counter() - exchange.started
                    await line.write(data)
            usage = await reply.usage(sent_text(self._body))  # as it was sent: it is shown to the server again
            exchange.usage, turn.used = usage, usage.prompt + usage.completion
        await self._finish()

    # ---- the last bytes

    async def _finish(self) -> None:
        """The record is closed before them."""
        exchange = self._exchange
        said_of_it = self._extension()
        await self._settle()
        self._close()
        if self._stream is not None:
            self._stream.end(exchange.usage if self._request.include_usage else None, said_of_it)
            await self._line.start(200, self._stream_headers())
            await self._line.write(self._stream.take() + DONE, more=False)
            return
        more = {"x-sluicegate-truncated-in": exchange.truncated_in} if exchange.truncated_in else {}
        body = self._whole.body(exchange.usage, said_of_it)
        await self._line.whole(200, {**self._headers(), **headers.times(exchange), **more}, body)

    async def _fail(self, error: ApiError) -> None:
        """An error: as a whole response, or as an event where the headers are out."""
        await self._line.hush()
        await self._settle()
        if self._on_record:
            self._close()
        if not self._line.started:
            await self._line.fail(error, self._headers())
        elif self._stream is not None:
            self._stream.error(error)
            await self._line.write(self._stream.take() + DONE, more=False)

    def _extension(self) -> dict[str, Any]:
        """The field `sluicegate` of the body; empty where there is nothing to say."""
        return extension(self._exchange, self._route.policy, self._drive.draft.notices)

    def _headers(self) -> dict[str, str]:
        own = headers.of_exchange(self._exchange, self._route.policy, self._request.dropped)
        return {**own, **self._drive.draft.headers, **self._lease.headers}

    def _stream_headers(self) -> dict[str, str]:
        return {**self._headers(), **headers.times(self._exchange), "content-type": "text/event-stream; charset=utf-8"}
