"""What others publish about their formats, as their packages bring it: the definitions of operators' kinds (npm), and the schema
of compose files (PyPI). `make setup-schemas` installs both; nothing of them is in this repository."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.deploy.cluster import ROOT, Object

NODE = Path(__file__).parent / "node"
COMPOSE = ROOT / ".make" / "schemas" / "check_jsonschema" / "builtin_schemas" / "vendor" / "compose-spec.json"
PUBLISHED = frozenset({"HTTPRoute", "ServiceMonitor", "PrometheusRule"})
"""For LeaderWorkerSet no package was found: `custom.py` was compared with the types in its repository by hand."""


def refused(objects: Sequence[Object]) -> list[str]:
    """What operators would not take, by the patterns, ranges and enumerations of their definitions. Unknown keys are none of
    their business: a server drops them. Skips where the definitions are not installed."""
    if shutil.which("node") is None or not (NODE / "node_modules" / "@kubernetes-models").is_dir():
        pytest.skip("the definitions of operators' kinds are not installed: make setup-schemas (wants node and npm)")
    done = subprocess.run(
        ["node", str(NODE / "validate.mjs")], input=json.dumps(objects), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    told: list[list[str]] = json.loads(done.stdout)
    assert len(told) == len(objects)
    return [f"{one['kind']}{each}" for one, found in zip(objects, told, strict=True) for each in found]


def compose_faults(written: Any) -> list[str]:
    """What the specification of compose files does not know. Skips where it is not installed."""
    if not COMPOSE.is_file():
        pytest.skip("the schema of compose files is not installed: make setup-schemas")
    schema = json.loads(COMPOSE.read_text("utf-8"))
    return [f"{error.json_path}: {error.message[:300]}" for error in Draft202012Validator(schema).iter_errors(written)]
