"""openai-node, by way of the program `node/client.mjs`, one run of it per use."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.clients.uses import QUESTION, Client, Heard, Server, Use

NODE = Path(__file__).parents[1] / "node"
USES = (
    "plain",
    "stream",
    "stream_usage",
    "stream_helper",
    "parse",
    "stream_parse",
    "parts",
    "history",
    "developer",
    "tools",
    "run_tools",
    "two_choices",
    "sampling",
)


def run(server: Server, use: str, question: str = QUESTION) -> dict[str, Any]:
    """One run of the program; gives what it printed. Raises `CalledProcessError`, its `stderr` says why."""
    command = ["node", "client.mjs", server.url, server.key, server.model, use, question]
    done = subprocess.run(command, cwd=NODE, capture_output=True, text=True, check=True, timeout=60)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def node_version() -> str:
    """The installed version of openai-node. Raises `FileNotFoundError` where `npm ci` was not run."""
    told: dict[str, str] = json.loads((NODE / "node_modules" / "openai" / "package.json").read_text("utf-8"))
    return told["version"]


def _heard(server: Server, use: str, question: str = QUESTION) -> Heard:
    told = run(server, use, question)
    calls = [(name, arguments) for name, arguments in told.pop("calls")]
    return Heard(calls=calls, **told)


def _use(name: str) -> Use:
    return lambda server: _heard(server, name)


OPENAI_NODE = Client(
    "openai-node", (), {name: _use(name) for name in USES}, lambda server, question: _heard(server, "plain", question)
)
