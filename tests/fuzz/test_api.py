"""Schemathesis against our own OpenAPI document, over a server that runs: all routes, the administrators' too.

Whatever is sent, no answer is a 5xx, and every answer has a status, a type and a shape that the document tells of.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from proxy.access.roles import Role
from tests.access.own import Keys
from tests.cli.running import environ
from tests.failures.crowd import script
from tests.failures.processes import Program, rehearsing, serving
from tests.fuzz.mutations import TIMES

SECONDS = 6
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def fuzzed(folder: Path, gate: Program, *more: str) -> str:
    """What Schemathesis says; nothing where all is well."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{gate.where}/openapi.json", "--checks", CHECKS]
    command += ["--max-time", str(SECONDS * TIMES), "--phases", "coverage,fuzzing", "--no-color", "--seed", "5", "--workers", "1"]
    done = subprocess.run([*command, *more], cwd=folder, env=environ(), capture_output=True, text=True, timeout=600, check=False)
    assert "Test cases:" in done.stdout, done.stdout + done.stderr
    return "" if done.returncode == 0 else done.stdout


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.AUDITOR])
def test_no_request_of_any_kind_is_answered_otherwise_than_documented(tmp_path: Path, role: Role) -> None:
    """Without keys of callers, and with an administrator's key. One worker: threads break CPython 3.11's parser under it."""
    keys = Keys(str(tmp_path / "gate.db"))
    admin = keys.admin(role)
    more: tuple[str, ...] = ("--set", "admin=true", "--set", f"database={keys.address}", "--log-level", "error")
    more += ("--set", "audit_ship=database", "--set", "audit_ship_texts=true")
    with rehearsing(tmp_path, script(pace="0ms")) as model, serving(tmp_path, model.where, *more) as gate:
        said = fuzzed(tmp_path, gate, "--header", f"Authorization: Bearer {admin.text}")
        assert not said, said
