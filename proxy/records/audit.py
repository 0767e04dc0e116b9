"""The ledger: two JSON lines per exchange, joined by its id, *opened* before the first byte and *closed* at the end; every line
in the chain of its writer, and the chain's head anchored in a second place.

An exchange whose opening cannot be written does not happen: `AuditError` becomes an error for the client. An opening without its
closing means that the process died in between, which one line per exchange could not say.

No text of a conversation is ever in here, only what was decided about it: rule, category, score, offsets, sizes, times.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Protocol

import orjson

from proxy.records.archive import Archive
from proxy.records.chain import BEGAN, ENDED, HEAD, TURNED, Chain, Link, unsealed
from proxy.records.record import Administered, AuditError, Closed, Opened, Outcome, Repaired, Way
from proxy.records.sinks import FileSink, MemorySink, NoSink, Sink, StreamSink, sink
from proxy.records.written import MOST_REASONS, administration, closing, moment, opening

__all__ = [
    "MOST_REASONS",
    "Administered",
    "Audit",
    "AuditError",
    "Closed",
    "FileSink",
    "MemorySink",
    "NoSink",
    "Opened",
    "Outcome",
    "Repaired",
    "Sink",
    "StreamSink",
    "Way",
    "sink",
]


class Room(Protocol):
    """Whether there is room for more, where lines wait to be sent on."""

    @property
    def full(self) -> bool:
        """Whether there is none."""
        ...

    why: str


class Audit:
    """Writes records to a sink, chained. All methods raise `AuditError` where a line could not be written whole.

    Heads go to `heads` when `anchor` is called, and at the end. Where `room` is full, no
    exchange may begin; those that run are still closed. `archive` is where texts are kept, for policies that keep any.
    """

    def __init__(self, sink: Sink, heads: Sink | None = None, room: Room | None = None, archive: Archive | None = None) -> None:
        self._sink, self._heads, self.room = sink, heads, room
        self.archive = archive or Archive(None, {})
        self._chain = Chain()
        self._first = BEGAN  # the event that has to come before the next record
        self.anchored = -1  # seq of the last line whose hash is anchored
        self.unanchored = 0  # heads that could not be written

    @property
    def seq(self) -> int:
        """Lines of this writer so far."""
        return self._chain.seq

    def open(self, record: Opened) -> None:
        """Puts the exchange on record. Without this line nothing may be sent to the model or the client."""
        if self.room is not None and self.room.full:
            raise AuditError(self.room.why)
        self._write(opening(record))

    def close(self, record: Closed) -> None:
        """Puts the end on record. To be called once, before `[DONE]` or the last byte."""
        self._write(closing(record))

    def administered(self, record: Administered) -> None:
        """Puts on record what an administrator is about to do. Without this line it must not be done."""
        self._write(administration(record))

    def _write(self, record: Mapping[str, Any]) -> None:
        try:
            if self._sink.turned() and not self._first:
                self._first = TURNED
            if self._first:
                self._put(self._introduction())
                self._first = ""
            self._put(record)
        except (OSError, orjson.JSONEncodeError) as error:
            raise AuditError(f"the audit record could not be written: {type(error).__name__}") from error

    def _put(self, record: Mapping[str, Any]) -> None:
        chain, sink = self._chain, self._sink
        line, digest = chain.seal({**record, "torn": True} if sink.torn else record)
        sink.write(line)
        chain.advance(digest)
        sink.sync()

    def _introduction(self) -> dict[str, Any]:
        """A writer's first line in a file."""
        line = {"event": self._first, "at": moment(time.time())}
        if self._first == TURNED:
            return line
        before = unsealed(self._sink.last())
        link = {} if before is None else {"writer": before.link.writer, "seq": before.link.seq, "hash": before.link.hash}
        return {**line, "program": version("sluicegate"), "pid": os.getpid(), "continues": link}

    def head(self) -> Link | None:
        """The chain's head, where it is to be anchored: None where there is no second place, or nothing new."""
        chain, last = self._chain, self._chain.seq - 1
        return None if self._heads is None or last == self.anchored else Link(chain.writer, last, chain.head)

    def anchor(self, head: Link | None) -> None:
        """Writes a head to the second place. May wait for a slow disk, so it may be called in another thread, once at a time.

        A second place that fails is counted, and does not keep exchanges from going on.
        """
        if self._heads is None or head is None:
            return
        line = {"event": HEAD, "at": moment(time.time()), "writer": head.writer, "seq": head.seq, "hash": head.hash}
        try:
            self._heads.turned()
            self._heads.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            self._heads.sync()
        except OSError:
            self.unanchored += 1
        else:
            self.anchored = head.seq

    def shut(self) -> None:
        """Says that this writer has ended, anchors its head, and lets go of the sinks."""
        if self._first != BEGAN:
            self._write({"event": ENDED, "at": moment(time.time())})
            self.anchor(self.head())
        self._sink.close()
        if self._heads is not None:
            self._heads.close()
