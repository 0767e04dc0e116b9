"""Proves that a ledger is as it was written: nothing changed, missing, doubled, out of order or cut off.

The chain alone proves it up to each writer's last line. Heads that were anchored elsewhere prove the ends, and that nobody wrote
the whole chain anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from proxy.records.chain import BEGAN, HEAD, TURNED, Link, Sealed
from proxy.records.rows import Row, in_order, rows
from proxy.records.trail import Fault, Trail, are, span

MOST_FAULTS = 10_000
"""Faults that are kept; the ones after them are counted."""

_HEAD = re.compile(rb'\{"event":"' + HEAD.encode() + rb'".*?\}')


@dataclass(frozen=True, slots=True)
class Head:
    """An anchored head. `at` is ISO 8601."""

    link: Link
    at: str


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An exchange that was opened and not closed. `ended`: its writer has ended, so that it is not running any more."""

    id: str
    file: str
    line: int
    ended: bool


@dataclass(slots=True)
class Report:
    """What was found. `notes` are no faults: what cannot be told from what was given."""

    files: int = 0
    lines: int = 0
    writers: int = 0
    exchanges: int = 0
    heads: int = 0  # that were found in the ledger
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0
    notes: list[str] = field(default_factory=list)
    unfinished: list[Unfinished] = field(default_factory=list)

    @property
    def proven(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def read_heads(path: Path) -> Iterator[Head]:
    """The heads in a file, whatever else stands in its lines (a system log's time and host). Raises `OSError`."""
    with path.open("rb") as file:
        for line in file:
            if (found := _HEAD.search(line)) is None:
                continue
            try:
                said = orjson.loads(found[0])
                yield Head(Link(str(said["writer"]), int(said["seq"]), str(said["hash"])), str(said["at"]))
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                continue  # a head that was cut short proves nothing


def verify(files: Iterable[Path], heads: Iterable[Head] = (), tell: Callable[[Row], None] = lambda row: None) -> Report:
    """Reads all files; `tell` hears of every row. The order of the files does not matter. Raises `OSError`."""
    work = _Verification(heads)
    for path in in_order(list(files)):
        work.file(path, tell)
    return work.finish()


class _Verification:
    def __init__(self, heads: Iterable[Head]) -> None:
        self._report = Report()
        self._heads: dict[str, dict[int, Head]] = {}
        for head in heads:
            self._heads.setdefault(head.link.writer, {})[head.link.seq] = head
        self._anchored = frozenset(self._heads)
        self._trails: dict[str, list[Trail]] = {}
        self._open: dict[tuple[str, str], tuple[str, int]] = {}
        self._continued: list[tuple[Fault, Link, bool]] = []
        self._since = ""

    def _fault(self, fault: Fault) -> None:
        if len(self._report.faults) < MOST_FAULTS:
            self._report.faults.append(fault)
        else:
            self._report.more_faults += 1

    # ---- reading

    def file(self, path: Path, tell: Callable[[Row], None]) -> None:
        """Reads one file."""
        here: dict[str, Trail] = {}
        torn: list[Fault] = []
        plain, row = 0, None
        for row in rows(path):
            tell(row)
            self._report.lines += 1
            if row.torn and (row.ended or row.sealed is not None):
                torn.append(Fault("foreign", row.file, row.line, f"{len(row.torn)} bytes that are no line of a ledger"))
            if row.plain is not None:
                plain += 1
                if here:
                    torn.append(Fault("foreign", row.file, row.line, "a line without a chain, among lines that have one"))
            if row.sealed is not None:
                if row.sealed.record.get("torn") and row.sealed.intact and torn:
                    torn.pop()  # a line that did not fit on the disk; its writer says so in its next
                self._line(row.sealed, row, here)
        for fault in torn:
            self._fault(fault)
        if row is not None and not row.ended:
            why = f", after {len(row.torn)} bytes: a crash, a full disk, or somebody cut it" if row.torn else ""
            self._fault(Fault("cut", row.file, row.line, f"the file ends within a line{why}"))
        if plain:
            self._report.notes.append(f"{path}: {plain} lines of a version that had no chain prove nothing")
        self._report.files += 1

    def _line(self, sealed: Sealed, row: Row, here: dict[str, Trail]) -> None:
        link = sealed.link
        trail = here.get(link.writer)
        if trail is None:
            if not sealed.intact:
                text = f"line {link.seq} of writer {link.writer} is not as it was written: its hash does not fit"
                self._fault(Fault("changed", row.file, row.line, text))
                return
            self._since = min(self._since or "9", str(sealed.record.get("at", "")))
            if sealed.record.get("event") == BEGAN:
                self._continues(sealed, row, first=not here)
            trail = here[link.writer] = Trail(sealed, row.file, row.line)
            self._trails.setdefault(link.writer, []).append(trail)
        for fault in trail.meet(sealed, row.line):
            self._fault(fault)
        if sealed.intact:
            self._anchor(link, row)
            self._exchange(sealed, row)

    def _continues(self, sealed: Sealed, row: Row, first: bool) -> None:
        said = sealed.record.get("continues")
        if isinstance(said, Mapping) and said:
            link = Link(str(said.get("writer")), int(said.get("seq", -1)), str(said.get("hash")))
            text = f"when writer {sealed.link.writer} began, line {link.seq} of writer {link.writer} stood before it"
            self._continued.append((Fault("cut", row.file, row.line, text), link, first))

    def _anchor(self, link: Link, row: Row) -> None:
        heads = self._heads.get(link.writer)
        head = heads.pop(link.seq, None) if heads else None
        if head is None:
            return
        self._report.heads += 1
        if head.link.hash != link.hash:
            text = f"line {link.seq} of writer {link.writer} has another hash than the one anchored at {head.at}"
            self._fault(Fault("rewritten", row.file, row.line, text))

    def _exchange(self, sealed: Sealed, row: Row) -> None:
        event, key = sealed.record.get("event"), (sealed.link.writer, str(sealed.record.get("id")))
        if event == "opened":
            self._open[key] = (row.file, row.line)
            self._report.exchanges += 1
        elif event == "closed":
            self._open.pop(key, None)

    # ---- what only the whole shows

    def finish(self) -> Report:
        """Joins what was read."""
        report = self._report
        report.writers = len(self._trails)
        for trails in self._trails.values():
            self._join(sorted(trails, key=lambda trail: trail.first))
        for fault, link, first in self._continued:
            self._continuation(fault, link, first)
        for writer, heads in self._heads.items():
            self._tail(writer, heads)
        if self._anchored and (bare := self._trails.keys() - self._anchored):
            report.notes.append(
                f"no head of {len(bare)} of {len(self._trails)} writers was anchored: {', '.join(sorted(bare)[:5])}"
            )
        for (writer, exchange), (file, line) in self._open.items():
            ended = any(trail.ended for trail in self._trails[writer])
            report.unfinished.append(Unfinished(exchange, file, line, ended))
        report.faults.sort(key=lambda fault: (fault.file, fault.line))
        return report

    def _join(self, trails: list[Trail]) -> None:
        before = None
        for trail in trails:
            for fault in (trail.joins(before), *trail.missing()):
                if fault is not None:
                    self._fault(fault)
            if before is None and trail.event == TURNED and trail.first:
                self._report.notes.append(f"{trail.file}: {span(0, trail.first)} of writer {trail.writer} are in an earlier file")
            before = trail

    def _last(self, writer: str) -> Trail | None:
        return max(self._trails.get(writer, ()), key=lambda trail: trail.next, default=None)

    def _continuation(self, fault: Fault, link: Link, first: bool) -> None:
        last = self._last(link.writer)
        if last is None:
            if first:
                self._report.notes.append(f"{fault.file}: {fault.text}, in an earlier file")
            else:
                self._fault(Fault("cut", fault.file, fault.line, f"{fault.text}; none of its lines is here"))
        elif link.seq >= last.next:
            self._fault(Fault("cut", fault.file, fault.line, f"{fault.text}; now its last is {last.next - 1}"))
        elif link.seq == last.next - 1 and link.hash not in last.before:
            self._fault(Fault("rewritten", fault.file, fault.line, f"{fault.text}, with another hash than now"))

    def _tail(self, writer: str, heads: dict[int, Head]) -> None:
        """Heads that no line had."""
        last = self._last(writer)
        if last is not None:
            beyond = [head for seq, head in heads.items() if seq >= last.next]
            if beyond:
                end = max(beyond, key=lambda head: head.link.seq)
                gone = f"{span(last.next, end.link.seq + 1)} of writer {writer} {are(last.next, end.link.seq + 1)} gone"
                self._fault(Fault("cut", last.file, 0, f"{gone}: line {end.link.seq} was anchored at {end.at}"))
        elif heads:
            end = max(heads.values(), key=lambda head: head.link.seq)
            text = f"writer {writer} anchored {end.link.seq + 1} lines up to {end.at}, and none is here"
            if self._since and end.at < self._since:
                self._report.notes.append(f"{text}: that was before the files given")
            else:
                self._fault(Fault("cut", "", 0, text))


def as_json(report: Report) -> dict[str, Any]:
    """The report as plain data."""
    return {
        "proven": report.proven,
        "files": report.files,
        "lines": report.lines,
        "writers": report.writers,
        "exchanges": report.exchanges,
        "heads": report.heads,
        "faults": [{"kind": one.kind, "file": one.file, "line": one.line, "text": one.text} for one in report.faults],
        "more_faults": report.more_faults,
        "unfinished": [
            {"id": one.id, "file": one.file, "line": one.line, "writer_ended": one.ended} for one in report.unfinished
        ],
        "notes": report.notes,
    }
