"""The database of the ledger is gone: what is erased meanwhile reaches a replica that was killed, and all workers know of it."""

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


def test_all_workers_refuse_while_nothing_may_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them sends; the others learn from it, and from its successor."""
    with rehearsing(tmp_path, script("0ms")) as model, own_postgres() as server:
        monkeypatch.setenv("SLUICEGATE_DATABASE", prepared(server))
        monkeypatch.setenv("SLUICEGATE_AUDIT_SHIP", "database")
        monkeypatch.setenv("SLUICEGATE_AUDIT_WITHOUT_DATABASE", "refuse")
        open_to_all = "name: failures\nguards_nothing: true\n"
        with serving(tmp_path, model.where, "--workers", "2", policy=open_to_all) as gate:

            def statuses() -> set[int]:
                """Each on a connection of its own, so that they reach both workers."""
                body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
                url = f"{gate.where}/v1/chat/completions"
                return {httpx.post(url, json=body, timeout=60, trust_env=False).status_code for _ in range(12)}

            assert until(lambda: statuses() == {200}, 30)
            server.kill()
            assert until(lambda: statuses() == {500}, 30)
            gate.workers()[0].kill()
            assert until(lambda: len(gate.workers()) == 2 and statuses() == {500}, 60)
            server.start()
            assert until(lambda: statuses() == {200}, 60)
            assert until(lambda: gate.metric('ledger_waiting{unit="bytes"}') == 0, 30)
    proven(tmp_path / "gate.jsonl")
