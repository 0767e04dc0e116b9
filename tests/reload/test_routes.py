"""Routes files that change while the server runs: what is laid anew at once, and what waits for a restart, loudly."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from classifiers.registry import Registry
from policies.bind import Builder
from policies.load import load
from proxy.app import assemble
from proxy.records.audit import Audit, MemorySink
from proxy.routes.build import build_routes
from proxy.routes.load import load_routes
from proxy.settings import Settings
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.upstreams import UpstreamMetrics
from proxy.upstream.kinds import Site
from tests.fake_model import FakeModel, fake_model
from tests.reload.own import LOOKS, policy, reloads, replaced, until
from tests.stack import Stack, events_of, serving, text_of


@pytest.fixture(scope="module")
def models() -> Iterator[tuple[FakeModel, FakeModel]]:
    one: list[dict[str, Any]] = [
        {"when": {"contains": "slow"}, "think": "Hm.\n", "say": "one and " * 60, "pace": "15ms"},
        {"say": "one"},
    ]
    with fake_model(scenes=one) as first, fake_model(scenes=[{"say": "two"}]) as second:
        yield first, second


def written(models: tuple[FakeModel, FakeModel], routes: str, upstreams: str = "", checks: str = "") -> str:
    first, second = models
    named = f"upstreams:\n  a: {{url: {first.url}}}\n  b: {{url: {second.url}}}\n{upstreams}"
    return f"{checks}{named}routes:\n{routes}"


@contextmanager
def routed(folder: Path, text: str, **more: Any) -> Iterator[Stack]:
    """As `serve --routes` wires it."""
    (folder / "p.yaml").write_text(policy(), "utf-8")
    file = folder / "routes.yaml"
    file.write_text(text, "utf-8")
    chosen = Settings(audit="off", policy=str(folder / "p.yaml"), routes=str(file), policy_reload_seconds=LOOKS, **more)
    builder, metrics, sink = Builder(Registry()), Metrics(), MemorySink()
    usual = load(chosen.policy, builder.registry, builder)
    built = build_routes(load_routes(file, builder, {usual.name: usual}, usual), builder, Site(), UpstreamMetrics(metrics))
    app = assemble(chosen, built.routes, builder, checks=built.checks, audit=Audit(sink), metrics=metrics, follows=True)
    with serving(app, sink, metrics) as proxy:
        yield proxy


def said(proxy: Stack, model: str, prompt: str = "hello", **body: Any) -> str:
    reply = proxy.ask(prompt, **{"model": model, **body})
    return str(reply.json()["choices"][0]["message"]["content"]) if reply.status_code == 200 else str(reply.status_code)


def test_names_groups_conditions_and_limits_are_taken_in_while_streams_go_on(
    models: tuple[FakeModel, FakeModel], tmp_path: Path
) -> None:
    file = tmp_path / "routes.yaml"
    with routed(tmp_path, written(models, "  r1: {use: [a]}\n")) as proxy:
        assert (said(proxy, "r1"), said(proxy, "r2")) == ("one", "404")
        body = {"model": "r1", "stream": True, "messages": [{"role": "user", "content": "slow"}]}
        with proxy.client.stream("POST", f"{proxy.url}/chat/completions", json=body) as running:
            chunks = running.iter_bytes()
            data = next(chunks)
            new = "  r1: {use: [b]}\n  r2: {use: [a], aliases: [other], choose: [{when: {effort: [high]}, use: [b]}]}\n"
            replaced(file, written(models, new))
            until(lambda: said(proxy, "r1") == "two")
            data += b"".join(chunks)
        assert text_of(events_of(data)) == "one and " * 60
        assert (said(proxy, "r2"), said(proxy, "other"), said(proxy, "r2", reasoning_effort="high")) == ("one", "one", "two")
        assert {one["id"] for one in proxy.client.get(f"{proxy.url}/models").json()["data"]} == {"r1", "r2"}
        assert reloads(proxy, "taken") == 1
        replaced(file, written(models, "  r2: {use: [a], limits: {requests_per_minute: 1}}\n"))
        until(lambda: said(proxy, "r1") == "404")
        assert [said(proxy, "r2") for _ in range(2)] == ["one", "429"]


def test_weights_are_taken_in(models: tuple[FakeModel, FakeModel], tmp_path: Path) -> None:
    text = written(models, "  r1: {use: [a, b], balance: weighted, affinity: none}\n")
    with routed(tmp_path, text) as proxy:
        assert [said(proxy, "r1") for _ in range(8)].count("two") == 4
        replaced(tmp_path / "routes.yaml", text.replace("b: {", "b: {weight: 3, "))
        until(lambda: reloads(proxy, "taken") == 1)
        assert [said(proxy, "r1") for _ in range(8)].count("two") == 6


@pytest.mark.parametrize(
    ("upstreams", "checks", "what"),
    [
        ("  c: {url: 'http://127.0.0.1:9/v1'}\n", "", "upstreams.c (new)"),
        ("", "checks: {every: 7s}\n", "checks.every"),
        ("", "breaker: {failures: 9}\n", "breaker.failures"),
    ],
)
def test_what_needs_a_restart_is_told_and_no_route_is_half_taken(
    models: tuple[FakeModel, FakeModel], tmp_path: Path, upstreams: str, checks: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "routes.yaml"
    before = written(models, "  r1: {use: [a]}\n")
    with routed(tmp_path, before) as proxy:
        replaced(file, written(models, "  r1: {use: [b]}\n  r2: {use: [b]}\n", upstreams, checks))
        until(lambda: reloads(proxy, "restart") == 1)
        assert f"{file}: {what}: RESTART NEEDED" in caplog.text
        assert (said(proxy, "r1"), said(proxy, "r2")) == ("one", "404")
        replaced(tmp_path / "p.yaml", policy(word="quince"))  # policies are taken in all the same
        until(lambda: said(proxy, "r1", "a quince") == "400")
        assert reloads(proxy, "restart") == 1
        replaced(file, before.replace("use: [a]", "use: [b]"))
        until(lambda: said(proxy, "r1") == "two")


def test_a_mistake_in_a_routes_file_changes_nothing(
    models: tuple[FakeModel, FakeModel], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with routed(tmp_path, written(models, "  r1: {use: [a]}\n")) as proxy:
        replaced(tmp_path / "routes.yaml", written(models, "  r1: {use: [bb]}\n"))
        until(lambda: reloads(proxy, "refused") == 1)
        assert "there is no upstream 'bb'" in caplog.text
        assert said(proxy, "r1") == "one"


def test_limits_that_nobody_could_count_are_refused(
    models: tuple[FakeModel, FakeModel], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with routed(tmp_path, written(models, "  r1: {use: [a]}\n"), replicas=2) as proxy:
        replaced(tmp_path / "routes.yaml", written(models, "  r1: {use: [b], limits: {requests_per_minute: 1}}\n"))
        until(lambda: reloads(proxy, "refused") == 1)
        assert "routes.r1.limits" in caplog.text
        assert [said(proxy, "r1") for _ in range(2)] == ["one", "one"]


def test_edits_under_load_lose_no_request(models: tuple[FakeModel, FakeModel], tmp_path: Path) -> None:
    stop, answers = threading.Event(), list[int]()
    with routed(tmp_path, written(models, "  r1: {use: [a]}\n")) as proxy:

        def client() -> None:
            with httpx.Client(trust_env=False, timeout=30) as http:
                while not stop.is_set():
                    body = {"model": "r1", "messages": [{"role": "user", "content": "hello"}]}
                    answers.append(http.post(f"{proxy.url}/chat/completions", json=body).status_code)

        crowd = [threading.Thread(target=client, daemon=True) for _ in range(4)]
        for one in crowd:
            one.start()
        for number in range(6):
            use, wanted = ("b", "two") if number % 2 == 0 else ("a", "one")
            replaced(tmp_path / "routes.yaml", written(models, f"  r1: {{use: [{use}]}}\n"))
            until(lambda wanted=wanted: said(proxy, "r1") == wanted)  # type: ignore[misc]  # bound now
        stop.set()
        for one in crowd:
            one.join(30)
    assert set(answers) == {200}
    assert len(answers) > 10
