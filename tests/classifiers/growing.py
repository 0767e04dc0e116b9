"""Feeds a stream classifier text that grows, as a window does, and keeps only as much context as the contract promises."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from classifiers.finding import Channel, Classifier, Context, Finding, Findings, Passage, Unjudged


def judged(classifier: Classifier, passage: Passage) -> Findings:
    """What the classifier says of one passage. It must not suspend, and must not fail."""
    try:
        classifier([passage], Context()).send(None)
    except StopIteration as ended:
        answer: Findings | Unjudged = ended.value[0]
        assert not isinstance(answer, Unjudged), answer
        return answer
    raise AssertionError("the classifier suspended")


def whole(classifier: Classifier, text: str) -> list[Finding]:
    """The findings of a text judged at once."""
    return list(judged(classifier, Passage(Channel.ANSWER, text)))


def piece_by_piece(classifier: Classifier, pieces: Sequence[str]) -> list[Finding]:
    """The findings of a text that comes in pieces, at their places in the whole of it."""
    found: list[Finding] = []
    text, offset, begin = "", 0, 0
    for number, piece in enumerate((*pieces, "")):
        text += piece
        final = number == len(pieces)
        settled = len(text) if final else max(begin, classifier.safe_upto(text))
        seen = judged(classifier, Passage(Channel.ANSWER, text, begin, offset, final))
        released = settled
        while crossing := [each.start for each in seen if each.start < released < each.end]:
            released = min(crossing)
        for each in seen:
            assert each.start >= begin
            assert each.start >= settled or each.end <= len(text)
            if each.start < released:
                found.append(Finding(each.category, each.score, offset + each.start, offset + each.end, each.mask))
        drop = max(0, released - classifier.lookback)
        text, offset, begin = text[drop:], offset + drop, released - drop
    return found


def cut(text: str, places: Sequence[int]) -> list[str]:
    """`text` in pieces, cut at `places` (taken modulo its length)."""
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[first:last] for first, last in pairwise(edges)]
