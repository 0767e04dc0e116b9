"""The few lines of ASGI the rehearsal server needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]

MOST_BODY = 64 << 20  # bytes of a request


async def start(send: Send, status: int, kind: str, extra: list[tuple[bytes, bytes]] | None = None) -> None:
    """The head of a response."""
    headers = [(b"content-type", kind.encode()), *(extra or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def reply(
    send: Send, status: int, body: bytes, kind: str = "application/json", extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    """A whole response."""
    await start(send, status, kind, [(b"content-length", str(len(body)).encode()), *(extra or [])])
    await send({"type": "http.response.body", "body": body})


async def read(receive: Receive) -> dict[str, Any]:
    """The request's JSON object; an empty one for anything else."""
    body = bytearray()
    while len(body) < MOST_BODY:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    try:
        parsed = orjson.loads(bytes(body))
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
