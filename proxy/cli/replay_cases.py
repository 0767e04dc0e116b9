"""Where the cases of a replay come from: files, the standard input, and recorded exchanges. Each can be gone through twice: once
to be counted and checked, so that a mistake in the last line is told before anything is judged, and once to be judged."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from proxy.records.archive import Archive, texts_folder
from proxy.records.audit import AuditError
from proxy.records.sealing import SealError, sealer
from proxy.shadow.cases import Case, CaseError, from_file, from_lines
from proxy.shadow.recorded import from_texts

if TYPE_CHECKING:
    from proxy.records.textstore import Kept
    from proxy.settings import Settings

INPUT = "-"
FOREVER = float("inf")


class Source(Protocol):
    """Cases, and what is said of where they come from. `left_out` are sentences, one for each that could not be read."""

    @property
    def shown(self) -> str: ...

    @property
    def left_out(self) -> Sequence[str]: ...

    def count(self) -> int:
        """How many there are. Raises `CaseError`."""
        ...

    def cases(self) -> Iterator[Case]:
        """All of them. Raises `CaseError`."""
        ...


@dataclass(frozen=True, slots=True)
class Prompts:
    """A file of prompts."""

    file: Path
    left_out: Sequence[str] = ()

    @property
    def shown(self) -> str:
        return f"no prompt in {self.file}"

    def count(self) -> int:
        return sum(1 for _ in self.cases())

    def cases(self) -> Iterator[Case]:
        return from_file(self.file)


class Piped:
    """The standard input: JSON lines where the first line is JSON, else a prompt on each line."""

    shown = "no prompt in the standard input"
    left_out: Sequence[str] = ()

    def __init__(self) -> None:
        self._lines = list(sys.stdin.buffer)

    def count(self) -> int:
        return sum(1 for _ in self.cases())

    def cases(self) -> Iterator[Case]:
        first = next((line for line in self._lines if line.strip()), b"")
        return from_lines("standard input", self._lines, jsonl=first.lstrip().startswith(b"{"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which recorded exchanges: of these ids, or all; from `since` until before `until`, in Unix seconds."""

    ids: frozenset[str] = frozenset()
    since: float = 0.0
    until: float = FOREVER

    def has(self, kept: Kept) -> bool:
        """Whether it is one of them."""
        return (not self.ids or kept.id in self.ids) and self.since <= kept.at < self.until


@dataclass(slots=True)
class Recorded:
    """Exchanges whose texts a policy kept, in `folder`, sealed with the key in the environment's `variable`."""

    folder: Path
    variable: str
    wanted: Wanted
    left_out: list[str] = field(default_factory=list)

    @property
    def shown(self) -> str:
        which = "of these ids and dates " if self.wanted != Wanted() else ""
        return f"no texts of exchanges {which}in {self.folder} (a policy keeps them with record: {{texts: all}})"

    def count(self) -> int:
        try:
            sealer(self.variable, os.environ)
            return sum(1 for _ in self._kept())
        except (SealError, OSError) as error:
            raise CaseError(str(error)) from None

    def cases(self) -> Iterator[Case]:
        archive = Archive(self.folder, os.environ)
        self.left_out.clear()
        for kept in self._kept():
            try:
                yield from_texts(kept.id, archive.open(kept, self.variable))
            except AuditError as error:
                self.left_out.append(str(error))

    def _kept(self) -> Iterator[Kept]:
        return filter(self.wanted.has, Archive(self.folder, os.environ).all())


def recorded(settings: Settings, texts: Path | None, variable: str, wanted: Wanted) -> Recorded:
    """Recorded exchanges. Raises `CaseError` where they cannot be had."""
    folder = texts or texts_folder(settings.audit, settings.audit_texts)
    if folder is None or not folder.is_dir():
        raise CaseError(f"there is no folder of texts{f' {folder}' if folder else ''}: name it with --texts")
    if not variable:
        raise CaseError(
            "neither policy says in record.key_env which variable holds the key of recorded texts: name it with --key-env"
        )
    return Recorded(folder, variable, wanted)


def moment(written: str, otherwise: float) -> float:
    """A date or time in Unix seconds; `otherwise` where none is written. Raises `CaseError`."""
    if not written:
        return otherwise
    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        raise CaseError(f"'{written}' is no date or time: write 2026-11-21 or 2026-11-21T18:00:00+00:00") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
