"""Traces of real processes: nothing is lost when they are told to stop, and a start that cannot have them does not happen."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.cli.running import run, started
from tests.fake_model import fake_model
from tests.telemetry.collector import collector

POLICY = "name: one\nrules:\n  secrets: {use: secrets, on: [prompt, answer], do: redact}\n"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_last_spans_are_sent_before_the_end(tmp_path: Path, workers: str) -> None:
    (tmp_path / "one.yaml").write_text(POLICY, encoding="utf-8")
    environ = {"OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_SERVICE_NAME": "gate", "OTEL_RESOURCE_ATTRIBUTES": "team=safety"}
    with collector() as told, fake_model(scenes=[{"say": "Hello."}]) as model:
        command = ("serve", "--policy", "one.yaml", "--upstream", model.url, "--port", "0", "--workers", workers)
        with started(*command, cwd=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=told.url, **environ) as running:
            body = {"model": "r1", "messages": [{"role": "user", "content": "hi"}]}
            for _ in range(6):
                url = f"{running.where}/v1/chat/completions"
                assert httpx.post(url, json=body, timeout=30, trust_env=False).status_code == 200
            assert told.asked == 0
            assert running.stop() == 0
    assert len(told.named("chat r1")) == 6, (tmp_path / "log").read_text("utf-8")
    assert len({span.trace for span in told.spans}) == 6
    assert {(one["service.name"], one["team"]) for one in told.resources} == {("gate", "safety")}


SERVE = ("serve", "--policy", "one.yaml", "--upstream", "http://127.0.0.1:9/v1", "--port", "0")


@pytest.mark.parametrize(
    "command", [SERVE, (*SERVE, "--workers", "2"), ("demo", "--port", "0"), ("demo", "--show")], ids=" ".join
)
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"), ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "must be a positive integer")],
)
def test_traces_that_cannot_be_had_stop_the_start(
    tmp_path: Path, command: tuple[str, ...], name: str, value: str, said: str
) -> None:
    (tmp_path / "one.yaml").write_text(POLICY, encoding="utf-8")
    done = run(*command, cwd=tmp_path, **{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", name: value})
    assert done.returncode == 2, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "OTEL_" in done.stderr
    assert "Traceback" not in done.stderr
