"""Over sockets: texts are kept sealed where the policy says so, and erased without a mark on the ledger's proof."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from proxy.app import create
from proxy.cli.main import app
from proxy.records.archive import Archive
from proxy.records.audit import Audit, AuditError, FileSink, MemorySink
from proxy.records.verify import verify
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics
from proxy.upstream.vllm import VLLM, UpstreamSettings
from tests.fake_model import fake_model
from tests.stack import Stack, policy_of, serving

KEY = base64.b64encode(bytes(range(32))).decode()
POLICY = """
name: keeps
reasoning: show
record: {texts: TEXTS, channels: [prompt, reasoning, answer, model], keep: 30d, key_env: TEXTS_KEY}
rules:
  word: {use: patterns, on: [prompt, answer], words: [kumquat], do: block}
  mail: {use: patterns, on: [answer], expressions: ['[a-z]{1,9}@[a-z]{1,9}[.]com'], do: redact}
  fruit: {use: patterns, on: [answer], words: [durian], do: repair}
"""
SCENES: list[dict[str, Any]] = [
    {"when": "plain", "think": "Hm.\n", "say": "Nothing to see."},
    {"when": "cut", "think": "Hm.\n", "say": "A fine kumquat here."},
    {"when": "slip", "think": "Hm.\n", "say": "All is well. A durian came.", "go_on": ["guest came."]},
    {"think": "Let me see.\n", "say": "Write to bob@site.com please."},
]


@contextmanager
def keeping(folder: Path, texts: str = "all", key: str = KEY, profile: str = "") -> Iterator[Stack]:
    policy = policy_of(POLICY.replace("TEXTS,", f"{texts},"))
    audit = Audit(FileSink(folder / "audit.jsonl"), archive=Archive(folder / "texts", {"TEXTS_KEY": key}))
    with fake_model(scenes=SCENES) as model:
        upstream = VLLM(UpstreamSettings(model.url, retries=0))
        metrics = Metrics()
        built = create(Settings(audit="off", database="", profile=profile), policy, upstream, audit=audit, metrics=metrics)
        with serving(built, MemorySink(), metrics) as proxy:
            yield proxy


def audit(folder: Path, *words: str) -> Result:
    environ = {"SLUICEGATE_AUDIT": str(folder / "audit.jsonl"), "TEXTS_KEY": KEY, "COLUMNS": "200"}
    return CliRunner().invoke(app, ["audit", *words], env=environ)


def closed(folder: Path) -> dict[str, dict[str, Any]]:
    read = map(json.loads, (folder / "audit.jsonl").read_text("utf-8").splitlines())
    return {line["id"]: line for line in read if line["event"] == "closed"}


def test_what_the_model_writes_when_it_goes_on_is_kept_too(tmp_path: Path) -> None:
    with keeping(tmp_path, profile="deepseek-r1") as proxy:
        reply = proxy.ask("slip")
        assert reply.json()["choices"][0]["message"]["content"] == "All is well. A guest came."
    exchange = reply.headers["x-request-id"]
    assert closed(tmp_path)[exchange]["repairs"][0]["way"] == "continued"
    texts = json.loads(audit(tmp_path, "text", exchange, "--key-env", "TEXTS_KEY", "--json").stdout)["texts"]["model"]["texts"]
    assert "All is well. A durian came.guest came." in [one["text"] for one in texts]


@pytest.mark.parametrize("stream", [True, False])
def test_texts_are_kept_and_erased_and_the_ledger_holds(tmp_path: Path, stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with keeping(tmp_path) as proxy:
        masked = proxy.ask("my MAGIC words", stream=stream).headers["x-request-id"]
        cut = proxy.ask("cut", stream=stream).headers["x-request-id"]
        refused = proxy.ask("kumquat", stream=stream).headers["x-request-id"]
    everywhere = (tmp_path / "audit.jsonl").read_text("utf-8") + caplog.text
    everywhere += "".join(file.read_text("utf-8") for file in (tmp_path / "texts").iterdir())
    assert not any(word in everywhere for word in ("MAGIC", "bob@", "kumquat", "Let me see"))

    def read(exchange: str) -> dict[str, str]:
        done = audit(tmp_path, "text", exchange, "--key-env", "TEXTS_KEY", "--json")
        texts = json.loads(done.stdout)["texts"]
        return {channel: " ".join(one["text"] for one in said["texts"]) for channel, said in texts.items()}

    said = read(masked)
    assert (said["prompt"], said["reasoning"].strip()) == ("my MAGIC words", "Let me see.")
    assert said["answer"].startswith("Write to ")
    assert "bob@site.com" not in said["answer"]
    assert "bob@site.com" in said["model"]
    assert "kumquat" not in read(cut)["answer"]
    assert "kumquat" in read(cut)["model"]
    assert read(refused) == {"prompt": "kumquat"}
    assert set(closed(tmp_path)[masked]["texts"]) == {"prompt", "reasoning", "answer", "model"}
    assert audit(tmp_path, "erase", "--id", masked).stdout.strip() == "✓ the texts of 1 exchange are erased"
    gone = audit(tmp_path, "text", masked, "--key-env", "TEXTS_KEY")
    assert (gone.exit_code, "or they were erased" in gone.stderr) == (1, True)
    report = verify([tmp_path / "audit.jsonl"])
    assert (report.proven, report.exchanges) == (True, 3)
    shown = audit(tmp_path, "show").stdout
    assert f"texts.read {masked}" in shown
    assert "texts.erase" in shown


def test_texts_that_were_put_in_anothers_place_are_found_without_the_key(tmp_path: Path) -> None:
    with keeping(tmp_path) as proxy:
        for prompt in ("one", "two"):
            proxy.ask(prompt)
    texts = tmp_path / "texts"
    told = audit(tmp_path, "verify", "--texts", str(texts))
    assert (told.exit_code, "texts of 2 exchanges are as they were sealed" in told.stdout) == (0, True)
    (file,) = texts.iterdir()
    first, second = (json.loads(line) for line in file.read_text("utf-8").splitlines() if line)
    second["texts"] = first["texts"]
    file.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n", "utf-8")
    told = audit(tmp_path, "verify", "--texts", str(texts))
    assert (told.exit_code, f"kept of {second['id']} are not those that were sealed" in told.stdout) == (1, True)


def test_flagged_means_that_a_rule_said_something(tmp_path: Path) -> None:
    with keeping(tmp_path, "flagged") as proxy:
        plain = proxy.ask("plain").headers["x-request-id"]
        flagged = proxy.ask("hello").headers["x-request-id"]
    assert "texts" not in closed(tmp_path)[plain]
    assert "texts" in closed(tmp_path)[flagged]


@pytest.mark.parametrize("stream", [True, False])
def test_what_should_be_kept_and_cannot_be_is_an_error(tmp_path: Path, stream: bool) -> None:
    with keeping(tmp_path) as proxy:
        (tmp_path / "texts").write_text("in the way")
        answer = proxy.ask("hello", stream=stream)
    assert "not_recorded" in answer.text
    assert stream or answer.status_code == 500
    (line,) = closed(tmp_path).values()
    assert line["outcome"] == "failed"
    assert verify([tmp_path / "audit.jsonl"]).proven


def test_a_server_does_not_start_without_the_key(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="TEXTS_KEY"), keeping(tmp_path, key=""):
        pass


def test_what_to_erase_has_to_be_said(tmp_path: Path) -> None:
    assert audit(tmp_path, "erase").exit_code == 2
    assert audit(tmp_path, "erase", "--before", "soon").exit_code == 2
