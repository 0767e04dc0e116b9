"""Error shapes of model servers, and what of them may be told to our client.

Three shapes are in use. vLLM from 0.10.1 and DeepSeek nest (`{"error": {"message", "type", "code"}}`); older vLLM and SGLang are
flat (`{"object": "error", "message", "type", "code"}`); some 401s are a string (`{"error": "Unauthorized"}`). Proxies in between
answer with HTML or nothing. A server's message may quote the prompt, so none of its text goes on: the client gets our own words
and, where a strict expression finds it, the length of the context; our log gets the status, the error's type and its code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from proxy.upstream.protocol import UpstreamError

LONGEST_WAIT = 3600.0  # seconds; a Retry-After beyond that is taken as this

_CONTEXT = re.compile(r"(?:maximum context length|model's context length|context window|max_model_len)")
_CONTEXT_SIZE = re.compile(r"(?:maximum context length (?:is|of) |model's context length \()(\d{1,9}) tokens")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error object says, as far as we look at it. `message` never leaves the process and never reaches a log."""

    message: str = ""
    type: str = ""
    code: str = ""
    shaped: bool = False  # it had one of the three shapes

    @property
    def detail(self) -> str:
        """For our log: the type and code, if they are plain words."""
        return " ".join(word for word in (self.type, self.code) if word)


def complaint(body: object) -> Complaint | None:
    """Reads an error object of any of the three shapes; None if `body` is none."""
    if not isinstance(body, dict):
        return None
    error: object = body.get("error")
    if error is None and body.get("object") == "error":
        error = body
    if isinstance(error, str):
        return Complaint(error, shaped=True)
    if not isinstance(error, dict):
        return None if error is None else Complaint(shaped=True)
    message = error.get("message")
    return Complaint(message if isinstance(message, str) else "", _word(error.get("type")), _word(error.get("code")), shaped=True)


def _word(value: object) -> str:
    if isinstance(value, int):
        return str(value) if 0 <= value < 1000 else ""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def parse(body: bytes) -> Complaint:
    """The complaint in an error response's body, which may be anything."""
    try:
        return complaint(orjson.loads(body)) or Complaint()
    except orjson.JSONDecodeError:
        return Complaint()


def refused(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The error for a response that is not 200. `body` may be cut short."""
    said = parse(body)
    detail = f"HTTP {status} {said.detail}".strip()
    wait = retry_after(headers)
    if status in (400, 413, 422):
        return _rejected(said, detail)
    if status in (401, 403):
        return UpstreamError("unavailable", "The model server refused the proxy's own key.", status=502, detail=detail)
    if status == 404 and said.shaped:
        message = "The model server does not have this model."
        return UpstreamError("rejected", message, status=404, detail=detail, code="model_not_found")
    if status in (408, 429):
        return UpstreamError("unavailable", "The model server is busy.", status=429, detail=detail, retry_after=wait)
    if status in (502, 503, 504, 529):
        return UpstreamError("unavailable", "The model server is not available.", status=503, detail=detail, retry_after=wait)
    if status >= 500:
        return UpstreamError("unavailable", "The model server failed.", status=502, detail=detail, retry_after=wait)
    return UpstreamError("protocol", "The model server gave an answer that is not the API's.", status=502, detail=detail)


def _rejected(said: Complaint, detail: str) -> UpstreamError:
    if not _CONTEXT.search(said.message) and said.code != "context_length_exceeded":
        return UpstreamError("rejected", "The model server refused the request as malformed.", status=400, detail=detail)
    size = _CONTEXT_SIZE.search(said.message)
    limit = f" of {size.group(1)} tokens" if size else ""
    message = f"The messages and the requested output together are longer than the model's context{limit}."
    return UpstreamError("rejected", message, status=400, detail=detail, code="context_length_exceeded")


def mid_stream(event: Mapping[str, Any]) -> UpstreamError | None:
    """The error an event of a stream stands for, or None if it is an ordinary chunk."""
    said = complaint(event)
    if said is None:
        return None
    return UpstreamError("mid_stream", "The model server failed while it answered.", status=502, detail=said.detail)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds from a Retry-After header: a number, or a date held against the server's own Date; None where it says nothing."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = _until(value, headers.get("date", ""))
    return min(seconds, LONGEST_WAIT) if seconds >= 0 else None  # false for NaN too


def _until(then: str, now: str) -> float:
    try:
        return (parsedate_to_datetime(then) - parsedate_to_datetime(now)).total_seconds()
    except (ValueError, TypeError):
        return -1.0
