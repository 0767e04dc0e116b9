"""Our own log, on stderr: text for people, JSON lines for machines. No text of a conversation is logged, at any level."""

from __future__ import annotations

import logging
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

import orjson

Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def trace(error: BaseException | None) -> str:
    """Where an exception came from, and its type and causes; not its message, which may quote what somebody wrote."""
    parts: list[str] = []
    while error is not None:
        parts.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nwhile handling\n".join(parts)


class TextLines(logging.Formatter):
    """For people."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def formatException(self, ei: Raised) -> str:  # noqa: N802  # logging's own name
        return trace(ei[1])


class JsonLines(logging.Formatter):
    """For machines: one JSON object per record with time, level, logger, message, and the trace of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().encode("utf-8", "backslashreplace").decode(),
        }
        if record.exc_info:
            line["trace"] = trace(record.exc_info[1])
        return orjson.dumps(line).decode()


def configure(level: str, form: Literal["auto", "text", "json"]) -> None:
    """Sends the log of this process to stderr. `auto` is text on a terminal, JSON elsewhere."""
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Libraries that log addresses or bodies at these levels are kept quiet, whatever our own level is.
    for chatty in ("httpx", "httpcore", "aiohttp", "asyncio", "presidio-analyzer", "tldextract"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
