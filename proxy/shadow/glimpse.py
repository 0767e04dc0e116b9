"""What is handed over of an exchange for another policy to judge: references to what it holds itself, nothing copied."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from proxy.prompt.draft import Draft
from proxy.upstream.over import Ask, Batches, Over
from proxy.upstream.protocol import Chunk, Upstream, UpstreamError, UpstreamRequest

MOST_CHUNKS = 50_000
"""Of one reply: more than 32k tokens. A longer one is not judged again."""


class AskedAgainError(Exception):
    """The model would be asked a second time, and nobody knows what it would say."""


class Glimpse:
    """One exchange: what was asked, before anything was done to it, and what the model server sent when it was first asked."""

    def __init__(self, draft: Draft) -> None:
        request = draft.request
        self.exchange, self.request, self.profile, self.task = draft.exchange, request, draft.profile, draft.task
        self.body = {**request.body, "messages": list(request.body["messages"])}
        self.indices = tuple(request.indices)
        self.batches: list[Sequence[Chunk]] = []
        self.size = 0
        self.until: tuple[int, int] | None = None
        """Reasons and blind spots on record when the model was asked again; what came later is not compared."""

    @property
    def whole(self) -> bool:
        """Whether it has all of the reply."""
        return self.size <= MOST_CHUNKS

    def over(self, upstream: Upstream) -> Upstream:
        """The upstream of this exchange, which keeps what it sends first; what is written again later is not kept."""
        return _Overheard(upstream, self)

    def first(self) -> bool:
        """Whether the model, which is asked now, has said nothing so far."""
        if self.size and self.until is None:
            self.until = len(self.exchange.reasons), len(self.exchange.blind)
        return not self.size

    def add(self, batch: Sequence[Chunk]) -> None:
        """A batch as it came: one reference, whatever is in it."""
        self.size += len(batch)
        if self.whole:
            self.batches.append(batch)


class _Overheard(Over):
    """An upstream that is heard by a glimpse."""

    def __init__(self, upstream: Upstream, glimpse: Glimpse) -> None:
        super().__init__(upstream)
        self._glimpse = glimpse

    async def asked(self, ask: Ask, request: UpstreamRequest) -> Batches:
        """See `Over.asked`."""
        heard = self._glimpse.first()
        async with aclosing(ask(request)) as stream:
            async for batch in stream:
                if heard:
                    self._glimpse.add(batch)
                yield batch


class Recorded:
    """An upstream that sends what was sent before, once. A reply whose end is not known breaks off as if the server had.

    `completes`: it could be asked to go on, as any server that policies with repairs stand in front of.
    """

    name, completes = "recorded", True

    def __init__(self, batches: Sequence[Sequence[Chunk]] = (), choices: int = 1) -> None:
        self._batches, self._choices, self._asked = batches, choices, False

    async def chat(self, request: UpstreamRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        """Raises `AskedAgainError` the second time."""
        if self._asked:
            raise AskedAgainError
        self._asked, open_choices = True, set(range(self._choices))
        for batch in self._batches:
            open_choices -= {chunk.choice for chunk in batch if chunk.finish}
            yield batch
        if open_choices:
            raise UpstreamError("mid_stream", "The rest of the reply is not known.")

    async def complete(self, request: UpstreamRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        """Raises `AskedAgainError`: going on is asking again."""
        raise AskedAgainError
        yield []

    async def models(self) -> Sequence[Mapping[str, Any]]:
        return ()

    async def count(self, text: str) -> int | None:
        return None

    async def aclose(self) -> None:
        return
