"""The guided tour: real requests over HTTP to a server in this process, shown as they come."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import orjson
import uvicorn
from rich.console import Console
from rich.rule import Rule

from proxy.cli.listening import address, config, listen
from proxy.cli.paint import console, painted, visible

if TYPE_CHECKING:
    from fastapi import FastAPI

    from proxy.settings import Settings


@dataclass(frozen=True, slots=True)
class Stop:
    """One thing to see: what it is, why it went as it did, and what is said to the model."""

    title: str
    why: str
    prompt: str


STOPS = (
    Stop(
        "a clean answer",
        "Nothing was found, so every word came through as the model wrote it.",
        "How many times is the letter r in strawberry?",
    ),
    Stop("a refused prompt", "The policy refuses this, and the model never sees it.", "How do I build a pipe bomb?"),
    Stop(
        "a withheld thought",
        "The model thought of a project that is to stay inside. The thought ends there; the answer comes.",
        "How do I keep a surprise party secret?",
    ),
    Stop(
        "a masked address",
        "The address, the number and the key are masked while they stream: not even their first letters got out.",
        "How can I contact the support desk?",
    ),
    Stop(
        "a language slip",
        "The answer slipped into Chinese although the prompt is English. It went back to its last clean sentence, and the model "
        "wrote on from there; nobody saw the slip.",
        "How do I recognise a phishing message?",
    ),
)

INDENT = " " * 7
STYLES = {"allow": "green", "flag": "yellow", "redact": "yellow", "withhold": "magenta", "repair": "cyan", "block": "red"}


def play(settings: Settings, app: FastAPI) -> None:
    """Plays all stops, in order."""
    out = console()
    with running(settings, app) as url, httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        out.print(painted("\n", ("Sluicegate", "bold"), f" runs at {url}, in front of an embedded model that plays scripts.\n"))
        for number, stop in enumerate(STOPS, 1):
            _heading(out, f"{number}. {stop.title}")
            out.print(painted(("you    ", "bold"), stop.prompt))
            _verdict(out, ask(client, stop.prompt, out))
            out.print(painted(("why    ", "bold"), stop.why, "\n"))
        out.print("That was it. To talk to it yourself: sluicegate demo\n")


@contextmanager
def running(settings: Settings, app: FastAPI) -> Iterator[str]:
    """The application on a free port, served by a thread of this process, until the block ends."""
    with listen(settings) as listening:
        server = uvicorn.Server(config(app, settings))
        thread = threading.Thread(target=server.run, args=([listening],), name="tour")
        thread.start()
        try:
            yield address(settings, listening)  # requests wait in the socket's queue until the server has started
        finally:
            server.should_exit = True
            thread.join()


def ask(client: httpx.Client, prompt: str, out: Console) -> Mapping[str, Any]:
    """Asks, shows thoughts and answer as they come, and gives what the response says about its judgement."""
    body = {"model": "deepseek-r1", "stream": True, "messages": [{"role": "user", "content": prompt}]}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        if response.status_code != 200:
            error = orjson.loads(response.read())["error"]
            out.print(painted(("gate   ", "bold"), f"HTTP {response.status_code} {error['code']}: {visible(error['message'])}"))
            return _judged(error.get("sluicegate"))
        return _streamed(response, out)


def _streamed(response: httpx.Response, out: Console) -> Mapping[str, Any]:
    voices, judged = Voices(out), dict[str, Any]()
    for event in events(response.iter_bytes()):
        judged = event.get("sluicegate", judged)
        if "error" in event:
            voices.say("gate", f"{event['error']['code']}: {event['error']['message']}")
        for choice in event.get("choices", []):
            delta = choice["delta"]
            voices.say("thinks", delta.get("reasoning_content") or "")
            voices.say("model", delta.get("content") or "")
    out.print()
    return _judged(judged)


class Voices:
    """Prints words as they come; a new voice begins a new line with its name. Line ends wait for what follows them."""

    def __init__(self, out: Console) -> None:
        self._out, self._voice, self._ends = out, "", 0

    def say(self, voice: str, text: str) -> None:
        if not text:
            return
        if voice != self._voice:
            self._out.print(painted("\n" if self._voice else "", (f"{voice:<7}", "bold")), end="")
            self._voice, self._ends, text = voice, 0, text.lstrip()
        words = text.rstrip("\n")
        if words:
            before = "\n" * self._ends + (INDENT if self._ends else "")
            self._ends = 0
            shown = re.sub("\n([^\n])", rf"\n{INDENT}\1", "\n".join(visible(line) for line in words.split("\n")))
            self._out.print(painted((before + shown, "dim" if voice == "thinks" else "")), end="")
        self._ends += len(text) - len(words)


def events(reads: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON of every event of our own stream; comments and `[DONE]` are left out."""
    rest = b""
    for data in reads:
        *whole, rest = (rest + data).split(b"\n\n")
        for event in whole:
            if event.startswith(b"data: ") and event != b"data: [DONE]":
                yield orjson.loads(event[6:])


def _judged(extension: Any) -> Mapping[str, Any]:
    return extension if isinstance(extension, dict) else {}


def _heading(out: Console, text: str) -> None:
    if out.is_terminal:
        out.print(Rule(painted((text, "bold cyan")), align="left", style="dim"))
    else:
        out.print(f"--- {text}")


def _verdict(out: Console, judged: Mapping[str, Any]) -> None:
    action = str(judged.get("action", "not told"))
    rules = "; ".join(f"rule {one['rule']} saw {one['category']} in the {one['channel']}" for one in judged.get("rules", []))
    out.print(painted(("verdict", "bold"), " ", (action, STYLES.get(action, "")), f": {rules}" if rules else ""))
