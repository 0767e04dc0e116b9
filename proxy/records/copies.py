"""Copies of an exchange's texts while it runs, for a policy that keeps them. In memory only; bounded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from policies.record import Recording
from proxy.upstream.over import Ask, Batches, Over
from proxy.upstream.protocol import Chunk, FinishReason, Upstream, UpstreamRequest
from proxy.wire.leaves import Leaf
from proxy.wire.render import Out


class Copies:
    """What was asked, what has left, and what the model wrote, by channel and place, as far as the policy keeps it."""

    def __init__(self, recording: Recording, leaves: Iterable[Leaf] = (), roles: Sequence[str] = ()) -> None:
        self.recording = recording
        self._roles: dict[str, str] = {}  # by place: whose a message was
        self._room = dict.fromkeys(recording.channels, recording.most_chars)
        self._left_out: dict[str, int] = {}
        self._texts: dict[str, dict[str, list[str]]] = {}
        for leaf in leaves:
            self.add(leaf.channel.value, leaf.place, leaf.text)
            if 0 <= leaf.message < len(roles):
                self._roles[leaf.place] = roles[leaf.message]

    def add(self, channel: str, place: str, text: str) -> None:
        """More text of a channel; `place` says where in the request, or of which choice."""
        room = self._room.get(channel)
        if room is None or not text:
            return
        if len(text) > room:
            self._left_out[channel] = self._left_out.get(channel, 0) + len(text) - room
            text = text[:room]
        self._room[channel] = room - len(text)
        self._texts.setdefault(channel, {}).setdefault(place, []).append(text)

    def written(self) -> dict[str, bytes]:
        """JSON by channel: `{"texts": [{"place", "text", "role"}], "left_out": characters}`; roles are those of messages."""
        return {
            channel: orjson.dumps(
                {
                    "texts": [self._told(place, "".join(texts)) for place, texts in places.items()],
                    "left_out": self._left_out.get(channel, 0),
                },
            )
            for channel, places in self._texts.items()
        }

    def _told(self, place: str, text: str) -> dict[str, str]:
        return {"place": place, "text": text} | ({"role": self._roles[place]} if place in self._roles else {})


class CopiedOut:
    """An `Out` that copies what passes: what has left."""

    def __init__(self, out: Out, copies: Copies) -> None:
        self._out, self._copies = out, copies

    def begin(self, choice: int) -> None:
        self._out.begin(choice)

    def reasoning(self, choice: int, text: str) -> None:
        self._copies.add("reasoning", f"choices[{choice}]", text)
        self._out.reasoning(choice, text)

    def answer(self, choice: int, text: str, logprobs: Sequence[Mapping[str, Any]] | None = None) -> None:
        self._copies.add("answer", f"choices[{choice}]", text)
        self._out.answer(choice, text, logprobs)

    def refusal(self, choice: int, text: str) -> None:
        self._copies.add("answer", f"choices[{choice}].refusal", text)
        self._out.refusal(choice, text)

    def tool(self, choice: int, index: int, name: str, arguments: str) -> None:
        self._copies.add("tool", f"choices[{choice}].tool_calls[{index}] {name}", arguments)
        self._out.tool(choice, index, name, arguments)

    def finish(self, choice: int, reason: FinishReason) -> None:
        self._out.finish(choice, reason)


class CopiedUpstream(Over):
    """An `Upstream` that copies what the model writes, before anybody has judged it."""

    def __init__(self, upstream: Upstream, copies: Copies) -> None:
        super().__init__(upstream)
        self._copies = copies

    async def asked(self, ask: Ask, request: UpstreamRequest) -> Batches:
        """See `Over.asked`."""
        async with aclosing(ask(request)) as stream:
            async for chunks in stream:
                for chunk in chunks:
                    self._note(chunk)
                yield chunks

    def _note(self, chunk: Chunk) -> None:
        add, where = self._copies.add, f"choices[{chunk.choice}]"
        add("model", f"{where}.reasoning", chunk.reasoning)
        add("model", f"{where}.content", chunk.content)
        add("model", f"{where}.refusal", chunk.refusal)
        for tool in chunk.tools:
            add("model", f"{where}.tool_calls[{tool.index}]", tool.name + tool.arguments)


def copies_of(recording: Recording, leaves: Iterable[Leaf], roles: Sequence[str] = ()) -> Copies | None:
    """Copies for one exchange, which begin with what was asked; None where its policy keeps no texts."""
    return None if recording.texts == "none" else Copies(recording, leaves, roles)


def copied_out(out: Out, copies: Copies | None) -> Out:
    """`out`, copied where the policy keeps texts."""
    return out if copies is None else CopiedOut(out, copies)


def copied_upstream(upstream: Upstream, copies: Copies | None) -> Upstream:
    """`upstream`, copied where the policy keeps what the model wrote."""
    return CopiedUpstream(upstream, copies) if copies is not None and "model" in copies.recording.channels else upstream
