"""A replica is killed while its texts wait for a database that is gone, and one of them is erased before it is back."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from proxy.records.textstore import TextStore
from tests.cli.running import run
from tests.failures.crowd import script
from tests.failures.processes import Program, proven, rehearsing, serving
from tests.records.databases import prepared
from tests.records.test_texts import KEY
from tests.services import own_postgres
from tests.system.watched import until

POLICY = """
name: failures
guards_nothing: true
record: {texts: all, channels: [prompt], keep: 30d, key_env: TEXTS_KEY}
"""


def ask(gate: Program, prompt: str) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
    reply = httpx.post(f"{gate.where}/v1/chat/completions", json=body, timeout=60, trust_env=False)
    assert reply.status_code == 200, reply.text
    return str(reply.headers["x-request-id"])


def kept(folder: Path) -> set[str]:
    return {one.id for one in TextStore(folder / "texts").all()}


def test_an_erasure_reaches_a_replica_that_was_killed_before_it_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, desk = (tmp_path / name for name in ("one", "other", "desk"))
    for folder in (one, other, desk):
        folder.mkdir()
    with rehearsing(tmp_path, script("0ms")) as model, own_postgres() as server:
        shared = {"SLUICEGATE_DATABASE": prepared(server), "SLUICEGATE_AUDIT_SHIP": "database", "TEXTS_KEY": KEY}
        shared["SLUICEGATE_AUDIT_SHIP_TEXTS"] = "true"
        for name, value in shared.items():
            monkeypatch.setenv(name, value)

        def audit(*words: str) -> str:
            done = run("audit", *words, cwd=desk)
            assert done.returncode == 0, done.stderr
            return str(done.stdout)

        with serving(other, model.where, policy=POLICY) as second:
            with serving(one, model.where, policy=POLICY) as first:
                sent = ask(first, "sent")
                assert until(lambda: run("audit", "text", sent, "--key-env", "TEXTS_KEY", cwd=desk).returncode == 0)
                server.kill()
                waits, meant, elsewhere = ask(first, "waits"), ask(first, "meant"), ask(second, "elsewhere")
                first.kill()
            server.start()
            audit("erase", "--id", meant, "--id", elsewhere, "--id", sent)
            assert until(lambda: kept(other) == set(), 30)
            with serving(one, model.where, policy=POLICY) as again:
                assert until(lambda: kept(one) == {waits}, 30)
                assert until(lambda: again.metric('ledger_waiting{unit="bytes"}') == 0)
                told = json.loads(audit("text", waits, "--key-env", "TEXTS_KEY", "--json"))
                assert told["texts"]["prompt"]["texts"][0]["text"] == "waits"
                for gone in (sent, meant, elsewhere):
                    assert run("audit", "text", gone, "--key-env", "TEXTS_KEY", cwd=desk).returncode == 1
        audit("export", "--texts", "all")
    assert {each.id for each in TextStore(desk / "all").all()} == {waits}
    proven(one / "gate.jsonl")
    proven(other / "gate.jsonl")
