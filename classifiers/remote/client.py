"""One server that judges, behind all that keeps it from harming us: turns, a deadline, a circuit breaker.

Made without a connection; those come with the first call in an event loop, and belong to that loop.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import time
from collections.abc import Mapping
from typing import Any, TypeVar

import aiohttp
import httpx
import orjson
from pydantic import TypeAdapter, ValidationError

from classifiers.asked_within import trace_headers
from classifiers.remote.breaker import Breaker, Clock
from classifiers.remote.line import Answer, FullError, Line, TooMuchError
from classifiers.remote.options import ServerOptions, ours

T = TypeVar("T")

OWN_FAULT = frozenset({400, 413, 414, 415, 422, 431})
"""Refusals of one request: somebody's text must not be able to open the breaker for all."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class NoAnswerError(Exception):
    """The server gave no verdict. `reason` is for `Unjudged`: never a word of the text, nor of the answer.

    `blame`: it counts against the server, and towards the breaker.
    """

    def __init__(self, reason: str, *, blame: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.blame = reason, blame


def clean(text: str) -> str:
    """The text without lone surrogates, which no JSON in UTF-8 can hold; as long as it was."""
    return _SURROGATE.sub("\ufffd", text)


def read(shape: TypeAdapter[T], body: bytes | str) -> T:
    """The body as what the protocol says it is; raises `NoAnswerError`, also where a number is none (NaN, text)."""
    try:
        return shape.validate_json(body)
    except ValidationError:
        raise NoAnswerError("malformed answer") from None


class Client:
    """Posts JSON to paths below one address."""

    def __init__(self, options: ServerOptions, clock: Clock = time.monotonic) -> None:
        self._options = options
        limits = options.breaker
        self._breaker = Breaker(limits.failures, limits.seconds, limits.pause, clock)
        self._headers = {"accept": "application/json", "accept-encoding": "identity", "content-type": "application/json"}
        if options.api_key_env:
            self._headers["authorization"] = f"Bearer {os.environ.get(options.api_key_env, '')}"
        secure = options.url.startswith("https:")
        ca_file = str(options.ca_file) if options.ca_file else None
        self._tls = ssl.create_default_context(cafile=ca_file) if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._traced = ours(options.url) if options.traceparent is None else options.traceparent
        self._lines: dict[asyncio.AbstractEventLoop, Line] = {}
        self._closed = False

    @property
    def open(self) -> bool:
        """Whether the breaker keeps calls back."""
        return self._breaker.open

    async def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> bytes:
        """The body of the answer with status 200. Raises `NoAnswerError`."""
        if self._closed:
            raise NoAnswerError("error: closed")
        entry = self._breaker.enter()
        if entry is None:
            raise NoAnswerError("breaker open")
        try:
            told = trace_headers() if self._traced else ()
            answer = await self._within(path, orjson.dumps(body), {**self._headers, **(headers or {}), **dict(told)})
        except NoAnswerError as error:
            (self._breaker.failed if error.blame else self._breaker.left)(entry)
            raise
        except BaseException:
            self._breaker.left(entry)
            raise
        if answer.status == 200 or answer.status in OWN_FAULT:
            self._breaker.well(entry)
        else:
            self._breaker.failed(entry)
        if answer.status != 200:
            raise NoAnswerError(f"http {answer.status}")
        return answer.body

    async def _within(self, path: str, content: bytes, headers: Mapping[str, str]) -> Answer:
        """One call in its turn and time."""
        line, asked = self._line(), False
        try:
            async with asyncio.timeout(self._options.deadline), line.turn():
                asked = True
                return await line.post(self._options.url + path, headers, content)
        except TimeoutError:
            raise NoAnswerError("timeout", blame=asked) from None
        except FullError:
            raise NoAnswerError("overload") from None
        except TooMuchError:
            raise NoAnswerError("malformed answer") from None
        except (httpx.HTTPError, aiohttp.ClientError, OSError):
            raise NoAnswerError("unreachable", blame=True) from None

    def _line(self) -> Line:
        loop = asyncio.get_running_loop()
        if loop not in self._lines:
            for ended in [each for each in self._lines if each.is_closed()]:
                self._lines.pop(ended).close()
            self._lines[loop] = Line(self._options.concurrency, self._options.waiting, self._tls)
        return self._lines[loop]

    async def aclose(self) -> None:
        """Closes the connections. Nothing is asked any more."""
        own = self._lines.pop(asyncio.get_running_loop(), None)
        self.close()
        if own is not None:
            await own.aclose()

    def close(self) -> None:
        """The same without waiting for it."""
        self._closed = True
        while self._lines:
            self._lines.popitem()[1].close()
