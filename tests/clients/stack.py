"""The real stack for client tests: uvicorn on loopback, the proxy, its HTTP upstream, and the model server of `model.py`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from classifiers.registry import Registry
from policies.load import load
from policies.policy import Policy
from proxy.app import create
from proxy.records.audit import Audit, sink
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics
from proxy.upstream.vllm import VLLM, UpstreamSettings

POLICY = """
name: clients
reasoning: show
rules:
  control_tokens: {use: control_tokens, on: [prompt, context], do: redact}
  secrets: {use: secrets, on: [prompt, context, reasoning, answer, tool], do: redact}
  substances: {use: patterns, category: substances, expressions: ['pentaborane'], on: [prompt, reasoning, answer], do: block}
"""
"""Thoughts are shown, so that a test sees how each client reads them; one word is refused and cut."""


def policy(folder: Path) -> Policy:
    """The policy above, loaded from a file in `folder`."""
    path = folder / "clients.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return load(path, Registry())


@contextmanager
def stack(rules: Policy | str, model_url: str, audit: Path, **settings: Any) -> Iterator[str]:
    """The base URL of a running proxy; `rules` is a policy or the name of one of the library. `audit` is a file it may write."""
    chosen = Settings(audit=str(audit), upstream=model_url, **settings)
    held = load(rules, Registry()) if isinstance(rules, str) else rules
    upstream = VLLM(UpstreamSettings(chosen.upstream, retries=chosen.upstream_retries))
    app = create(chosen, held, upstream, audit=Audit(sink(chosen.audit)), metrics=Metrics())
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=2))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"  # connections wait in the socket until it serves
    finally:
        server.should_exit = True
        thread.join()
