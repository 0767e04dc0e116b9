"""Reads exchanges back from a ledger: the two lines of each, joined, and those that a question is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from proxy.records.rows import in_order, rows

Record = Mapping[str, Any]
Story = dict[str, Any]
"""What is known of one exchange: the fields of its opening, then those of its closing; `closed_at` is the closing's time. What
administrators did is a story of its own, with `event: administered`."""

_AGO = re.compile(r"(\d+)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Question:
    """Which exchanges are asked for; what is empty does not matter. Times are ISO 8601 in UTC, as the ledger writes them.

    `rules`, `actions` and `channels` are about one and the same verdict, or part that could not be judged.
    """

    since: str = ""
    until: str = ""
    ids: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    outcomes: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()

    def means(self, story: Record) -> bool:
        """Whether the story is one that is asked for."""
        at = str(story.get("at", ""))
        if (self.since and at < self.since) or (self.until and at >= self.until):
            return False
        fields = {"id": self.ids, "policy": self.policies, "tenant": self.tenants, "key": self.keys, "outcome": self.outcomes}
        if any(wanted and story.get(name) not in wanted for name, wanted in fields.items()):
            return False
        return not (self.rules or self.actions or self.channels) or any(map(self._found, verdicts(story)))

    def _found(self, verdict: Record) -> bool:
        sides = {"rule": self.rules, "action": self.actions, "channel": self.channels}
        return all(not wanted or verdict.get(name) in wanted for name, wanted in sides.items())


def verdicts(story: Record) -> Iterator[Record]:
    """What rules said of an exchange, and what they could not look at."""
    yield from story.get("verdicts", ())
    yield from story.get("unjudged", ())


def stories(files: Iterable[Path], question: Question) -> Iterator[Story]:
    """The exchanges asked for, by the time they ended; those that never ended come last, with the outcome `unfinished`.

    Raises `OSError`.
    """
    running: dict[str, Story] = {}
    for path in in_order(list(files)):
        for row in rows(path):
            record = row.sealed.record if row.sealed is not None else row.plain
            told = None if record is None else _told(record, running)
            if told is not None and question.means(told):
                yield told
    yield from (story for story in running.values() if question.means(story))


_CHAIN = frozenset({"event", "writer", "seq", "prev", "torn", "hash"})


def _told(record: Record, running: dict[str, Story]) -> Story | None:
    event = record.get("event")
    if event not in ("administered", "opened", "closed"):
        return None
    if event != "closed":
        story = begun(record)
        if event == "administered":
            return story
        running[str(story["id"])] = story
        return None
    fields = told(record)
    return ended(running.pop(str(fields["id"]), {}), fields)


def told(record: Record) -> Story:
    """What a line tells, without its place in the chain."""
    return {name: value for name, value in record.items() if name not in _CHAIN}


def begun(record: Record) -> Story:
    """The story of a line that opens an exchange, as long as no line closes it; or of what an administrator did."""
    if record.get("event") == "administered":
        return {"event": "administered", **told(record)}
    return {**told(record), "outcome": "unfinished"}


def ended(story: Story, closing: Story) -> Story:
    """The story with what its closing line tells."""
    return {**closing, **story, "closed_at": closing["at"], "outcome": closing["outcome"]}


def when(written: str, now: datetime) -> str:
    """A time that a person writes, as the ledger writes it: ISO 8601 (in UTC where no zone is named), or `90m`, `7d` ago.

    Raises `ValueError` with a text that says what can be written.
    """
    try:
        if (ago := _AGO.fullmatch(written.strip())) is not None:
            moment = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            moment = datetime.fromisoformat(written.strip())
            moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        raise ValueError(
            f"{written[:40]!r}: write a time like 2026-11-21, 2026-11-21T13:00, or how long ago, like 90m or 7d"
        ) from None
