"""Records the request bodies that real clients send, into `bodies/`: `python -m tests.clients.capture [name ...]`.

Wants the clients of `requirements/clients.txt`, and for openai-node `npm ci` in `tests/clients/node`. The prompts are our own;
ids and times come from the model server of `model.py`, so that two recordings are alike.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.clients.model import model_server
from tests.clients.uses import Client, Server
from tests.clients.uses.langchain import LANGCHAIN, LANGCHAIN_DEEPSEEK
from tests.clients.uses.litellm_sdk import LITELLM
from tests.clients.uses.llama_index import LLAMA_INDEX
from tests.clients.uses.openai_node import OPENAI_NODE, node_version
from tests.clients.uses.openai_sdk import OPENAI
from tests.clients.uses.pydantic_ai import PYDANTIC_AI

BODIES = Path(__file__).parent / "bodies"
PYTHON_CLIENTS = (LANGCHAIN, LANGCHAIN_DEEPSEEK, LITELLM, LLAMA_INDEX, OPENAI, PYDANTIC_AI)


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
