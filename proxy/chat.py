"""`POST /v1/chat/completions`: one coroutine per exchange, from the first byte of the request to the last of the reply.

It stands below the web framework's responses, on ASGI itself: per token, nothing lies between the guard and the socket.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from proxy.access.cost import estimated
from proxy.access.limiter import Lease, Unlimited
from proxy.admitted import admitted
from proxy.answering import Answering
from proxy.errors import ApiError, our_fault
from proxy.exchange import Exchange
from proxy.house import House
from proxy.road.attended import ClientLeftError
from proxy.telemetry import said
from proxy.wire import headers
from proxy.wire.line import Line

ROUTE = "/v1/chat/completions"
log = logging.getLogger("sluicegate")


class Chat(Response):
    """The response to one chat request, as the framework awaits it."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(self._house.routes.default.policy, ROUTE, span=self._house.tracing.begin(scope["headers"]))
        work = asyncio.current_task()
        line = Line(send, self._house.settings.keep_alive_seconds, lambda: work and work.cancel())
        try:
            with said.followed(exchange):
                await self._serve(scope, receive, line, exchange)
        finally:
            line.close()
            self._house.metrics.request(ROUTE, exchange.status)

    async def _serve(self, scope: Scope, receive: Receive, line: Line, exchange: Exchange) -> None:
        """Before the exchange is on record, errors are told here; afterwards `Answering` tells them itself."""
        try:
            await self._within_limits(scope, receive, line, exchange)
        except ApiError as error:
            await self._fail(error, line, exchange)
        except ClientLeftError:
            exchange.status = 499
        except asyncio.CancelledError:
            exchange.status = 499
            raise
        except Exception:
            log.exception("exchange %s failed", exchange.id)
            await self._fail(our_fault(), line, exchange)

    async def _within_limits(self, scope: Scope, receive: Receive, line: Line, exchange: Exchange) -> None:
        """Whatever happens in here, what was taken of the limits is given back."""
        house, lease = self._house, NO_LEASE
        one = await admitted(house, scope, receive, exchange)
        route, request = one.route, one.request
        try:
            with exchange.span.begin("limits"):
                lease = await house.gates.enter(one.caller, route.name, route.limits, partial(estimated, request))
            await Answering(house, route, exchange, request, line, lease).run(receive)
        finally:
            await lease.release()  # what is settled stays so

    async def _fail(self, error: ApiError, line: Line, exchange: Exchange) -> None:
        exchange.status = error.status
        if not line.started:
            await line.fail(error, headers.of_exchange(exchange, exchange.policy))


NO_LEASE: Lease = Unlimited()
