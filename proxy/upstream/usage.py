"""Token counts of a reply: the server's own, else its tokenizer's, else an estimate that says it is one."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from proxy.upstream.protocol import Chunk, Usage, UsageSource

Count = Callable[[str], Awaitable[int | None]]

# Scripts in which one character is about as much as half a word: CJK, kana, Hangul, full-width forms.
WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
BYTES_PER_TOKEN = 4.0  # for everything else, in UTF-8; a rule of thumb for BPE vocabularies of 100k and more
WIDE_PER_TOKEN = 1.7

MOST_KEPT = 1 << 20
"""Characters of a reply kept for the tokenizer: 32k tokens are some 150k characters. What is longer is estimated from these."""


def estimate(text: str) -> int:
    """About how many tokens `text` has; at least 1 where there is any text."""
    wide = WIDE.findall(text)
    other = len(text.encode("utf-8", "surrogatepass")) - sum(len(c.encode()) for c in wide)
    return int(len(wide) / WIDE_PER_TOKEN + other / BYTES_PER_TOKEN + 0.999)


def parse_usage(raw: Mapping[str, Any]) -> Usage | None:
    """The server's `usage` object; None where its numbers are no counts.

    Reasoning tokens: SGLang says `reasoning_tokens`, DeepSeek `completion_tokens_details.reasoning_tokens`, vLLM nothing.
    """
    prompt, completion = _number(raw.get("prompt_tokens")), _number(raw.get("completion_tokens", 0))
    if prompt is None or completion is None:
        return None
    reasoning = _number(raw.get("reasoning_tokens"))
    details = raw.get("completion_tokens_details")
    if reasoning is None and isinstance(details, dict):
        reasoning = _number(details.get("reasoning_tokens"))
    return Usage(prompt, completion, reasoning if reasoning is None else min(reasoning, completion))


def _number(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


class UsageMeter:
    """Watches the chunks of one reply and says at its end, or wherever it was cut, what it cost.

    A final count of the server wins; for a stream that was cut, the last continuous counts, summed over the choices (a server
    counts each choice for itself). Text is kept, for the tokenizer, only as long as the server has not counted anything.
    """

    __slots__ = ("_final", "_kept", "_latest", "_lengths", "_pieces", "_texts")

    def __init__(self) -> None:
        self._final: Usage | None = None
        self._latest: dict[int, Usage] = {}
        self._pieces = [0, 0]  # chunks with reasoning, chunks with anything else
        self._lengths = [0, 0]  # the same in characters
        self._texts: list[str] = []
        self._kept = 0

    def feed(self, chunks: Iterable[Chunk]) -> None:
        """Takes note of one batch, in order."""
        for chunk in chunks:
            if chunk.usage is not None:
                self._count(chunk.choice, chunk.usage)
            if chunk.reasoning:
                self._text(0, chunk.reasoning)
            if chunk.content:
                self._text(1, chunk.content)
            if chunk.refusal:
                self._text(1, chunk.refusal)
            for tool in chunk.tools:
                self._text(1, tool.name + tool.arguments)

    def _count(self, choice: int, usage: Usage) -> None:
        if choice < 0:
            self._final = usage
        else:
            self._latest[choice] = usage
        self._texts.clear()

    def _text(self, which: int, text: str) -> None:
        self._pieces[which] += 1
        self._lengths[which] += len(text)
        if self._final is None and not self._latest and self._kept < MOST_KEPT:
            self._kept += len(text)
            self._texts.append(text)

    def seen(self) -> Usage | None:
        """What the server has said so far."""
        if self._final is not None or not self._latest:
            return self._final
        every = list(self._latest.values())
        known = [u.reasoning for u in every if u.reasoning is not None]
        reasoning = sum(known) if len(known) == len(every) else None
        return Usage(max(u.prompt for u in every), sum(u.completion for u in every), reasoning)

    async def total(self, count: Count | None = None, *, prompt: str = "", thought_share: float | None = None) -> Usage:
        """The counts at the end.

        `count` is the server's tokenizer (`Upstream.count`), asked only if the server said nothing, about the reply and about
        `prompt` (the prompt's text: without the template's own tokens, so slightly low). `thought_share` is the part of the
        reply, 0..1, that was reasoning, for callers that know better than the field names (inline think tags); reasoning tokens
        that the server does not tell are that share of the completion.
        """
        usage = self.seen()
        if usage is None:
            usage = await self._counted(count, prompt)
        if usage.reasoning is not None:
            return usage
        share = self._share(usage.completion) if thought_share is None else min(1.0, max(0.0, thought_share))
        return Usage(usage.prompt, usage.completion, round(usage.completion * share), usage.source)

    async def _counted(self, count: Count | None, prompt: str) -> Usage:
        reply = "".join(self._texts)
        numbers: list[int] = []
        source: UsageSource = "tokenizer"
        for text in (prompt, reply):
            number = await count(text) if count is not None and text and source == "tokenizer" else None
            if text and number is None:
                source = "estimate"
            numbers.append(estimate(text) if number is None else number)
        if sum(self._lengths) > len(reply) > 0:
            numbers[1] = round(numbers[1] * sum(self._lengths) / len(reply))
            source = "estimate"
        if count is None:
            source = "estimate"
        return Usage(numbers[0], numbers[1], None, source)

    def _share(self, completion: int) -> float:
        # Where chunks are about tokens, they are the better measure; a folded reply has two chunks and a thousand tokens.
        measure = self._pieces if 2 * sum(self._pieces) >= completion else self._lengths
        whole = sum(measure)
        return measure[0] / whole if whole else 0.0
