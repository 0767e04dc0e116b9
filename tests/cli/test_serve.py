from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.running import run, started
from tests.fake_model import fake_model

POLICY = """
name: small
reasoning: show
rules:
  secrets: {use: secrets, on: [prompt, reasoning, answer], do: redact}
"""
HELLO = {"model": "deepseek-r1", "messages": [{"role": "user", "content": "hello"}]}
QUICK = "scenes: [{when: hello, think: Hm., say: Hello yourself.}]"
SLOW = "scenes: [{when: hello, think: 'Hm. ', say: 'one two three four five six', pace: 150ms}]"


@pytest.fixture
def policy(tmp_path: Path) -> str:
    (tmp_path / "small.yaml").write_text(POLICY, "utf-8")
    return str(tmp_path / "small.yaml")


def audit(folder: Path) -> list[dict[str, Any]]:
    written = map(json.loads, (folder / "sluicegate-audit.jsonl").read_text("utf-8").splitlines())
    return [line for line in written if line["event"] not in ("began", "ended")]


def test_a_policy_an_upstream_and_a_port_are_enough(tmp_path: Path, policy: str) -> None:
    with (
        fake_model(QUICK) as model,
        started("serve", "--policy", policy, "--upstream", model.url, "--port", "0", cwd=tmp_path) as server,
    ):
        assert re.search(r" policy=small digest=[0-9a-f]{12} ", server.line)
        assert f"rules=1 upstream={model.url} audit=sluicegate-audit.jsonl keys=none workers=1" in server.line
        assert "open_to=this_machine" in server.line
        reply = httpx.post(f"{server.where}/v1/chat/completions", json=HELLO, timeout=30)
        assert reply.status_code == 200
        assert "server" not in reply.headers
        assert "Hello yourself." in reply.json()["choices"][0]["message"]["content"]
        assert 'sluicegate_requests_total{route="/v1/chat/completions",status="200"} 1.0' in page(server.where)
        assert server.stop() == 0
    opened, closed = audit(tmp_path)
    assert (opened["event"], closed["event"], closed["outcome"], opened["policy"]) == ("opened", "closed", "answered", "small")
    assert opened["id"] == closed["id"] == reply.headers["x-request-id"]


def page(where: str) -> str:
    return httpx.get(f"{where}/metrics", timeout=30).text


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_stream_that_goes_on_is_finished_before_the_end(tmp_path: Path, policy: str, sign: signal.Signals) -> None:
    with (
        fake_model(SLOW) as model,
        started("serve", "--policy", policy, "--upstream", model.url, "--port", "0", cwd=tmp_path) as server,
    ):
        with httpx.stream("POST", f"{server.where}/v1/chat/completions", json={**HELLO, "stream": True}, timeout=30) as reply:
            lines = reply.iter_lines()
            assert next(lines).startswith("data: ")
            server.process.send_signal(sign)
            text = "".join(lines)
        assert "six" in text
        assert text.endswith("data: [DONE]")
        assert server.process.wait(30) == 0
    assert audit(tmp_path)[-1]["outcome"] == "answered"


def test_workers_share_the_port_the_audit_and_the_metrics(tmp_path: Path, policy: str) -> None:
    arguments = ["serve", "--policy", policy, "--port", "0", "--workers", "2"]
    with fake_model(QUICK) as model, started(*arguments, "--upstream", model.url, cwd=tmp_path) as server:
        for _ in range(8):  # each on a connection of its own, so that both workers get some
            assert httpx.post(f"{server.where}/v1/chat/completions", json=HELLO, timeout=30).status_code == 200
        for _ in range(4):  # whichever worker answers
            assert 'sluicegate_exchanges_total{outcome="answered"} 8.0' in page(server.where)
        assert server.stop() == 0
    assert len(audit(tmp_path)) == 16


def test_settings_come_from_file_and_environment_too(tmp_path: Path, policy: str) -> None:
    with fake_model(QUICK, api_key="sk-upstream") as model:
        (tmp_path / "gate.toml").write_text(f'upstream = "{model.url}"\nport = 0\napi_key = "let-me-in-please"\n', "utf-8")
        environ = {"SLUICEGATE_POLICY": policy, "SLUICEGATE_UPSTREAM_API_KEY": "sk-upstream"}
        with started("serve", "--settings", "gate.toml", "--audit", "stdout", cwd=tmp_path, says="stderr", **environ) as server:
            url = f"{server.where}/v1/chat/completions"
            assert httpx.post(url, json=HELLO, timeout=30).status_code == 401
            key = {"authorization": "Bearer let-me-in-please"}
            assert httpx.post(url, json=HELLO, headers=key, timeout=30).status_code == 200
            server.stop()
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text("utf-8").splitlines()]
    assert events == ["began", "opened", "closed", "ended"]


def test_all_mistakes_of_a_policy_are_told_and_nothing_starts(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        "name: bad\nrules:\n  a: {use: secret, on: [answer], do: redact}\n  b: {usw: x}\n", "utf-8"
    )
    done = run("serve", "--policy", "bad.yaml", "--upstream", "http://127.0.0.1:9/v1", cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(r"^error: bad\.yaml:3:\d+: rules\.a\.use: .*did you mean 'secrets'\?$", done.stderr, re.MULTILINE)
    assert re.search(r"^error: bad\.yaml:4:\d+: rules\.b", done.stderr, re.MULTILINE)
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--upstream is missing"),
        (["--upstream", "http://127.0.0.1:9", "--port", "x"], "--port: "),
        (["--upstream", "http://127.0.0.1:9", "--set", "prot=1"], "--prot: unknown setting; did you mean port?"),
        (["--upstream", "http://127.0.0.1:9", "--set", "port"], "NAME=VALUE"),
        (["--upstream", "http://127.0.0.1:9", "--host", "0.0.0.0"], "--allow-anonymous"),
        (["--upstream", "http://127.0.0.1:9", "--audit", "/none/such.jsonl"], "choose another place with --audit"),
        (["--upstream", "http://127.0.0.1:9", "--policy-name", "smal"], "did you mean 'small'?"),
        (["--upstream", "http://127.0.0.1:9", "--set", "verdict_cache=redis"], "redis_url"),
        (
            ["--upstream", "http://127.0.0.1:9", "--set", "verdict_cache=redis", "--set", "redis_url=redis://127.0.0.1:9"],
            "openssl rand -hex 32",
        ),
    ],
)
def test_a_wrong_setting_is_an_error_that_tells_the_fix(tmp_path: Path, policy: str, arguments: list[str], said: str) -> None:
    done = run("serve", "--policy", policy, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistyped_variable_is_an_error(tmp_path: Path) -> None:
    done = run("serve", cwd=tmp_path, SLUICEGATE_UPSTREM="http://127.0.0.1:9")
    assert done.returncode == 2
    assert "SLUICEGATE_UPSTREM; did you mean SLUICEGATE_UPSTREAM?" in done.stderr


def test_a_taken_port_is_told(tmp_path: Path, policy: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", "--policy", policy, "--upstream", "http://127.0.0.1:9", "--port", port, cwd=tmp_path)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in done.stderr


def test_what_is_unsafe_is_said_at_every_start(tmp_path: Path, policy: str) -> None:
    arguments = ["serve", "--policy", policy, "--upstream", "http://127.0.0.1:9", "--port", "0", "--host", "0.0.0.0"]
    with started(*arguments, "--audit", "off", "--allow-anonymous", cwd=tmp_path) as server:
        assert httpx.get(f"{server.where}/health/live", timeout=30).status_code == 200
        server.stop()
    told = (tmp_path / "log").read_text("utf-8")
    assert "warning: the audit log is off" in told
    assert "warning: anybody who reaches 0.0.0.0 may use the model" in told


def test_version_and_help_answer() -> None:
    assert re.fullmatch(r"sluicegate \d+\.\d+\.\d+\n", run("--version").stdout)
    told = run("--help").stdout
    assert [word for word in ("serve", "demo", "rehearse", "policy") if word not in told] == []
    assert "--dialect" in run("rehearse", "--help").stdout
