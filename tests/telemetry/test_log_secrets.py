"""What a failing model server says, what a caller wrote and who it is: nothing of it is in the log, a trace or a metric."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from tests.cli.running import started
from tests.telemetry.collector import collector
from tests.telemetry.leaky_model import WAYS, leaky_model

LEAKS = "Quandong sk-proj-z9Y8x7W6v5U4t3S2r1Q0 upstream-key-5566"
ASKED = "Xylocarp sk-proj-q7W8e9R0t1Y2u3I4o5P6"
CALLER, UPSTREAM, COLLECTOR = "caller-key-99887766", "upstream-key-55667788", "collector-key-1234"
SECRETS = ("quandong", "z9y8x7w6", "xylocarp", "q7w8e9r0", "caller-key", "upstream-key", "collector-key")
POLICY = """
name: session
reasoning: show
rules:
  fruit: {use: patterns, on: [answer], words: [persimmon], do: block}
  away:
    {use: remote, protocol: tei, labels: {BAD: bad}, on: [prompt], url: "http://127.0.0.1:9/judge", do: flag, on_error: flag}
"""
ABOUT = re.compile(r"exc-[0-9a-f]{24}")


def quoted(text: str) -> list[str]:
    """Which of the secrets are in it."""
    return [word for word in SECRETS if word in text.lower()]


@pytest.mark.parametrize("form", ["json", "text"])
def test_nothing_that_a_failing_server_says_comes_out(tmp_path: Path, form: str) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    with collector() as told, leaky_model(LEAKS) as model:
        environ = {
            "SLUICEGATE_API_KEY": CALLER,
            "SLUICEGATE_UPSTREAM_API_KEY": UPSTREAM,
            "OTEL_EXPORTER_OTLP_ENDPOINT": told.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {COLLECTOR}",
        }
        flags = ("--set", f"log_format={form}", "--log-level", "debug", "--set", "upstream_retries=0", "--port", "0")
        command = ("serve", "--policy", "policy.yaml", "--upstream", model, *flags)
        with started(*command, cwd=tmp_path, **environ) as running, httpx.Client(timeout=30, trust_env=False) as client:
            ids, answers = {}, ""
            for way in WAYS:
                for stream in (True, False):
                    body = {"model": "r1", "stream": stream, "messages": [{"role": "user", "content": f"{ASKED} {way}"}]}
                    headers = {"authorization": f"Bearer {CALLER}"}
                    url = f"{running.where}/v1/chat/completions"
                    answer = client.post(url, json=body, headers=headers)
                    answers += answer.text
                    ids[answer.headers["x-request-id"]] = (way, stream, answer.status_code)
            page = client.get(f"{running.where}/metrics", headers={"accept": "application/openmetrics-text"}).text
            assert running.stop() == 0
    log = (tmp_path / "log").read_text("utf-8")
    assert len([status for _, _, status in ids.values() if status >= 400]) > len(WAYS), ids
    assert "quandong" in quoted(answers)  # it was there: what the server says before it fails is an answer
    assert quoted(log) == []
    assert quoted(page) == []
    assert quoted(repr([(span.name, span.notes, span.events) for span in told.spans])) == []
    assert {span.notes["sluicegate.exchange"] for span in told.spans if span.name.startswith("chat")} == ids.keys()
    assert set(ABOUT.findall(log)) == ids.keys()  # each failure is in the log, with its exchange
    ours = [line for line in log.splitlines() if ('"sluicegate"' if form == "json" else " sluicegate: ") in line]
    assert len(ours) >= len(ids)
    assert [line for line in ours if not ABOUT.search(line)] == []
    if form == "json":
        said = [json.loads(line) for line in ours]
        assert [one for one in said if one["exchange"] not in one["message"] or len(one["trace_id"]) != 32] == []
