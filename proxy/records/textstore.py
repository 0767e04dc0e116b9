"""Where sealed texts lie: one file per day beside the ledger, a line per exchange.

A line is erased where it stands: it is overwritten with blanks, key and texts together. So files need no lock while others
append, and nothing of a text is left in them. The ledger holds only hashes of ciphertexts, which stay as they are.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

OLD = timedelta(days=2)
"""A day's file older than this gets no more lines, and goes when it is blank."""


@dataclass(frozen=True, slots=True)
class SealedTexts:
    """Ciphertexts by channel. `wrapped` is the exchange's key under the operator's, which is known by `key`."""

    exchange: str
    key: str
    wrapped: bytes
    channels: Mapping[str, bytes]

    def hashes(self) -> dict[str, str]:
        """What the ledger says of them: SHA-256 of each ciphertext."""
        return {channel: sha256(sealed).hexdigest() for channel, sealed in self.channels.items()}


@dataclass(frozen=True, slots=True)
class Kept:
    """Texts of one exchange, as they are stored. Times are Unix seconds; `until` is when they are to be erased."""

    sealed: SealedTexts
    at: float
    until: float
    policy: str
    tenant: str

    @property
    def id(self) -> str:
        """The exchange's id."""
        return self.sealed.exchange


class TextStore:
    """Sealed texts in a folder, which is made with the first. All methods raise `OSError`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, kept: Kept) -> None:
        """Puts the texts of an exchange there, as a whole or not at all."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        day = datetime.fromtimestamp(kept.at, UTC).date().isoformat()
        fd = os.open(self.folder / f"{day}.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            line = b"\n" + line_of(kept) + b"\n"  # so that it never hangs on a line that did not fit
            if (written := os.write(fd, line)) < len(line):
                raise OSError(f"only {written} of {len(line)} bytes fitted into {self.folder}")
        finally:
            os.close(fd)

    def all(self) -> Iterator[Kept]:
        """Everything that is there, oldest day first."""
        for path in self.files():
            with path.open("rb") as file:
                for line in file:
                    if (kept := kept_of(line)) is not None:
                        yield kept

    def find(self, exchange: str) -> Kept | None:
        """The texts of one exchange; None where none are kept."""
        for path in self.files():
            with path.open("rb") as file:
                for line in file:
                    if (head := _head(line)) is not None and head.id == exchange and (kept := kept_of(line)) is not None:
                        return kept
        return None

    def erase(self, chosen: Callable[[Kept], bool]) -> int:
        """Erases the texts of exchanges that are chosen, by all but the texts themselves; how many there were."""
        return sum(_erase(path, chosen) for path in self.files())

    def expire(self, now: float) -> int:
        """Erases what has been kept long enough, and takes away files in which nothing is left; how many exchanges it was."""
        count = self.erase(lambda kept: kept.until <= now)
        today = datetime.fromtimestamp(now, UTC).date()
        for path in self.files():
            if date.fromisoformat(path.stem) < today - OLD and not _anything(path):
                path.unlink(missing_ok=True)
        return count

    def files(self) -> list[Path]:
        """A file per day, oldest first."""
        return sorted(path for path in self.folder.glob("????-??-??.jsonl") if _is_day(path.stem))


def _is_day(name: str) -> bool:
    try:
        date.fromisoformat(name)
    except ValueError:
        return False
    return True


def _erase(path: Path, chosen: Callable[[Kept], bool]) -> int:
    count = 0
    with path.open("r+b", buffering=0) as raw, path.open("rb") as file:
        place = 0
        for line in file:
            if line.endswith(b"\n") and (head := _head(line)) is not None and chosen(head):
                os.pwrite(raw.fileno(), b" " * (len(line) - 1), place)
                count += 1
            place += len(line)
        if count:
            os.fsync(raw.fileno())
    return count


def _anything(path: Path) -> bool:
    with path.open("rb") as file:
        return any(line.strip() for line in file)


def line_of(kept: Kept) -> bytes:
    """Texts as a line, without its newline."""
    sealed = kept.sealed
    return orjson.dumps(
        {
            "id": sealed.exchange,
            "at": kept.at,
            "until": kept.until,
            "policy": kept.policy,
            "tenant": kept.tenant,
            "key": sealed.key,
            "wrapped": _written(sealed.wrapped),
            "texts": {name: _written(text) for name, text in sealed.channels.items()},
        }
    )


def _head(line: bytes) -> Kept | None:
    """A line without its texts and key, which stand behind the rest: a folder of many is read ten times as fast."""
    end = line.find(b',"key":')
    try:
        said = orjson.loads(line[:end] + b"}") if end > 0 else {}
        return Kept(SealedTexts(said["id"], "", b"", {}), float(said["at"]), float(said["until"]), said["policy"], said["tenant"])
    except (ValueError, KeyError, TypeError):
        return None


def _written(data: bytes) -> str:
    return base64.b64encode(data).decode()


def kept_of(line: bytes | str) -> Kept | None:
    """What a line holds; None for one that is erased or was cut short."""
    try:
        said: dict[str, Any] = orjson.loads(line)
        channels = {str(name): base64.b64decode(text) for name, text in said["texts"].items()}
        sealed = SealedTexts(said["id"], said["key"], base64.b64decode(said["wrapped"]), channels)
        return Kept(sealed, float(said["at"]), float(said["until"]), said["policy"], said["tenant"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
