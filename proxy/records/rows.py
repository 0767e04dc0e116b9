"""Reads ledger files row by row, compressed ones too, in memory that does not grow with the file."""

from __future__ import annotations

import errno
import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import orjson

from proxy.records.chain import Sealed, unsealed
from proxy.records.sinks import LONGEST

INPUT = Path("-")
"""Standard input."""
GZIP = b"\x1f\x8b"
_START = b'{"event":'


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file. `torn` is what stands in it beside a sealed line, `plain` a line of versions that had no chain.

    `line` counts from 1. `read` are the bytes of the file that have been read so far. `ended`: with a newline.
    """

    file: str
    line: int
    sealed: Sealed | None
    torn: bytes
    plain: dict[str, Any] | None
    ended: bool
    read: int


def rows(path: Path) -> Iterator[Row]:
    """The rows of a file, blank ones left out; `-` is standard input, which can be read once.

    Raises `OSError`, for a broken compressed file too.
    """
    with _opened(path) as raw:
        packed, seekable = raw.peek(2)[:2] == GZIP, raw.seekable()
        for number, data in enumerate(_unpacked(raw, path) if packed else _split(raw), 1):
            if data != b"\n":
                yield _row(str(path), number, data, raw.tell() if seekable else 0)


def _opened(path: Path) -> BufferedReader:
    return path.open("rb") if path != INPUT else open(sys.stdin.fileno(), "rb", closefd=False)  # by the caller


def _unpacked(raw: BufferedReader, path: Path) -> Iterator[bytes]:
    try:
        yield from _split(gzip.GzipFile(fileobj=raw))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(errno.EINVAL, f"the compressed file is broken: {error}", str(path)) from error


def _split(file: gzip.GzipFile | BufferedReader) -> Iterator[bytes]:
    while data := file.readline(LONGEST):
        yield data


def _row(file: str, number: int, data: bytes, read: int) -> Row:
    text = data.removesuffix(b"\n")
    ended = len(text) < len(data)
    if (sealed := unsealed(text)) is not None:
        return Row(file, number, sealed, b"", None, ended, read)
    begin = text.rfind(_START)  # a line that did not fit has no newline; what another worker wrote next follows it
    while begin > 0:
        if (sealed := unsealed(text[begin:])) is not None:
            return Row(file, number, sealed, text[:begin], None, ended, read)
        begin = text.rfind(_START, 0, begin)
    with suppress(orjson.JSONDecodeError):
        plain = orjson.loads(text)
        if isinstance(plain, dict) and plain.get("event") in ("opened", "closed", "administered") and "writer" not in plain:
            return Row(file, number, None, b"", plain, ended, read)
    return Row(file, number, None, text, None, ended, read)


def in_order(paths: list[Path]) -> list[Path]:
    """The files by the time of their first line, whatever the order in which a shell lists rotated files."""
    if len(paths) == 1:
        return paths  # a pipe can be read only once
    return sorted((path for path in paths if path != INPUT), key=lambda path: (_first(path), str(path))) + [
        path for path in paths if path == INPUT
    ]


def _first(path: Path) -> str:
    for row in rows(path):
        record = row.sealed.record if row.sealed is not None else row.plain
        if record is not None:
            return str(record.get("at", ""))
        if row.line > 1000:
            break
    return ""
