"""A model server that says exactly the bytes a test gives it, over a real socket: for wire shapes no script can play."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
import uvicorn

Reply = Callable[[dict[str, Any]], AsyncIterator[bytes]]
DONE = b"data: [DONE]\n\n"


def event(delta: dict[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    """One chunk in vLLM's shape; `more` goes beside the delta."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish, **more}
    body = {"id": "chatcmpl-x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + orjson.dumps(body) + b"\n\n"


def cut(text: str, sizes: Sequence[int]) -> list[str]:
    """The text in pieces of these sizes, over and over."""
    pieces, at, turn = [], 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        pieces.append(text[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


class RawModel:
    """What a test sees of the server."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1"
        self.requests: list[dict[str, Any]] = []
        self.left = threading.Event()


@contextmanager
def raw_model(reply: Reply | Sequence[bytes]) -> Iterator[RawModel]:
    """Serves one reply to every chat request: bytes as they are, or a function of the request's body."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        model = RawModel(listening.getsockname()[1])

        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            body = orjson.loads(await _read(receive) or b"{}")
            if not scope["path"].endswith("/chat/completions"):
                await send({"type": "http.response.start", "status": 404, "headers": []})
                await send({"type": "http.response.body", "body": b"{}"})
                return
            model.requests.append(body)
            watcher = asyncio.ensure_future(_watch(receive, model, asyncio.current_task()))
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
            async for data in reply(body) if callable(reply) else _each(reply):
                await send({"type": "http.response.body", "body": data, "more_body": True})
            watcher.cancel()
            await send({"type": "http.response.body", "body": b""})

        config = uvicorn.Config(app, log_level="critical", lifespan="off", access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), name="raw-model", daemon=True)
        thread.start()
        try:
            yield model
        finally:
            server.should_exit = server.force_exit = True
            thread.join(10)


async def _each(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
        await asyncio.sleep(0)


async def _read(receive: Any) -> bytes:
    data: bytes = b""
    while True:
        message = await receive()
        data += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return data


async def _watch(receive: Any, model: RawModel, work: asyncio.Task[Any] | None) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    model.left.set()
    if work is not None:
        work.cancel()
