"""Reads a request's body, bounded in size and time."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope

from proxy.errors import ApiError
from proxy.road.attended import ClientLeftError

SECONDS = 60.0
"""Time a client has for sending its body."""


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The whole body. Raises `ApiError` 413, 415 or 408, or `ClientLeftError`."""
    for name, value in scope["headers"]:
        if name == b"content-length" and not (value.isdigit() and len(value) < 20 and int(value) <= most):
            raise _too_large(most)
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise ApiError(415, "Compressed bodies are not taken; send the JSON as it is.", code="unsupported_encoding")
    try:
        async with asyncio.timeout(SECONDS):
            return await _read(receive, most)
    except TimeoutError:
        raise ApiError(408, "The body did not arrive in time.", code="request_timeout", headers={"connection": "close"}) from None


async def _read(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _too_large(most: int) -> ApiError:
    return ApiError(413, f"The body is larger than {most} bytes.", code="request_too_large", headers={"connection": "close"})
