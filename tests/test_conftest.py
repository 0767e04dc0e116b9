"""What `conftest.py` promises: a skip is said aloud, and is a failure where CI is set."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")
TESTS = """
import os
import pytest

def test_runs(): assert "SLUICEGATE_PORT" not in os.environ and "HTTP_PROXY" not in os.environ

def test_skips(): pytest.skip("needs a moon: make moon")

@pytest.mark.clients
def test_is_asked_for_by_name(): pass
"""


def session(folder: Path, *arguments: str, ci: str) -> subprocess.CompletedProcess[str]:
    (folder / "conftest.py").write_text(CONFTEST.read_text("utf-8"), "utf-8")
    (folder / "test_some.py").write_text(TESTS, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    clients: by name\n", "utf-8")
    environ = {**os.environ, "CI": ci, "SLUICEGATE_PORT": "1", "HTTP_PROXY": "http://127.0.0.1:9"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_a_skip_is_told_and_fails_in_ci(tmp_path: Path, ci: str, code: int) -> None:
    done = session(tmp_path, ci=ci)
    assert done.returncode == code, done.stdout
    assert "1  skipped: needs a moon: make moon (test_some.py::test_skips)" in done.stdout
    assert "1  clients: third-party clients, in an environment of their own: make clients" in done.stdout
    assert ("a skipped test is a failure" in done.stdout) == bool(ci)
    assert "1 passed, 1 skipped, 1 deselected" in done.stdout.splitlines()[-1]


def test_by_name_they_run(tmp_path: Path) -> None:
    done = session(tmp_path, "-m", "clients", ci="true")
    assert done.returncode == 0, done.stdout
    assert "1 passed, 2 deselected" in done.stdout
    assert "not run here" not in done.stdout
