"""What keys, limits, the ledger and more than one worker cost: `python -m bench.production`. All in one sitting, in turn.

Needs `redis-server`, and the load tools (see `bench.run`). The rows: the bench policy alone; with a key from the database, limits
of every kind counted in Redis, and an anchored ledger; with two workers, under the same load and under twice that; with the
language lock of the default policy. Many streams on one worker are `bench.delay`'s.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.run import CASES, HERE, TOOLS, Running, free_port, load, running

LIMITS = ("requests_per_minute", "tokens_per_minute", "tokens_per_day", "streams")
LOCK = """
name: locked
extends: {policy}
rules:
  language: {{use: language, on: [answer], do: repair, else: flag, on_error: flag}}
"""


def sluicegate() -> str:
    """The program."""
    return str(Path(sys.executable).with_name("sluicegate"))


class Sitting:
    """The servers that are compared, and what has been measured."""

    def __init__(self, stack: ExitStack, folder: Path, upstream: int) -> None:
        self._stack, self._folder, self._upstream = stack, folder, upstream
        self.keys: dict[str, str] = {}
        self.servers: dict[str, Running] = {}

    def serve(self, name: str, *flags: str, policy: Path = HERE / "policy.yaml", env: dict[str, str] | None = None) -> None:
        """One more server."""
        port = free_port()
        command = [sluicegate(), "serve", "--policy", str(policy), "--upstream", f"http://127.0.0.1:{self._upstream}/v1"]
        own = {
            "SLUICEGATE_AUDIT": str(self._folder / f"{len(self.servers)}.jsonl"),
            "SLUICEGATE_LOG_LEVEL": "error",
            **(env or {}),
        }
        self.servers[name] = self._stack.enter_context(
            running(name, [*command, "--port", str(port), *flags], port, "/health/ready", own)
        )

    def measure(self, tools: Path, name: str, arguments: Sequence[str]) -> dict[str, Any]:
        """One load on one server."""
        key = ("--key", self.keys[name]) if name in self.keys else ()
        return load(tools, self.servers[name], (*arguments, *key))


def with_everything(sitting: Sitting, stack: ExitStack, folder: Path) -> None:
    """A server with a key, limits in Redis, and an anchored ledger."""
    redis = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(redis), "--save", "", "--dir", str(folder)],  # from the path, as everybody has it
        stdout=subprocess.DEVNULL,
    )
    stack.callback(server.wait)
    stack.callback(server.terminate)
    env = {
        "SLUICEGATE_DATABASE": f"sqlite+aiosqlite:///{folder}/keys.db",
        "SLUICEGATE_REDIS_URL": f"redis://127.0.0.1:{redis}/0",
        "SLUICEGATE_AUDIT_HEADS": str(folder / "heads"),
    }
    limits = [word for name in LIMITS for word in ("--limit", f"{name}=100000000")]
    made = subprocess.run(
        [sluicegate(), "keys", "create", "--name", "bench", *limits],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"sk-sg-\S+", made)
    assert found is not None, made
    sitting.serve("everything", env=env)
    sitting.keys["everything"] = found.group()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--tools", type=Path, default=TOOLS, help="the folder with the load tools")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        port = free_port()
        stack.enter_context(running("upstream", [sys.executable, str(options.tools / "upstream.py"), str(port)], port, "/health"))
        sitting = Sitting(stack, folder, port)
        sitting.serve("the policy alone")
        with_everything(sitting, stack, folder)
        sitting.serve("two workers", "--workers", "2")
        locked = folder / "locked.yaml"
        locked.write_text(LOCK.format(policy=HERE / "policy.yaml"))
        sitting.serve("with the language lock", policy=locked)
        for name in sitting.servers:  # the first requests pay for what is imported late
            sitting.measure(options.tools, name, ("--c", "16", "--n", "200"))
        rows = [(name, name, "16") for name in sitting.servers]
        rows.append(("two workers, twice the load", "two workers", "32"))  # each worker has what the one has
        for case in CASES:
            told: dict[str, list[float]] = {}
            for _ in range(options.rounds):
                for row, name, streams in rows:
                    figures = sitting.measure(options.tools, name, ("--c", streams, *case.arguments))
                    assert not figures["errors"], figures
                    told.setdefault(row, []).append(figures["cpu_ms_per_request"])
            for name, each in told.items():
                print(f"{case.name:36} {name:28}", *(f"{one:.2f}" for one in each), flush=True)


if __name__ == "__main__":
    main()
