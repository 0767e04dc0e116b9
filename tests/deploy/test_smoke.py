from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cli.running import environ, run, started
from tests.deploy.cluster import DEPLOY
from tests.fake_model import fake_model

SCRIPT = "scenes: [{when: hello, think: Hm., say: Hello yourself.}]"
KEY = "not-a-secret"

Answer = tuple[int, Mapping[str, str], str]
Answers = dict[str, Answer]


def smoke(*arguments: str, **more: str) -> tuple[int, list[str]]:
    """The exit code, and the lines with what was found."""
    command = [str(DEPLOY / "smoke.sh"), *arguments]
    done = subprocess.run(command, env=environ(**more), capture_output=True, text=True, timeout=90, check=False)
    return done.returncode, done.stdout.splitlines()


def test_a_real_gate_passes_all_ten(tmp_path: Path) -> None:
    more = {"SLUICEGATE_API_KEY": KEY, "SLUICEGATE_DATABASE": "", "SLUICEGATE_AUDIT": "off"}
    with (
        fake_model(SCRIPT) as model,
        started("serve", "--upstream", model.url, "--port", "0", cwd=tmp_path, **more) as gate,
    ):
        code, lines = smoke(gate.where, KEY)
        assert (code, lines[-1]) == (0, "10 of 10 checks passed"), lines
        assert all(line.startswith("✓") for line in lines[1:-1])
        code, lines = smoke(gate.where, SMOKE_METRICS="off")
        assert (code, lines[-1]) == (1, "5 of 10 checks failed, 1 left out"), lines
        assert sum("The API key is missing or wrong. (invalid_api_key)" in line for line in lines) == 5
        code, lines = smoke(gate.where + "/v1/", KEY)  # as clients are given it
        assert (code, lines[-1]) == (0, "10 of 10 checks passed"), lines


def test_with_keys_of_callers_one_of_them_passes(tmp_path: Path) -> None:
    more = {"SLUICEGATE_KEYS": "required", "SLUICEGATE_DATABASE": str(tmp_path / "keys.db"), "SLUICEGATE_AUDIT": "off"}
    made = run("keys", "create", "--name", "first", cwd=tmp_path, **more)
    (key,) = re.findall(r"sk-sg-\S+", made.stdout)
    with (
        fake_model(SCRIPT) as model,
        started("serve", "--upstream", model.url, "--port", "0", cwd=tmp_path, **more) as gate,
    ):
        assert smoke(gate.where, SMOKE_KEY=key)[0] == 0
        code, lines = smoke(gate.where, "sk-sg-wrong")
        assert (code, lines[-1]) == (1, "5 of 10 checks failed"), lines


def test_without_the_model_the_gate_itself_is_well(tmp_path: Path) -> None:
    more = {"SLUICEGATE_DATABASE": "", "SLUICEGATE_AUDIT": "off"}
    with started("serve", "--upstream", "http://127.0.0.1:9/v1", "--port", "0", cwd=tmp_path, **more) as gate:
        code, lines = smoke(gate.where)
    assert (code, lines[-1]) == (1, "3 of 10 checks failed"), lines
    assert [line for line in lines if line.startswith("✗")] == [
        f"✗ {number:2}  {name:36} status 503 instead of 200: The model server cannot be reached. (upstream_connect)"
        for number, name in ((3, "models are listed"), (4, "a question is answered"), (5, "a stream ends with [DONE]"))
    ]


def right() -> Answers:
    """What a gate answers, by what the script asks."""
    policy = {"x-sluicegate-policy": "default", "x-sluicegate-policy-digest": "0123456789ab", "x-request-id": "exc-1"}
    return {
        "/health/live": (200, {}, '{"status":"live"}'),
        "/health/ready": (200, {}, '{"status":"ready"}'),
        "/v1/models": (200, {}, '{"object":"list","data":[{"id":"deepseek-r1"}]}'),
        "chat": (200, {}, '{"choices":[{"message":{"content":"Hello."}}]}'),
        "stream": (200, {}, 'data: {"choices":[]}\n\ndata: {"choices":[]}\n\n: wait\n\ndata: [DONE]\n\n'),
        "refused": (400, policy, '{"error":{"code":"content_filter"}}'),
        "/v1/no-such-route": (404, {}, '{"error":{"code":"unknown_route"}}'),
        "/metrics": (200, {}, 'sluicegate_requests_total{route="x"} 1.0\nsluicegate_policy_info{name="default"} 1.0\n'),
        "/.well-known/ai-disclosure": (200, {}, '{"version": 1}'),
    }


@contextmanager
def answering(answers: Answers) -> Iterator[str]:
    """A server that says these things."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            self._say(answers[self.path])

        def do_POST(self) -> None:  # the library's name
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            text = asked["messages"][0]["content"]
            self._say(answers["stream" if asked["stream"] else "chat" if "hello" in text else "refused"])

        def _say(self, answer: Answer) -> None:
            status, headers, body = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *said: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_a_gate_says_passes() -> None:
    with answering(right()) as where:
        assert smoke(where)[0] == 0


def body(name: str, old: str, new: str) -> tuple[str, Callable[[Answer], Answer]]:
    return name, lambda answer: (answer[0], answer[1], answer[2].replace(old, new))


def header(name: str) -> tuple[str, Callable[[Answer], Answer]]:
    return "refused", lambda answer: (answer[0], {each: value for each, value in answer[1].items() if each != name}, answer[2])


def status(name: str, code: int) -> tuple[str, Callable[[Answer], Answer]]:
    return name, lambda answer: (code, answer[1], answer[2])


@pytest.mark.parametrize(
    ("spoil", "failing"),
    [
        (status("/health/live", 503), {1}),
        (body("/health/ready", "ready", "unready"), {2}),
        (body("/v1/models", '"id":"deepseek-r1"', ""), {3}),
        (body("chat", "Hello.", ""), {4}),
        (body("stream", "data: [DONE]\n\n", ""), {5}),
        (body("stream", "data: [DONE]", 'data: {"error":{}}\n\ndata: [DONE]'), {5}),
        (body("stream", 'data: {"choices":[]}\n\n', ""), {5}),
        (status("refused", 200), {6, 7}),
        (body("refused", "content_filter", "invalid_value"), {6}),
        (header("x-sluicegate-policy-digest"), {7}),
        (header("x-request-id"), {7}),
        (body("/v1/no-such-route", "unknown_route", "not_found"), {8}),
        (body("/v1/no-such-route", '{"error":{"code":"unknown_route"}}', "<html>"), {8}),
        (body("/metrics", "sluicegate_policy_info", "policy"), {9}),
        (status("/.well-known/ai-disclosure", 404), {10}),
    ],
)
def test_each_check_sees_its_own_fault(spoil: tuple[str, Callable[[Answer], Answer]], failing: set[int]) -> None:
    name, change = spoil
    answers = right()
    assert change(answers[name]) != answers[name]
    answers[name] = change(answers[name])
    with answering(answers) as where:
        code, lines = smoke(where)
    assert code == 1
    assert {int(line.split()[1]) for line in lines if line.startswith("✗")} == failing, lines


def test_nobody_there_fails_all_but_says_why() -> None:
    code, lines = smoke("http://127.0.0.1:9")
    assert (code, lines[-1]) == (1, "10 of 10 checks failed")
    assert "connect" in lines[1].lower()


def test_without_an_address_it_says_how_to_call_it() -> None:
    done = subprocess.run([str(DEPLOY / "smoke.sh")], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "deploy/smoke.sh URL [KEY]" in done.stderr
