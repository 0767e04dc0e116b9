"""How a rehearsal server fails, as real ones do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from proxy.upstream.asgi import Send, reply
from proxy.upstream.protocol import Chunk
from proxy.upstream.script import Fail
from proxy.upstream.shapes import Shapes
from proxy.wire.sse import DONE, event


class Cut(Exception):  # noqa: N818  (not an error: the script says so)
    """The connection is to be dropped in the middle of the reply."""


async def act_out(fail: Fail, shapes: Shapes) -> AsyncIterator[bytes]:
    """The bytes of a failure in the middle of a stream; raises `Cut` where the connection drops."""
    how = fail.how
    if how == "stall":
        await asyncio.sleep(3600)
    if how in ("error_event", "error_string", "flat_error"):
        yield event(shapes.mid_stream(how)) + event(DONE)
    elif how == "abort":
        yield event(_with_finish(shapes, "abort")) + event(DONE)
    elif how == "unknown_finish":
        yield event(_with_finish(shapes, "bored")) + event(DONE)
    elif how == "invalid_utf8":
        yield event(shapes.chunk(Chunk(content="@@"), None).replace(b"@@", b"\xff\xfe")) + event(DONE)
    elif how == "garbage":
        yield event(b'{"choices": [{"index": 0, "delta": {"content": ') + event(DONE)
    else:
        # Half an event, then the end of the connection.
        yield event(shapes.chunk(Chunk(content="unfinished"), None))[:40]
        raise Cut


def _with_finish(shapes: Shapes, word: str) -> bytes:
    return shapes.chunk(Chunk(finish="stop"), None).replace(b'"finish_reason":"stop"', b'"finish_reason":"%s"' % word.encode())


async def refuse(send: Send, fail: Fail, shapes: Shapes, body: dict[str, Any]) -> None:
    """An error response. Its message quotes the prompt, as real ones do: nobody may pass it on."""
    status = int(fail.how[5:])
    quoted = str(body["messages"][-1].get("content"))[:200]
    message = f"Something was wrong with {quoted!r}."
    if fail.body == "context":
        message = f"This model's maximum context length is 4096 tokens. However, you requested 9999 tokens. {message}"
    extra = [(b"retry-after", fail.retry_after.encode())] if fail.retry_after else []
    kind = "text/html" if fail.body == "html" else "application/json"
    await reply(send, status, shapes.error(status, message, fail.body), kind, extra)
