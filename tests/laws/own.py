"""Classifiers that fail, each in its own way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Literal

from classifiers.finding import Context, Finding, Findings, Passage, Unit, Unjudged
from classifiers.registry import Options, classifier


class FailingOptions(Options):
    """How it fails, and as what kind of classifier."""

    how: Literal["raise", "hang", "few", "say"] = "raise"
    kind: Unit = "stream"
    categories: ClassVar[frozenset[str]] = frozenset({"harm"})


@classifier("failing", options=FailingOptions)
class Failing:
    """Never judges anything."""

    lookback = 0
    opener = 0
    categories = frozenset({"harm"})
    name = "failing"

    def __init__(self, options: FailingOptions) -> None:
        self.unit: Unit = options.kind
        self._how = options.how

    def safe_upto(self, text: str) -> int:
        return len(text)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Sequence[Findings | Unjudged]:
        if self._how == "hang":
            await asyncio.Event().wait()
        if self._how == "raise":
            raise ZeroDivisionError
        return [] if self._how == "few" else [Unjudged("overload")] * len(passages)


@classifier("word")
def word(text: str, options: Options) -> list[Finding]:
    """Finds `durian`, in whole passages."""
    at = text.find("durian")
    return [Finding("word", 1.0, at, at + 6)] if at >= 0 else []
