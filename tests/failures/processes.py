"""The programs that failure tests break: each a process in a session of its own, so that nothing outlives its test."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import httpx
import orjson
import psutil

from tests.cli.running import COMMAND, environ, run
from tests.system.watched import until

PATIENCE = 60.0
"""Seconds for a program to come up, or to end, on a busy machine."""

POLICY = """
name: failures
reasoning: show
limits: {tokens: 1000000}
rules:
  secrets: {use: secrets, on: [prompt, context, reasoning, answer, tool], do: redact}
  word: {use: patterns, on: [prompt, context, reasoning, answer, tool], words: [kumquat], do: block}
"""


class Program:
    """A running program. `where` is its address without a path: the one it was given, or that in its log."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, where: str = "") -> None:
        self.process, self.log = process, log
        assert where or until(lambda: bool(self._address()) or process.poll() is not None, PATIENCE), self.said()
        self.where = where or self._address()
        assert self.where, self.said()
        self.port = int(self.where.rpartition(":")[2])

    def said(self) -> str:
        """All that it has logged."""
        return self.log.read_text("utf-8", "replace")

    def _address(self) -> str:
        found = re.search(r"http://[^\s/]+:\d+", self.said())
        return found[0] if found else ""

    @property
    def eye(self) -> psutil.Process:
        """Its memory, files and limits."""
        return psutil.Process(self.process.pid)

    def workers(self) -> list[psutil.Process]:
        """The processes that answer, where there are several; oldest first."""
        every = [each for each in self.eye.children() if _works(each)]
        return sorted(every, key=lambda one: one.create_time())

    def ready(self) -> bool:
        """Whether it says so."""
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.where}/health/ready", timeout=5, trust_env=False).status_code == 200
        return False

    def metric(self, series: str) -> float:
        """The sum of all series that begin with this; 0 where there is none."""
        page = httpx.get(f"{self.where}/metrics", timeout=30, trust_env=False).text
        found = re.findall(rf"^sluicegate_{re.escape(series)}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE)
        return sum(map(float, found))

    def kill(self) -> None:
        """As `kill -9` does it, workers and all."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def tell_to_stop(self) -> None:
        """As a service manager does."""
        self.process.terminate()

    def stop(self) -> int:
        """The same, and its exit code."""
        self.tell_to_stop()
        return self.process.wait(PATIENCE)


def _works(process: psutil.Process) -> bool:
    """Whether it is a worker, and not one that was killed a moment ago."""
    with suppress(psutil.NoSuchProcess):
        return "spawn_main" in " ".join(process.cmdline())
    return False


@contextmanager
def program(folder: Path, name: str, *command: str, where: str = "", **more: str) -> Iterator[Program]:
    """Runs it while the block runs. Its log is `<name>.log`, written anew each time."""
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = _started(folder, out, command, environ(**more))
    try:
        yield Program(process, log, where)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)


def _started(folder: Path, out: IO[bytes], command: tuple[str, ...], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT, env=env, start_new_session=True)


@contextmanager
def serving(
    folder: Path, upstream: str, *more: str, name: str = "gate", policy: str = POLICY, port: int = 0, **env: str
) -> Iterator[Program]:
    """`sluicegate serve` in front of a model server, ready. Its audit log is `<name>.jsonl`."""
    (folder / f"{name}.yaml").write_text(policy, "utf-8")
    arguments = ["serve", "--policy", f"{name}.yaml", "--upstream", f"{upstream}/v1", "--port", str(port)]
    arguments += ["--audit", f"{name}.jsonl", *more]
    with program(folder, name, *COMMAND, *arguments, **env) as running:
        assert until(running.ready, PATIENCE), running.said()
        yield running
        assert "Traceback" not in running.said(), running.said()


@contextmanager
def rehearsing(folder: Path, script: str, *, port: int = 0, name: str = "model") -> Iterator[Program]:
    """`sluicegate rehearse`: a model server that plays a script, YAML text."""
    (folder / f"{name}.script.yaml").write_text(script, "utf-8")
    arguments = ("rehearse", "--script", f"{name}.script.yaml", "--port", str(port))
    with program(folder, name, *COMMAND, *arguments) as running:
        yield running


def records(path: Path) -> list[dict[str, object]]:
    """The lines of an audit log; a torn one, as a full disk leaves it, is left out."""
    every = []
    for line in path.read_bytes().splitlines():
        with suppress(orjson.JSONDecodeError):
            every.append(orjson.loads(line))
    return every


def proven(*files: Path) -> str:
    """What `sluicegate audit verify` says of the files of a ledger. Asserts that it finds nothing wrong."""
    done = run("audit", "verify", *map(str, files), cwd=files[0].parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def room_for(connections: int) -> None:
    """Lets this process and those it starts hold that many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * connections + 1000
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
