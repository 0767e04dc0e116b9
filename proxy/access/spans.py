"""Times as operators write them: `90d`, `12h`, `2027-01-31`, `never`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST = 100 * 365 * 86_400
"""Seconds; longer ones are slips, and dates far off are no dates of ours."""
_LAST = 253_402_300_799  # the end of the year 9999
_SPAN = re.compile(r"(\d{1,7})\s*([smhdw])")


def span(written: str) -> int:
    """Seconds of `30m`, `12h`, `90d`, `2w`; `0` is none. Raises `ValueError` with what can be written."""
    if written.strip() == "0":
        return 0
    found = _SPAN.fullmatch(written.strip().lower())
    if found is None:
        raise ValueError(f"'{written}' is no span of time: write 30m, 12h, 90d or 2w")
    if (seconds := int(found[1]) * UNITS[found[2]]) > LONGEST:
        raise ValueError(f"'{written}' is longer than a hundred years")
    return seconds


def moment(written: str, now: float) -> int | None:
    """Unix seconds of a span from now, or of a date or time (UTC where it names no zone); None for `never`.

    Raises `ValueError` with what can be written.
    """
    word = written.strip().lower()
    if word == "never":
        return None
    if _SPAN.fullmatch(word) or word == "0":
        return round(now) + span(word)
    try:
        at = datetime.fromisoformat(written.strip())
    except ValueError:
        raise ValueError(f"'{written}' is no time: write 90d, 2027-01-31, 2027-01-31T18:00 or never") from None
    seconds = round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    if not 0 <= seconds <= _LAST:
        raise ValueError(f"'{written}' is out of all reach: write 90d, 2027-01-31, 2027-01-31T18:00 or never")
    return seconds


def shown(at: int | None, none: str = "never") -> str:
    """Unix seconds as people read them, UTC."""
    return none if at is None else datetime.fromtimestamp(min(at, _LAST), UTC).strftime("%Y-%m-%d %H:%M")
