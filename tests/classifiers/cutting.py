"""Drives a stream classifier the way a window does: text comes in pieces, what is settled leaves, a little stays as context."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import pairwise

from classifiers.finding import Channel, Classifier, Context, Finding, Passage, Unjudged

Spans = list[tuple[str, int, int, float]]  # category, start, end, score; offsets of the channel


def look(classifier: Classifier, text: str, begin: int = 0, *, final: bool = True, prompt: str = "") -> Sequence[Finding]:
    """The findings in one text; an `Unjudged` is a failure."""
    passage = Passage(Channel.ANSWER, text, begin, 0, final)
    answer = asyncio.run(classifier((passage,), Context(prompt=prompt)))[0]
    assert not isinstance(answer, Unjudged), answer
    return answer


def whole(classifier: Classifier, text: str) -> Spans:
    """The findings of the whole text."""
    return [(f.category, f.start, f.end, f.score) for f in look(classifier, text)]


def cut(text: str, places: Iterable[int]) -> list[str]:
    """The text in pieces, cut at these places."""
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[a:b] for a, b in pairwise(edges)]


def in_pieces(classifier: Classifier, pieces: Sequence[str], lag: int = 0) -> tuple[Spans, int]:
    """The findings of text that comes in pieces, an open one joined with what goes on of it; and the most that was held.

    `lag`: so many characters stay behind what is settled, as when another classifier holds them.
    """
    text, done, most = "", 0, 0
    opened: int | None = None
    found: Spans = []
    for number, piece in enumerate((*pieces, "")):
        text += piece
        final = number == len(pieces)
        head = "" if opened is None else text[opened : min(opened + classifier.opener, done)]
        behind = max(0 if opened is None else opened + len(head), done - classifier.lookback)
        view, shift = head + text[behind:], behind - len(head)
        settled = len(view) if final else classifier.safe_upto(view) - lag
        assert settled <= len(view)
        safe = max(done, settled + shift)
        seen = look(classifier, view, done - shift, final=final)
        while crossing := [f for f in seen if not f.open and done <= f.start + shift < safe < f.end + shift]:
            safe = min(f.start for f in crossing) + shift
        if opened is not None:
            on = [f for f in seen if f.start < done - shift < f.end]
            ends = done if not on else safe if any(f.open or f.end + shift > safe for f in on) else on[0].end + shift
            opened = opened if on and ends == safe and (on[0].open or on[0].end + shift > safe) else None
            found[-1] = (*found[-1][:2], ends, found[-1][3])
        for f in seen:
            if done <= f.start + shift < safe:
                found.append((f.category, f.start + shift, safe if f.open else f.end + shift, f.score))
                opened = f.start + shift if f.open else opened
        most, done = max(most, len(text) - safe - lag), safe
    return found, most
