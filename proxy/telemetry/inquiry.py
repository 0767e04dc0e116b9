"""The upstream as a traced exchange sees it: each time that it is asked is a span, and so is what the model is asked again."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

from proxy.exchange import Exchange
from proxy.telemetry.span import Span
from proxy.upstream.over import Ask, Batches, Over
from proxy.upstream.protocol import Upstream, UpstreamRequest


def traced(exchange: Exchange, upstream: Upstream) -> Upstream:
    """The upstream, told what span it is asked in; itself where there are no traces."""
    return TracedUpstream(exchange, upstream) if exchange.span.headers else upstream


class TracedUpstream(Over):
    """Hands the exchange's span down with each request. The first time it is asked stands below the exchange itself; later
    times are `repair` (by a rule) or `again` (a form, a limit, a context that was too small)."""

    def __init__(self, exchange: Exchange, upstream: Upstream) -> None:
        super().__init__(upstream)
        self._exchange = exchange
        self._times = 0

    async def asked(self, ask: Ask, request: UpstreamRequest) -> Batches:
        """See `Over.asked`."""
        self._times += 1
        if self._times == 1:
            async with aclosing(ask(replace(request, span=self._exchange.span))) as stream:
                async for batch in stream:
                    yield batch
            return
        known = len(self._exchange.repaired)
        with self._exchange.span.begin("again") as span:
            try:
                async with aclosing(ask(replace(request, span=span))) as stream:
                    async for batch in stream:
                        yield batch
            finally:
                self._told(span, known)

    def _told(self, span: Span, known: int) -> None:
        """Whether it was a repair is on record once the first of it has come."""
        if len(self._exchange.repaired) > known:
            why = self._exchange.repaired[-1]
            span.rename("repair")
            span.note({"sluicegate.rule": why.rule, "sluicegate.channel": why.channel.value, "sluicegate.way": why.way})
