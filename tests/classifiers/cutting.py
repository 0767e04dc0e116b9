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


def in_pieces(classifier: Classifier, pieces: Sequence[str]) -> tuple[Spans, int]:
    """The findings of text that comes in pieces, an open one joined with what goes on of it; and the most that was held."""
    text, begin, base, most = "", 0, 0, 0
    found: Spans = []
    inside = False
    for number, piece in enumerate((*pieces, "")):
        text += piece
        final = number == len(pieces)
        safe = len(text) if final else max(begin, classifier.safe_upto(text))
        assert 0 <= safe <= len(text)
        seen = look(classifier, text, begin, final=final)
        for finding in seen:
            if inside and finding.start < begin < finding.end:
                category, start, _, score = found.pop()
                found.append((category, start, base + finding.end, score))
        inside = inside and any(f.open and f.start < begin for f in seen)
        while crossing := [f for f in seen if not f.open and begin <= f.start < safe < f.end]:
            safe = min(f.start for f in crossing)
        settled = [f for f in seen if begin <= f.start < safe]
        found += [(f.category, base + f.start, base + f.end, f.score) for f in settled]
        opened = next((f for f in settled if f.open), None)
        if opened:
            head, safe, inside = text[opened.start :][: classifier.opener], len(text), True
            behind = max(opened.start + len(head), safe - classifier.lookback)
            base, begin, text = base + behind - len(head), safe - behind + len(head), head + text[behind:]
            continue
        most, begin = max(most, len(text) - safe), safe
        if not inside:
            drop = max(0, begin - classifier.lookback)
            text, base, begin = text[drop:], base + drop, begin - drop
        elif begin > classifier.opener + classifier.lookback:
            drop = begin - classifier.opener - classifier.lookback
            text = text[: classifier.opener] + text[classifier.opener + drop :]
            base, begin = base + drop, begin - drop
    return found, most
