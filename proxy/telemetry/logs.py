"""Our own log, on stderr: text for people, JSON lines for machines. No text of a conversation is logged, at any level."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Literal

import orjson


class JsonLines(logging.Formatter):
    """One JSON object per record: time, level, logger, message, and the trace of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def configure(level: str, form: Literal["auto", "text", "json"]) -> None:
    """Sends the log of this process to stderr. `auto` is text on a terminal, JSON elsewhere."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json" or (form == "auto" and not sys.stderr.isatty()):
        handler.setFormatter(JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Libraries that log addresses or bodies at these levels are kept quiet, whatever our own level is.
    for chatty in ("httpx", "httpcore", "aiohttp", "asyncio", "presidio-analyzer", "tldextract"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
