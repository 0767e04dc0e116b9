"""The command line as a process of its own, as a user starts it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

COMMAND = (str(Path(sys.executable).with_name("sluicegate")),)


def environ(**more: str) -> Mapping[str, str]:
    """The environment without what changes how terminals are written to."""
    dull = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "TERM")}
    return {**dull, "NO_PROXY": "*", **more}


def run(*arguments: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs to the end."""
    command = [*COMMAND, *arguments]
    return subprocess.run(command, cwd=cwd, env=environ(**more), capture_output=True, text=True, timeout=60, check=False)


class Running:
    """A server process; `where` is the address of its start line."""

    def __init__(self, process: subprocess.Popen[str], line: str) -> None:
        self.process, self.line = process, line
        found = re.search(r"http://\S+:\d+", line)
        self.where = found[0] if found else ""

    def stop(self) -> int:
        """Asks it to stop, as a service manager does, and gives its exit code."""
        self.process.terminate()
        return self.process.wait(30)


@contextmanager
def started(*arguments: str, cwd: Path, says: str = "stdout", **more: str) -> Iterator[Running]:
    """Starts a server and waits for the line in which it says where it listens."""
    command = [*COMMAND, *arguments]
    with (
        open(cwd / "log", "w", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=environ(**more),
            stdout=subprocess.PIPE if says == "stdout" else log,
            stderr=subprocess.PIPE if says == "stderr" else log,
            text=True,
        ) as process,
    ):
        try:
            stream = process.stdout if says == "stdout" else process.stderr
            assert stream is not None
            line = next((line for line in stream if "http://" in line), "")
            assert line, (cwd / "log").read_text("utf-8")
            yield Running(process, line)
        finally:
            process.kill()
