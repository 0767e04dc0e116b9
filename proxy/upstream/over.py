"""An upstream that stands over another, for one exchange: to trace it, to copy it, to hand on what it says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from proxy.upstream.protocol import Chunk, Upstream, UpstreamRequest

Batches = AsyncGenerator[Sequence[Chunk], None]
Ask = Callable[[UpstreamRequest], Batches]


class Over:
    """Every question to the model goes through `asked`, the first and those after it; what else is asked goes on as it is."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream, self.name = upstream, upstream.name

    def asked(self, ask: Ask, request: UpstreamRequest) -> Batches:
        """What `ask` streams for the request."""
        return ask(request)

    def chat(self, request: UpstreamRequest) -> Batches:
        """See `Upstream.chat`."""
        return self.asked(self._upstream.chat, request)

    @property
    def completes(self) -> bool:
        """See `Session.completes`."""
        return bool(getattr(self._upstream, "completes", False))

    @property
    def complete(self) -> Ask:
        """See `VLLM.complete`. Raises `AttributeError` where the upstream has no such way."""
        ask: Ask = self._upstream.complete  # type: ignore[attr-defined]  # it may have one
        return lambda request: self.asked(ask, request)

    async def models(self) -> Sequence[Mapping[str, Any]]:
        """See `Upstream.models`."""
        return await self._upstream.models()

    async def count(self, text: str) -> int | None:
        """See `Upstream.count`."""
        return await self._upstream.count(text)

    async def aclose(self) -> None:
        """See `Upstream.aclose`."""
        await self._upstream.aclose()
