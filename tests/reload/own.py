"""A running proxy that follows its policies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from classifiers.registry import Registry
from policies.bind import Builder
from proxy.app import create
from proxy.cli.serve import policy_of
from proxy.records.audit import Audit, MemorySink
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics
from proxy.upstream.protocol import Upstream
from proxy.upstream.vllm import VLLM, UpstreamSettings
from tests.stack import Stack, serving

LOOKS = 0.05
"""Seconds between two looks at the policies, in tests."""


def policy(word: str = "kumquat", mask: str = "<one>", *, more: str = "", tests: str = "") -> str:
    """A policy that masks a word in answers and refuses it in prompts."""
    return f"""name: moving
disclose: {{line: off}}
rules:
  asked: {{use: patterns, on: [prompt], words: [{word}], do: block}}
  said: {{use: patterns, on: [answer], words: [apple], do: redact, mask: "{mask}"}}
{more}{tests}"""


@contextmanager
def followed(upstream: Upstream | str, builder: Builder | None = None, **settings: Any) -> Iterator[Stack]:
    """As `serve` wires it, with one model server."""
    usual: dict[str, Any] = {"audit": "off", "database": "", "policy_reload_seconds": LOOKS}
    chosen = Settings(**{**usual, **settings})
    model = VLLM(UpstreamSettings(upstream, retries=0)) if isinstance(upstream, str) else upstream
    builder, metrics, sink = builder or Builder(Registry()), Metrics(), MemorySink()
    app = create(chosen, policy_of(chosen, builder), model, builder=builder, audit=Audit(sink), metrics=metrics, follows=True)
    with serving(app, sink, metrics) as proxy:
        yield proxy


def digest(proxy: Stack) -> str:
    """Of the policy in force."""
    return str(proxy.client.get(f"{proxy.root}/health/ready").json()["digest"])


def until(happens: Callable[[], bool], seconds: float = 20.0) -> None:
    """Waits for it."""
    ends = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


def reloads(proxy: Stack, outcome: str) -> float:
    """How often a look ended so."""
    begin = f'sluicegate_policy_reload_total{{outcome="{outcome}"}} '
    lines = proxy.client.get(f"{proxy.root}/metrics").text.splitlines()
    return next((float(line.removeprefix(begin)) for line in lines if line.startswith(begin)), 0.0)


def replaced(file: Path, text: str) -> None:
    """Writes a file as editors do: beside it, then in its place."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, "utf-8")
    new.replace(file)
