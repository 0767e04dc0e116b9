"""Records the request bodies that real clients send, into `bodies/`: `python -m tests.clients.capture [name ...]`.

Wants the clients of `requirements/clients.txt`, and for openai-node `npm ci` in `tests/clients/node`. The prompts are our own;
ids and times come from the model server of `model.py`, so that two recordings are alike.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.clients.model import model_server
from tests.clients.uses import Client, Heard, Server, Use
from tests.clients.uses.langchain import LANGCHAIN, LANGCHAIN_DEEPSEEK
from tests.clients.uses.litellm_sdk import LITELLM
from tests.clients.uses.llama_index import LLAMA_INDEX
from tests.clients.uses.openai_sdk import OPENAI
from tests.clients.uses.pydantic_ai import PYDANTIC_AI

HERE = Path(__file__).parent
BODIES = HERE / "bodies"
NODE = HERE / "node"
PYTHON_CLIENTS = (LANGCHAIN, LANGCHAIN_DEEPSEEK, LITELLM, LLAMA_INDEX, OPENAI, PYDANTIC_AI)
NODE_USES = (
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


def node(server: Server, use: str) -> dict[str, Any]:
    """Runs one use of the openai-node client; gives what it printed. Raises `CalledProcessError`."""
    command = ["node", "client.mjs", server.url, server.key, server.model, use]
    done = subprocess.run(command, cwd=NODE, capture_output=True, text=True, check=True, timeout=60)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _node_use(use: str) -> Use:
    def run(server: Server) -> Heard:
        told = node(server, use)
        calls = [(name, arguments) for name, arguments in told.pop("calls")]
        return Heard(calls=calls, **told)

    return run


OPENAI_NODE = Client("openai-node", (), {use: _node_use(use) for use in NODE_USES})


def node_version() -> str:
    """The installed version of openai-node."""
    told: dict[str, str] = json.loads((NODE / "node_modules" / "openai" / "package.json").read_text())
    return told["version"]


def record(client: Client) -> list[dict[str, Any]]:
    """Every body of every use: `{"use", "step", "body"}`, a use with several requests has several steps."""
    rows = []
    for name, use in client.uses.items():
        with model_server() as server:
            use(Server(server.url))
            rows += [{"use": name, "step": step, "body": body} for step, body in enumerate(server.heard, 1)]
    return rows


def described(client: Client) -> Mapping[str, Any]:
    """The head of a client's file: what it is, and the versions which made its bodies."""
    if client is OPENAI_NODE:
        return {"client": client.distribution, "version": node_version(), "beside": {}, "how": "captured"}
    beside = {name: version(name) for name in client.beside}
    return {"client": client.distribution, "version": version(client.distribution), "beside": beside, "how": "captured"}


def main(names: list[str]) -> None:
    """Records the named clients, or all."""
    for client in (*PYTHON_CLIENTS, OPENAI_NODE):
        if names and client.distribution not in names:
            continue
        recording = {**described(client), "bodies": record(client)}
        path = BODIES / f"{client.distribution}.json"
        path.write_text(json.dumps(recording, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{path.name}: {len(recording['bodies'])} bodies")


if __name__ == "__main__":
    main(sys.argv[1:])
