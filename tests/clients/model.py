"""A model server for client tests: it answers every use in R1's manner and keeps the bodies it was sent.

It speaks like vLLM with the R1 parser (thoughts in `reasoning`). What it says follows from the request alone: tools offered and
no result yet, a call; an object asked for, that object; else a sentence. So it is known what each client must hear.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

THOUGHT = "The person asks a plain question, so a short answer is enough."
ANSWER = "Hold the blade at twenty degrees and draw it over the stone ten times on each side."
RECIPE = {"name": "Omelette", "minutes": 10}
CITY = "Lyon"
WEATHER = "18 degrees, light rain"
FORECAST = "It rains a little in Lyon, at 18 degrees."
TITLE = {"title": "Sharpening a kitchen knife"}
TAGS = {"tags": ["cooking", "tools"]}
FOLLOW_UPS = {"follow_ups": ["Which stone should I buy?", "How often should I do it?", "Does this work for scissors?"]}
CHAPTER = "Chapter four. He took the flask down from the shelf. Then he poured the pentaborane into it and stood back."
TEXTS: Mapping[str, str] = {
    "chemistry book": json.dumps({"name": "A flask of pentaborane", "minutes": 10}),
    "a recipe": json.dumps(RECIPE),
    '"title"': json.dumps(TITLE),
    '"tags"': json.dumps(TAGS),
    '"follow_ups"': json.dumps(FOLLOW_UPS),
    "one emoji": "\N{HOCHO}",
    "chapter four": CHAPTER,
}
"""What is said where these words stand in the last message; else `ANSWER`."""

Body = Mapping[str, Any]


def text_of(message: Mapping[str, Any]) -> str:
    """All text of a message, its parts joined."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def tools_of(body: Body) -> list[Mapping[str, Any]]:
    """The functions a request offers, whichever way it spells them."""
    return [tool["function"] for tool in body.get("tools") or []] or list(body.get("functions") or [])


def arguments_for(function: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that fit one of our two schemas."""
    return {"city": CITY} if "city" in function.get("parameters", {}).get("properties", {}) else dict(RECIPE)


def said(body: Body) -> dict[str, Any]:
    """The message for a request: `content`, `tool_calls`, `function_call`."""
    last = body["messages"][-1]
    result_came = any(m["role"] in ("tool", "function") for m in body["messages"])
    offered = [tool for tool in tools_of(body) if not (result_came and tool["name"] == "weather")]
    if offered and body.get("tool_choice") != "none":
        call = {"name": offered[0]["name"], "arguments": json.dumps(arguments_for(offered[0]))}
        if body.get("functions"):
            return {"content": None, "function_call": call}
        return {"content": None, "tool_calls": [{"id": "call_weather_1", "type": "function", "function": call}]}
    if result_came:
        return {"content": FORECAST}
    asked = text_of(last)
    return {"content": next((text for sign, text in TEXTS.items() if sign in asked), ANSWER)}


def finish_of(message: Mapping[str, Any]) -> str:
    """The finish reason which goes with a message."""
    if message.get("tool_calls"):
        return "tool_calls"
    return "function_call" if message.get("function_call") else "stop"


USAGE = {"prompt_tokens": 9, "total_tokens": 41, "completion_tokens": 32, "prompt_tokens_details": None}


def whole(body: Body) -> dict[str, Any]:
    """A `chat.completion`."""
    message = {
        "role": "assistant",
        "refusal": None,
        "annotations": None,
        "audio": None,
        "function_call": None,
        "reasoning": THOUGHT,
    }
    message |= said(body)
    choices = [
        {"index": i, "message": message, "logprobs": None, "finish_reason": finish_of(message), "stop_reason": None}
        for i in range(body.get("n") or 1)
    ]
    return {**_head(body, "chat.completion"), "choices": choices, "usage": USAGE}


def events(body: Body) -> Iterator[dict[str, Any]]:
    """The `chat.completion.chunk` objects, thoughts first, choices interleaved."""
    message, choices = said(body), range(body.get("n") or 1)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning": word} for word in _words(THOUGHT)]
    deltas += [{"content": word} for word in _words(message["content"] or "")]
    deltas += list(_call_deltas(message))
    for delta in deltas:
        for i in choices:
            yield _chunk(body, i, delta, None)
    for i in choices:
        yield _chunk(body, i, {}, finish_of(message))
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**_head(body, "chat.completion.chunk"), "choices": [], "usage": USAGE}


def _call_deltas(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for index, call in enumerate(message.get("tool_calls") or []):
        named = {"name": call["function"]["name"], "arguments": ""}
        yield {"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": named}]}
        for word in _words(call["function"]["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": word}}]}
    if call := message.get("function_call"):
        yield {"function_call": call}


def _words(text: str) -> list[str]:
    return [word if i == 0 else f" {word}" for i, word in enumerate(text.split(" "))] if text else []


def _head(body: Body, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1739170216, "model": body["model"]}


def _chunk(body: Body, index: int, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {**_head(body, "chat.completion.chunk"), "choices": [choice]}


class Talk(BaseHTTPRequestHandler):
    """One connection to the model."""

    protocol_version = "HTTP/1.1"
    server: ModelServer

    def do_GET(self) -> None:
        model = {"id": "deepseek-r1", "object": "model", "created": 1739170216, "owned_by": "vllm", "max_model_len": 32768}
        self._send(json.dumps({"object": "list", "data": [model]}).encode(), "application/json")

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self.path.endswith("/chat/completions"):
            self.send_error(404)
            return
        self.server.heard.append(body)
        if self.server.status != 200:
            fault = {"message": "Not now.", "type": "ServerError", "param": None, "code": self.server.status}
            self._send(json.dumps({"error": fault}).encode(), "application/json")
        elif body.get("stream"):
            self._stream(body)
        else:
            self._send(json.dumps(whole(body)).encode(), "application/json")

    def _stream(self, body: Body) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        try:
            for event in events(body):
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
                if self.server.pace and self.server.closing.wait(self.server.pace):
                    return
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.server.left.set()

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(self.server.status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing: a test's output is its own."""


class ModelServer(ThreadingHTTPServer):
    """The server. `heard` holds the request bodies in the order they came; `left` says that a reader went in mid-stream.

    `pace` is the time between two events in seconds; with a `status` other than 200 every request fails with it.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Talk)
        self.heard: list[dict[str, Any]] = []
        self.status = 200
        self.pace = 0.0
        self.left = threading.Event()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        """The base URL a client is given."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """A running model server on a free port of this machine."""
    with ModelServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()
