"""`make audit`: what it makes of pip-audit's answers. A module that answers like it stands; the real one asks PyPI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[1] / "requirements/audit.py"
SOUND: dict[str, Any] = {"name": "alpha", "version": "1.0", "vulns": []}
WEAK: dict[str, Any] = {
    "name": "beta",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2.1", "3.0"], "aliases": [], "description": "bad"}],
}
LEFT: dict[str, Any] = {"name": "gamma", "version": "1", "skip_reason": "Dependency not found on PyPI"}


def audit(folder: Path, answer: str, *flags: str) -> subprocess.CompletedProcess[str]:
    (folder / "pip_audit").mkdir()
    (folder / "pip_audit/__init__.py").touch()
    (folder / "pip_audit/__main__.py").write_text(f"print({answer!r})")
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, str(SCRIPT), *flags], env=env, capture_output=True, text=True, check=False)


def told(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize("flags", [(), ("--unreachable", "warn")])
def test_a_known_vulnerability_fails_always(tmp_path: Path, flags: tuple[str, ...]) -> None:
    done = audit(tmp_path, told(SOUND, WEAK, LEFT), *flags)
    assert done.returncode == 1
    assert done.stdout == "beta 2.0: PYSEC-2026-1, mended by 2.1, 3.0\n"
    assert "nothing of 1 packages" in done.stderr


def test_none_is_known(tmp_path: Path) -> None:
    done = audit(tmp_path, told(SOUND))
    assert (done.returncode, done.stdout, done.stderr) == (0, "audit: 1 packages, no known vulnerabilities\n", "")


@pytest.mark.parametrize("answer", [told(LEFT), told(SOUND, LEFT), "nonsense", ""])
@pytest.mark.parametrize(("flags", "code"), [((), 3), (("--unreachable", "warn"), 0)])
def test_without_an_answer_nobody_says_that_all_is_well(tmp_path: Path, answer: str, flags: tuple[str, ...], code: int) -> None:
    done = audit(tmp_path, answer, *flags)
    assert done.returncode == code
    assert "is not known" in done.stderr
    assert "no known" not in done.stdout
