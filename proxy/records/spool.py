"""Follows the ledger's files with a remembered position: what has been sent on, and what still waits on the disk.

A file is known by its first line, which no other has: so it may be renamed by log rotation as it likes. Files that wait to be
read must lie uncompressed beside the ledger.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import orjson

from proxy.records.textspool import TextFollower

PIECE = 1 << 20
"""Bytes that are read at a time; a longer line is read as a whole."""
QUIET = 2.0
"""Seconds after which nobody writes to a file any more that was moved away."""
GONE_AFTER = 5.0
"""Seconds without an answer after which the database is gone, for those who want no exchange without it."""
NOT_SEEN = "the database does not take the ledger, and nothing may wait for it (audit_without_database)"
COUNTED = 8 << 20
"""Bytes of waiting lines that are counted; of more the number is an estimate."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far was read: `begin` is the SHA-256 of the file's first line, `offset` counts bytes. `begin` is empty at the very
    beginning."""

    begin: str = ""
    offset: int = 0


class Follower:
    """Reads whole lines from the ledger at `path` and the files it was moved away to. All methods raise `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path, self._mark = path, path.with_name(path.name + ".shipped")

    def position(self) -> Position:
        """What is remembered."""
        try:
            said = orjson.loads(self._mark.read_bytes())
            return Position(str(said["begin"]), int(said["offset"]))
        except (FileNotFoundError, orjson.JSONDecodeError, KeyError, ValueError, TypeError):
            return Position()  # what is sent a second time is known by its place in the chain

    def remember(self, position: Position) -> None:
        """Remembers a position, as a whole or not at all."""
        new = self._mark.with_name(self._mark.name + ".new")
        new.write_bytes(orjson.dumps({"begin": position.begin, "offset": position.offset}))
        os.replace(new, self._mark)

    def read(self, position: Position) -> tuple[list[bytes], Position]:
        """The next lines, at most about `PIECE` bytes of them, and the position after them; none where all has been read."""
        files = self._files()
        at = self._place(files, position)
        for number in range(at, len(files)):
            begin, path = files[number]
            start = position.offset if begin == position.begin else 0
            data = _lines(path, start)
            if data:
                return data.splitlines(), Position(begin, start + len(data))
            if path != self.path and time.time() - path.stat().st_mtime < QUIET:
                break  # one who had it open may still write its line
        return [], position

    def waiting(self) -> tuple[int, int]:
        """Bytes and lines that wait."""
        position, files = self.position(), self._files()
        at = self._place(files, position)
        total, counted, lines = 0, 0, 0
        for begin, path in files[at:]:
            start = position.offset if begin == position.begin else 0
            size = max(0, path.stat().st_size - start)
            total += size
            if size and counted < COUNTED:
                with path.open("rb") as file:
                    file.seek(start)
                    data = file.read(COUNTED - counted)
                counted, lines = counted + len(data), lines + data.count(b"\n")
        return total, round(lines * total / counted) if counted else 0

    def _files(self) -> Sequence[tuple[str, Path]]:
        """The files by their first lines, oldest first, the ledger itself last."""
        moved = [path for path in self.path.parent.glob(f"{self.path.name}[.-]*") if not self._other(path)]
        moved.sort(key=lambda path: path.stat().st_mtime)
        found = [(_begin(path), path) for path in (*moved, *([self.path] if self.path.exists() else ()))]
        return [(begin, path) for begin, path in found if begin]

    def _other(self, path: Path) -> bool:
        return (
            path.name.startswith(self._mark.name) or path.suffix in (".gz", ".xz", ".bz2", ".zst", ".lock") or not path.is_file()
        )

    def _place(self, files: Sequence[tuple[str, Path]], position: Position) -> int:
        """The number of the file in which to go on; the oldest where none is known. What is sent twice is there once."""
        return next((number for number, (begin, _) in enumerate(files) if begin == position.begin), 0)


class Contact:
    """When the database last took what waits, for all workers: the one that sends writes it down beside the ledger.

    The system's steady clock, so that nobody's setting of the time makes a database look gone, or there.
    """

    def __init__(self, path: Path) -> None:
        self._seen = path.with_name(path.name + ".shipped.seen")

    def made(self) -> None:
        """It answered just now. Raises `OSError`."""
        new = self._seen.with_name(self._seen.name + ".new")
        new.write_text(str(time.monotonic()), "ascii")
        os.replace(new, self._seen)

    def lost(self) -> bool:
        """Whether it has not answered for `GONE_AFTER` seconds."""
        try:
            return not 0 <= time.monotonic() - float(self._seen.read_text("ascii")) < GONE_AFTER
        except (OSError, ValueError):
            return True


class Spool:
    """How much waits on the disk, and whether a new exchange may begin.

    Not where more than `most` bytes wait, of lines and of sealed texts; with `contact`, not while the database is gone either.
    """

    def __init__(self, path: Path, most: int, texts: TextFollower | None = None, contact: Contact | None = None) -> None:
        self._follower, self._most, self._texts, self._contact = Follower(path), most, texts, contact
        self.texts = 0
        self.why = "" if contact is None else NOT_SEEN

    @property
    def full(self) -> bool:
        """Whether no new exchange may begin; `why` says so in words."""
        return bool(self.why)

    def look(self) -> tuple[int, int]:
        """Looks at the files: bytes and lines that wait; `texts` are the bytes of sealed texts. Raises `OSError`."""
        size, lines = self._follower.waiting()
        self.texts = self._texts.waiting() if self._texts is not None else 0
        if size + self.texts > self._most:
            self.why = "too many lines of the ledger wait to be sent to the database (audit_spool_bytes)"
        else:
            self.why = NOT_SEEN if self._contact is not None and self._contact.lost() else ""
        return size, lines


def _begin(path: Path) -> str:
    """What a file is known by; empty while its first line is not whole, or where it is no ledger."""
    with path.open("rb") as file:
        line = file.readline(PIECE)
    ledger = line.startswith(b'{"event":') and not line.startswith(b'{"event":"head"')
    return sha256(line).hexdigest() if ledger and line.endswith(b"\n") else ""


def _lines(path: Path, start: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        data = file.read(PIECE)
        if len(data) == PIECE and b"\n" not in data:
            data += file.readline()
    return data[: data.rfind(b"\n") + 1]
