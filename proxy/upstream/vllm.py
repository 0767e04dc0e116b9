"""Any OpenAI-compatible model server: vLLM, SGLang, DeepSeek's API and their kin."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import orjson

from proxy.upstream import faults
from proxy.upstream.connection import Answer, Connections
from proxy.upstream.decode import Reply, protocol_error
from proxy.upstream.fields import OnUnknown, UnknownFields
from proxy.upstream.leg import leg
from proxy.upstream.pace import Pace, Pulse
from proxy.upstream.protocol import Chunk, UpstreamError, UpstreamRequest
from proxy.upstream.timeouts import Timeouts, Watch

ERROR_BODY = 64 << 10  # bytes of an error response that are looked at
LIST_BODY = 1 << 20  # bytes of a model list or of a tokenizer's answer


@dataclass(frozen=True, slots=True)
class UpstreamSettings:
    """How a model server is reached.

    `url` ends in `/v1`. `api_key` comes from the environment, never from a file. `most_event` bounds one event of a stream and
    `most_body` a reply that comes as one JSON body, in bytes. `retries` counts further tries before the first byte of a reply:
    after a failed connection, 429, 502, 503 or 504; `longest_pause` bounds the wait between tries, in seconds, and a server that
    asks for a longer one is not tried again. `continuous_usage` asks for counts on every chunk, so that a reply that we cut has
    them too. `gather` seconds lie between two reads of a reply, once its text has begun, from a server that sends faster than
    that: its tokens are taken in together then; 0 takes each as it comes. `ca_file` names trusted certificates instead of the
    system's.
    """

    url: str
    api_key: str = field(default="", repr=False)
    timeouts: Timeouts = field(default_factory=Timeouts)
    max_connections: int = 4096
    most_event: int = 4 << 20
    most_body: int = 32 << 20
    retries: int = 2
    longest_pause: float = 10.0
    continuous_usage: bool = True
    gather: float = 0.03
    ca_file: str = ""


def _nobody(_: str) -> None:
    """Counts nothing."""


class VLLM:
    """One model server. `on_unknown` is told the name of every field of a reply that was left behind."""

    name = "vllm"

    def __init__(self, settings: UpstreamSettings, on_unknown: OnUnknown = _nobody) -> None:
        base = httpx.URL(settings.url.rstrip("/"))
        if base.scheme not in ("http", "https") or not base.host:
            raise ValueError(f"upstream url {settings.url!r}: write it like http://127.0.0.1:8000/v1")
        self._settings = settings
        self._chat = base.copy_with(path=base.path.rstrip("/") + "/chat/completions")
        self._complete = base.copy_with(path=base.path.rstrip("/") + "/completions")
        self.completes = True
        self._models = base.copy_with(path=base.path.rstrip("/") + "/models")
        self._tokenize = base.copy_with(path=base.path.removesuffix("/v1") + "/tokenize")  # at the server's root
        self._health = base.copy_with(path=base.path.removesuffix("/v1") + "/health")
        self._unknown = UnknownFields(on_unknown)
        self._headers = [("accept", "text/event-stream"), ("accept-encoding", "identity"), ("content-type", "application/json")]
        if settings.api_key:
            self._headers.append(("authorization", f"Bearer {settings.api_key}"))
        secure = base.scheme == "https"
        self._connections = Connections(settings.timeouts, settings.max_connections, settings.ca_file, secure)
        self._continuous = settings.continuous_usage
        self._tokenizes = True
        self._pulse = Pulse(settings.gather)

    def chat(self, request: UpstreamRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        """Streams the reply, see `Upstream.chat`."""
        return self._stream(self._chat, request)

    async def complete(self, request: UpstreamRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        """Streams what the model writes behind the raw `prompt` of the body, as content, see `Upstream.chat`.

        A server without the route is not asked again (`completes`).
        """
        try:
            async with aclosing(self._stream(self._complete, request)) as stream:
                async for batch in stream:
                    yield batch
        except UpstreamError as error:
            if error.kind == "rejected" and error.status in (404, 405, 501):
                self.completes = False
            raise

    def _stream(self, url: httpx.URL, request: UpstreamRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        port = url.port or (443 if url.scheme == "https" else 80)
        return leg(partial(self._reply, url), request, self.name, url.host, port)

    async def _reply(self, url: httpx.URL, request: UpstreamRequest) -> AsyncGenerator[Sequence[Chunk], None]:
        watch = Watch(self._settings.timeouts)
        reply = Reply(request.body.get("n") or 1, self._settings.most_event, self._unknown)
        answer = await self._open(url, request, watch)
        try:
            if "json" in answer.content_type:  # some servers ignore `stream`
                yield reply.whole(await watch.within(answer.body(self._settings.most_body)))
                return
            _check_stream(answer)
            watch.guard(answer.abort)
            pace = Pace(self._settings.gather)
            while not reply.done:
                batch = reply.feed(await _read(answer, watch, reply))
                if batch:
                    yield batch
                if reply.fault is not None:
                    raise reply.fault
                if not reply.done and pace.rests(batch, time.monotonic()):
                    answer.rest(self._pulse)
            watch.stop()
            await self._rest(answer)
        finally:
            watch.stop()
            answer.release()

    async def _open(self, url: httpx.URL, request: UpstreamRequest, watch: Watch) -> Answer:
        """The first 200, after as many tries as there may be."""
        tries = 0
        while True:
            try:
                return await self._once(url, request, watch)
            except UpstreamError as error:
                pause = self._pause(error, tries)
                if pause is None or pause >= watch.left():
                    raise
                request.span.event("retry", {"error.type": error.kind, "sluicegate.pause_seconds": pause})
            tries += 1
            await asyncio.sleep(pause)

    def _pause(self, error: UpstreamError, tries: int) -> float | None:
        """Seconds until the next try; None if there is none."""
        again = error.kind in ("connect", "timeout_connect") or (error.kind == "unavailable" and error.status in (429, 503))
        if not again or tries >= self._settings.retries:
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= self._settings.longest_pause else None
        backoff: float = min(self._settings.longest_pause, 0.1 * 4.0**tries)
        return backoff * random.uniform(0.5, 1.0)  # noqa: S311  (nothing secret: it keeps clients from coming back together)

    async def _once(self, url: httpx.URL, request: UpstreamRequest, watch: Watch) -> Answer:
        continuous = self._continuous
        answer = await self._post(url, request, continuous, watch)
        if answer.status == 200:
            return answer
        error, body = await _refusal(answer, watch)
        if not (continuous and answer.status in (400, 422) and b"continuous_usage_stats" in body):
            raise error
        answer = await self._post(url, request, False, watch)
        if answer.status != 200:
            raise (await _refusal(answer, watch))[0]
        self._continuous = False  # it was that, and not a prompt that quotes the name
        return answer

    async def _post(self, url: httpx.URL, request: UpstreamRequest, continuous: bool, watch: Watch) -> Answer:
        options = {"include_usage": True, "continuous_usage_stats": True} if continuous else {"include_usage": True}
        content = orjson.dumps({**request.body, "stream": True, "stream_options": options})
        headers = [*self._headers, ("x-request-id", request.id), *request.span.headers]
        return await watch.within(self._connections.send("POST", url, headers, content))

    async def _rest(self, answer: Answer) -> None:
        """Reads the end of the response behind `[DONE]`, so that the connection can be used again. Some servers keep it open."""
        try:
            async with asyncio.timeout(self._settings.timeouts.close):
                await answer.read()
        except (TimeoutError, UpstreamError):
            return

    async def models(self) -> Sequence[Mapping[str, Any]]:
        """The server's models: `id`, and `created` and `max_model_len` where it says so. Raises `UpstreamError`."""
        listed = await self._ask("GET", self._models, None)
        entries = listed.get("data") if isinstance(listed, dict) else None
        if not isinstance(entries, list):
            raise protocol_error("the model list has no data")
        return [_model(entry) for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str)]

    async def count(self, text: str) -> int | None:
        """Tokens in `text` by the server's `/tokenize`; None where it has none or fails."""
        if not self._tokenizes:
            return None
        try:
            answer = await self._ask("POST", self._tokenize, orjson.dumps({"prompt": text, "add_special_tokens": False}))
        except UpstreamError as error:
            self._tokenizes = error.kind not in ("rejected", "protocol")
            return None
        number = answer.get("count") if isinstance(answer, dict) else None
        return number if type(number) is int and number >= 0 else None

    async def alive(self) -> None:
        """Asks `/health` at the server's root (vLLM and SGLang have it). Raises `UpstreamError`; `protocol` where it has none."""
        await self._fetch("GET", self._health, None)

    async def _ask(self, method: str, url: httpx.URL, content: bytes | None) -> object:
        """A small JSON question."""
        try:
            return orjson.loads(await self._fetch(method, url, content))
        except orjson.JSONDecodeError:
            raise protocol_error("an answer is not JSON") from None

    async def _fetch(self, method: str, url: httpx.URL, content: bytes | None) -> bytes:
        """The body of a small answer, within twice the time for a connection."""
        limit = 2 * self._settings.timeouts.connect
        watch = Watch(Timeouts(first_byte=limit, total=limit))
        answer = await watch.within(self._connections.send(method, url, self._headers, content))
        if answer.status != 200:
            raise (await _refusal(answer, watch))[0]
        try:
            return await watch.within(answer.body(LIST_BODY))
        finally:
            answer.release()

    async def aclose(self) -> None:
        """Closes pooled connections."""
        await self._connections.aclose()


async def _read(answer: Answer, watch: Watch, reply: Reply) -> bytes:
    """The next bytes. Where there are none the reply either has ended well, or this raises."""
    watch.wait()
    try:
        data = await answer.read()
    except UpstreamError:
        if watch.fault is not None:
            raise watch.fault from None
        raise
    watch.came()
    if not data:
        reply.finish()
    return data


async def _refusal(answer: Answer, watch: Watch) -> tuple[UpstreamError, bytes]:
    try:
        body = await watch.within(answer.head(ERROR_BODY))
    finally:
        answer.release()
    return faults.refused(answer.status, answer.response.headers, body), body


def _check_stream(answer: Answer) -> None:
    if answer.header("content-encoding") not in ("", "identity"):
        raise protocol_error("the reply is compressed although that was not asked for")
    if answer.content_type == "text/html":
        raise protocol_error("the reply is a web page")


def _model(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    numbers = {key: entry[key] for key in ("created", "max_model_len") if type(entry.get(key)) is int}
    return {"id": entry["id"], **numbers}
