"""Traces over sockets: a caller, the proxy, a model server, and a collector that decodes what it gets."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from proxy.telemetry.heard import MOST_TEXT
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.tracing import TracingError, tracing_of
from proxy.upstream.member import Member
from proxy.upstream.pool import Group, Pool
from proxy.upstream.vllm import VLLM, UpstreamSettings
from tests.fake_model import fake_model
from tests.stack import Stack, stack
from tests.telemetry.collector import Collector, collector
from tests.telemetry.test_metrics import samples

PATTERNS = """
name: traced
rules:
  secrets: {use: secrets, on: [prompt, answer], do: redact}
  bomb: {use: patterns, on: [prompt], do: block, words: [zeppelin]}
"""
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = {"traceparent": f"00-{CALLER}-00f067aa0ba902b7-01"}
HELLO = {"say": "Hello there."}
SERVER, CLIENT = 2, 3  # kinds, as OTLP counts them


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A collector that the environment names."""
    with collector() as one:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.url)
        yield one


def names(told: Collector) -> list[str]:
    return sorted(span.name for span in told.spans)


def test_an_exchange_is_one_trace_with_a_span_for_each_part(told: Collector) -> None:
    with fake_model(scenes=[{"think": "Let me see.", "say": "Hello there."}]) as model, stack(PATTERNS, model.url) as proxy:
        answer = proxy.ask("hi", temperature=0.6, max_tokens=50)
        port = model.port
    parts = ["limits", "prompt guard", "reply guard", "upstream"]
    assert names(told) == ["chat deepseek-r1", "guard answer", "guard prompt", *parts]
    root = told.one("chat deepseek-r1")
    assert {span.trace for span in told.spans} == {root.trace}
    assert {told.one(name).parent for name in parts} == {root.id}
    assert {told.one(f"guard {name}").parent for name in ("prompt", "answer")} == {
        told.one("prompt guard").id,
        told.one("reply guard").id,
    }
    assert (root.kind, root.parent, root.failed) == (SERVER, "", False)
    record, usage = proxy.closed(), answer.json()["usage"]
    expected = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "deepseek",
        "gen_ai.request.model": "deepseek-r1",
        "gen_ai.request.temperature": 0.6,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.output.type": "text",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.id": answer.headers["x-request-id"],
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "sluicegate.exchange": record["id"],
        "sluicegate.outcome": "answered",
        "sluicegate.verdict": "allow",
        "sluicegate.policy.name": "traced",
        "sluicegate.policy.digest": answer.headers["x-sluicegate-policy-digest"],
        "sluicegate.stream": False,
    }
    assert {name: root.notes.get(name) for name in expected} == expected
    asked = told.one("upstream")
    assert (asked.kind, asked.notes["server.address"], asked.notes["server.port"]) == (CLIENT, "127.0.0.1", port)
    assert all(root.start <= span.start <= span.end <= root.end + 1e6 for span in told.spans)
    assert told.resources[0]["service.name"] == "sluicegate"


def test_the_callers_trace_goes_on_to_the_model_server(told: Collector) -> None:
    with fake_model(scenes=[HELLO]) as model, stack(PATTERNS, model.url) as proxy:
        proxy.post({"messages": [{"role": "user", "content": "hi"}]}, headers=PARENT)
        sent = model.headers[0]["traceparent"]
    root, asked = told.one("chat deepseek-r1"), told.one("upstream")
    assert (root.trace, root.parent) == (CALLER, "00f067aa0ba902b7")
    assert sent == f"00-{CALLER}-{asked.id}-01"


@pytest.mark.parametrize("header", ["", "00-zz-11-01", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "x" * 5000, "é"])
def test_what_is_no_traceparent_is_not_taken(told: Collector, header: str) -> None:
    with fake_model(scenes=[HELLO]) as model, stack(PATTERNS, model.url) as proxy:
        body = {"messages": [{"role": "user", "content": "hi"}]}
        assert proxy.post(body, headers={b"traceparent": header.encode()}).status_code == 200
    assert told.one("chat deepseek-r1").parent == ""


def test_what_the_sampler_leaves_out_is_left_out_by_the_model_server_too(
    told: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with fake_model(scenes=[HELLO]) as model, stack(PATTERNS, model.url) as proxy:
        assert proxy.ask("hi").status_code == 200
        assert model.headers[0]["traceparent"].endswith("-00")
    assert told.spans == []


def test_the_caller_can_leave_its_own_trace_out(told: Collector) -> None:
    with fake_model(scenes=[HELLO]) as model, stack(PATTERNS, model.url) as proxy:
        unsampled = {"traceparent": f"00-{CALLER}-00f067aa0ba902b7-00"}
        proxy.post({"messages": [{"role": "user", "content": "hi"}]}, headers=unsampled)
        assert model.headers[0]["traceparent"].startswith(f"00-{CALLER}-")
    assert told.spans == []


def test_a_verdict_is_named_with_its_rule_and_is_no_failure(told: Collector) -> None:
    with fake_model(scenes=[HELLO]) as model, stack(PATTERNS, model.url) as proxy:
        assert proxy.ask("how is a zeppelin built").status_code == 400
    root = told.one("chat deepseek-r1")
    assert root.notes["sluicegate.rules"] == ["bomb:prompt:block"]
    assert (root.notes["sluicegate.verdict"], root.notes["sluicegate.outcome"]) == ("block", "prompt_blocked")
    assert root.notes["gen_ai.response.finish_reasons"] == ["content_filter"]
    assert not root.failed
    assert told.named("upstream") == []


def test_a_request_that_is_wrong_has_a_span_without_a_models_name(told: Collector) -> None:
    with fake_model(scenes=[HELLO]) as model, stack(PATTERNS, model.url) as proxy:
        assert proxy.post({"messages": "no list"}).status_code == 400
    root = told.one("chat")
    assert (root.failed, root.notes["error.type"], root.notes["http.response.status_code"]) == (True, "400", 400)


def test_a_model_server_that_fails_is_named_on_its_span_and_on_the_exchange(told: Collector) -> None:
    with fake_model(scenes=[{"fail": {"how": "http_503"}}]) as model, stack(PATTERNS, model.url) as proxy:
        assert proxy.ask("hi").status_code == 503
    root, asked = told.one("chat deepseek-r1"), told.one("upstream")
    assert (asked.failed, asked.notes["error.type"]) == (True, "unavailable")
    assert (root.failed, root.notes["error.type"]) == (True, "unavailable")


def test_no_text_is_in_a_trace(told: Collector) -> None:
    key = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0" * 2
    scene = {"think": "Wombats dig.", "say": f"Platypus {key}"}
    with fake_model(scenes=[scene]) as model, stack(PATTERNS, model.url, api_key="caller-key-1234") as proxy:
        for stream in (True, False):
            proxy.post(
                {"messages": [{"role": "user", "content": f"echidna {key}"}], "stream": stream},
                headers={"authorization": "Bearer caller-key-1234"},
            )
    whole = b"".join(told.bodies).lower()
    assert b"chat deepseek-r1" in whole
    assert [word for word in (b"wombat", b"platypus", b"echidna", key.encode().lower(), b"caller-key") if word in whole] == []


def test_without_a_collector_nothing_is_made_and_nothing_is_sent_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with fake_model(scenes=[HELLO]) as model, stack(PATTERNS, model.url) as proxy:
        proxy.post({"messages": [{"role": "user", "content": "hi"}]}, headers=PARENT)
        assert "traceparent" not in model.headers[0]
        assert not [name for name in samples(proxy.metrics) if "trace_spans" in name]


def counted(proxy: Stack) -> dict[str, float]:
    page = samples(proxy.metrics)
    return {name: page.get(f"sluicegate_trace_spans_total{{outcome={name}}}", 0) for name in ("sent", "failed", "dropped")}


def test_a_collector_that_refuses_is_counted_and_nobody_waits(told: Collector) -> None:
    told.status = 400
    with fake_model(scenes=[HELLO]) as model, stack(PATTERNS, model.url) as proxy:
        assert proxy.ask("hi").status_code == 200
    assert counted(proxy) == {"sent": 0, "failed": 7, "dropped": 0}


def test_a_collector_that_hangs_costs_spans_and_not_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("MAX_QUEUE_SIZE", "10"), ("MAX_EXPORT_BATCH_SIZE", "5"), ("SCHEDULE_DELAY", "20")):
        monkeypatch.setenv(f"OTEL_BSP_{name}", value)
    monkeypatch.setattr("proxy.telemetry.delivery.CLOSED_WITHIN", 200)
    with collector(opened=False) as told:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", told.url)
        with fake_model(scenes=[HELLO]) as model, stack(PATTERNS, model.url) as proxy:
            assert proxy.ask("hi").status_code == 200
            assert told.wait(1)
            for _ in range(5):
                assert proxy.ask("hi").status_code == 200
        ends = counted(proxy)
    assert sum(ends.values()) == 42
    assert ends["sent"] == 0


def test_a_place_that_is_not_understood_stops_the_start() -> None:
    with pytest.raises(TracingError, match="http/protobuf"):
        tracing_of("on", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, Metrics())


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_traces_are_off_where_nobody_asks_for_them(environ: dict[str, str]) -> None:
    assert tracing_of("auto", environ, Metrics()).__class__.__name__ == "Untraced"


TEXTS = """
name: texts
reasoning: show
traces: {texts: judged}
rules:
  secrets: {use: secrets, on: [prompt, reasoning, answer], do: redact}
  mail: {use: patterns, on: [prompt, answer], expressions: ["[a-z]+@example[.]org"], do: redact, operator: restore}
"""
KEY = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0" * 2


@pytest.mark.parametrize("stream", [True, False])
def test_texts_are_in_a_trace_where_the_policy_says_so_without_what_rules_took_out(told: Collector, stream: bool) -> None:
    scene = {"think": f"Wombats dig {KEY}.", "say": "To {{prompt}} a platypus."}
    with fake_model(scenes=[scene]) as model, stack(TEXTS, model.url) as proxy:
        answer = proxy.ask(f"echidna ann@example.org {KEY}", stream=stream)
    assert "ann@example.org" in answer.text  # the caller gets its own words back
    notes = told.one("chat deepseek-r1").notes
    (sent,) = json.loads(notes["gen_ai.input.messages"])
    (written,) = json.loads(notes["gen_ai.output.messages"])
    assert sent["role"] == "user"
    assert "echidna" in sent["parts"][0]["content"]
    assert [part["type"] for part in written["parts"]] == ["reasoning", "text"]
    assert "Wombats dig" in written["parts"][0]["content"]
    assert "a platypus." in written["parts"][1]["content"]
    whole = b"".join(told.bodies)
    assert KEY.encode() not in whole
    assert b"ann@example.org" not in whole


def test_a_long_text_is_cut_off(told: Collector) -> None:
    with fake_model(scenes=[{"say": "platypus ", "repeat": 8000}]) as model, stack(TEXTS, model.url) as proxy:
        proxy.ask("echidna " * 8000)
    notes = told.one("chat deepseek-r1").notes
    assert MOST_TEXT - 1000 < len(notes["gen_ai.output.messages"]) < MOST_TEXT + 200
    assert len(notes["gen_ai.input.messages"]) < MOST_TEXT + 200


def test_a_repair_is_a_span_with_its_rule_and_the_question_within(told: Collector) -> None:
    rules = """
name: mends
rules:
  word: {use: patterns, on: [answer], words: [kumquat], do: repair, tries: 2}
"""
    scene = {"say": "First a clean sentence. Then a kumquat falls. ", "go_on": ["And an apple falls."]}
    with fake_model(scenes=[scene]) as model, stack(rules, model.url, model="deepseek-r1") as proxy:
        assert "apple" in proxy.ask("hi").text
    repair = told.one("repair")
    assert (repair.notes["sluicegate.rule"], repair.notes["sluicegate.channel"]) == ("word", "answer")
    first, second = sorted(told.named("upstream"), key=lambda span: span.start)
    assert (first.parent, second.parent) == (told.one("chat deepseek-r1").id, repair.id)


def test_tries_are_told_on_the_question(told: Collector) -> None:
    busy = {"say": "Hello.", "fail": {"how": "http_503", "times": 1}}
    with fake_model(scenes=[busy]) as model:
        upstream = VLLM(UpstreamSettings(model.url, retries=1))
        with stack(PATTERNS, upstream) as proxy:
            assert proxy.ask("hi").status_code == 200
    asked = told.one("upstream")
    assert [(name, notes.get("error.type")) for name, notes in asked.events] == [("retry", "unavailable"), ("first token", None)]
    assert not asked.failed


def test_each_replica_that_is_asked_has_its_span(told: Collector) -> None:
    down, well = {"fail": {"how": "http_503"}}, {"say": "Hello."}
    with fake_model(scenes=[down]) as one, fake_model(scenes=[well]) as other:
        members = [Member(str(at), VLLM(UpstreamSettings(url, retries=0))) for at, url in enumerate((one.url, other.url))]
        with stack(PATTERNS, Pool("both", [Group(members[:1]), Group(members[1:])])) as proxy:
            assert proxy.ask("hi").status_code == 200
    first, second = sorted(told.named("upstream"), key=lambda span: span.start)
    assert (first.failed, second.failed) == (True, False)
    assert (first.notes["server.port"], second.notes["server.port"]) == (one.port, other.port)
    assert told.one("chat deepseek-r1").notes["sluicegate.upstream"] == "1"


def test_a_wait_in_the_queue_is_a_span(told: Collector) -> None:
    with fake_model(scenes=[HELLO]) as model, stack(PATTERNS, model.url, upstream_concurrency=1) as proxy:
        assert proxy.ask("hi").status_code == 200
    assert told.one("queue").parent == told.one("chat deepseek-r1").id


def test_without_the_package_the_start_says_what_to_install() -> None:
    program = """
import sys
sys.modules["opentelemetry.sdk"] = None
from proxy.telemetry.tracing import TracingError, check
assert not check("auto", {})
try:
    check("auto", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
except TracingError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'sluicegate[otel]'" in done.stdout


def test_nobody_pays_for_opentelemetry_who_does_not_use_it() -> None:
    program = "import proxy.app, sys; print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
