"""A model server whose failures say everything they should not: in status lines, headers, error bodies and events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STATUSES = (400, 401, 403, 404, 413, 422, 429, 500, 502, 503)
WAYS = (
    *(f"status{code}" for code in STATUSES),
    "redirect",
    "html",
    "garbage",
    "event",
    "nonsense",
    "shape",
    "cut",
    "whole",
    "names",
)
"""What a prompt says for each of them; `whole` answers a question for a stream with one JSON body that is none."""


@contextmanager
def leaky_model(leaks: str) -> Iterator[str]:
    """Its address. `leaks` is what it says wherever it can; one line of ASCII."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            text = str(asked["messages"][-1]["content"])
            way = next(one for one in WAYS if one in text)
            self.close_connection = True
            if way.startswith("status"):
                self._fail(int(way.removeprefix("status")))
            elif way == "redirect":
                self._fail(302)
            elif way == "garbage":
                self.wfile.write(f"{leaks}\r\n{leaks}\r\n\r\n".encode())
            elif way == "html":
                self._say(502, f"<h1>{leaks}</h1>", "text/html", leaks)
            elif way == "whole":
                self._say(200, leaks, "application/json")
            else:
                self._stream(way)

        def _fail(self, status: int) -> None:
            error = {"message": leaks, "type": leaks, "code": leaks, "param": leaks, leaks: leaks}
            self._say(status, json.dumps({"error": error, "detail": leaks}), "application/json", leaks)

        def _say(self, status: int, body: str, kind: str, reason: str = "OK") -> None:
            self.send_response(status, reason)
            self._leak()
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def _leak(self) -> None:
            for name in ("x-request-id", "x-debug", "retry-after", "www-authenticate", "set-cookie", "location"):
                self.send_header(name, leaks)

        def _stream(self, way: str) -> None:
            self.send_response(200, leaks)
            self._leak()
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            self._event({"delta": {"content": f"{leaks} "}})
            if way == "event":
                self.wfile.write(f"data: {json.dumps({'error': {'message': leaks, 'type': leaks, 'code': leaks}})}\n\n".encode())
            elif way == "nonsense":
                self.wfile.write(f"data: {{{leaks}\n\n".encode())
            elif way == "shape":
                self._event({"delta": {"content": {leaks: [leaks]}}, "finish_reason": leaks})
            elif way == "names":
                self._event({"delta": {"tool_calls": [{"index": leaks, "function": {"name": leaks, "arguments": leaks}}]}})
            # cut: nothing more comes, not even [DONE]

        def _event(self, choice: dict[str, Any]) -> None:
            chunk = {"id": leaks, "object": leaks, "model": leaks, "choices": [{"index": 0, **choice}]}
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="leaky-model", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join(10)
