"""A real server with everything on, its page, and a real Prometheus: every query that is anywhere finds the metrics it names."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.cli.running import run, started
from tests.fake_model import fake_model
from tests.redis_server import running_redis
from tests.services import free_port
from tests.telemetry.collector import collector
from tests.telemetry.declared import declared
from tests.telemetry.test_alerts import ALERTS, ROOT, expressions, plain

PROMETHEUS = shutil.which("prometheus")
SCENES: list[dict[str, Any]] = [
    {"when": "broken", "fail": {"how": "http_503"}},
    {"when": "mend", "say": "A clean sentence. Then a kumquat falls. ", "go_on": ["And an apple falls."]},
    {"think": "Let me see.", "say": "Hello there."},
]
RULES = """
name: {name}
reasoning: show
rules:
  secrets: {{use: secrets, on: [prompt, answer], do: redact}}
  bomb: {{use: patterns, on: [prompt], do: {do}, words: [zeppelin]}}
  word: {{use: patterns, on: [answer], words: [kumquat], do: repair, tries: 2}}
  harm: {{use: harm, on: [prompt, answer], do: flag}}
  away:
    {{use: remote, protocol: tei, labels: {{BAD: bad}}, on: [prompt], url: "http://127.0.0.1:9/judge", do: flag, on_error: flag}}
"""
Families = dict[str, list[Any]]


@contextmanager
def everything(folder: Path) -> Iterator[tuple[str, Callable[..., int]]]:
    """A server with routes, keys, limits, a queue, Redis, a shadow, notices, and traces: its address, and how to ask it."""
    (folder / "rules").mkdir()
    (folder / "rules" / "default.yaml").write_text(RULES.format(name="default", do="block"), "utf-8")
    (folder / "candidate.yaml").write_text(RULES.format(name="candidate", do="flag"), "utf-8")
    environ = {"SLUICEGATE_DATABASE": f"sqlite:///{folder}/one.db", "SLUICEGATE_VERDICT_CACHE_SECRET": "s" * 40}
    made = run("keys", "create", "--name", "scraped", "--limit", "requests_per_minute=5", cwd=folder, **environ)
    key = re.search(r"sk-sg-\S+", made.stdout)
    assert key, made.stdout + made.stderr
    with fake_model(scenes=SCENES) as model, running_redis() as redis, collector() as told:
        routes = f"upstreams: {{a: {{url: {model.url}}}}}\nroutes: {{deepseek-r1: {{use: [a]}}}}\n"
        (folder / "routes.yaml").write_text(routes, "utf-8")
        chosen = {
            "redis_url": redis.url,
            "verdict_cache": "redis",
            "upstream_concurrency": "4",
            "shadow": str(folder / "candidate.yaml"),
        }
        flags = [word for name, value in chosen.items() for word in ("--set", f"{name}={value}")]
        command = ("serve", "--routes", "routes.yaml", "--policy", str(folder / "rules"), "--port", "0", *flags)
        with started(
            *command, cwd=folder, OTEL_EXPORTER_OTLP_ENDPOINT=told.url, OTEL_BSP_SCHEDULE_DELAY="50", **environ
        ) as running:

            def ask(text: str, who: str = key[0], **more: Any) -> int:
                body = {"model": "deepseek-r1", "messages": [{"role": "user", "content": text}], **more}
                headers = {"authorization": f"Bearer {who}"}
                url = f"{running.where}/v1/chat/completions"
                return httpx.post(url, json=body, headers=headers, timeout=30, trust_env=False).status_code

            yield running.where, ask
            assert running.stop() == 0, (folder / "log").read_text("utf-8")


def page(where: str) -> Families:
    """The samples of each family that is on the page, those that have none yet among them."""
    answer = httpx.get(f"{where}/metrics", headers={"accept": "application/openmetrics-text"}, trust_env=False)
    return {one.name: list(one.samples) for one in text_string_to_metric_families(answer.text)}  # type: ignore[no-untyped-call]  # the library leaves it bare


def waited(condition: Callable[[], bool], within: float = 30.0) -> bool:
    """Whether it came true in time."""
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Families]]:
    """The server after a session that touches most of what is counted, and its page."""
    with everything(tmp_path_factory.mktemp("everything")) as (where, ask):
        assert ask("hello") == 200
        assert ask("a zeppelin") == 400
        assert ask("mend") == 200
        assert ask("broken") == 503
        assert ask("hello", stream=True, strange_field=1) in (200, 400)
        assert 429 in (ask("hello") for _ in range(12))
        assert ask("hello", "sk-sg-nobody") == 401
        assert waited(lambda: bool(page(where)["sluicegate_shadow_exchanges"]) and bool(page(where)["sluicegate_trace_spans"]))
        yield where, page(where)


def labels(samples: list[Any]) -> set[tuple[str, ...]]:
    """The names of the labels, as they are used."""
    return {tuple(sorted(set(each.labels) - {"le"})) for each in samples}


def test_what_the_program_declares_is_on_its_page_and_nothing_else(scraped: tuple[str, Families]) -> None:
    _, families = scraped
    known = {f"sluicegate_{one.name}": one for one in declared().values()}
    assert {name for name in families if name.startswith("sluicegate_")} == known.keys()
    for name, one in known.items():
        assert labels(families[name]) <= {tuple(sorted(one.labels))}, name
    silent = {name for name in known if not families[name]}
    assert len(silent) < len(known) / 4, silent  # else this looks at nothing


SELECTOR = re.compile(r"(sluicegate_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
ADDED = ("le", "job", "instance", "namespace")
"""Labels that are there without the program's doing."""
GROUPED = re.compile(r"by \(([^)]*)\)\s*\((?:[^()]|\([^()]*\))*")


@functools.cache
def words() -> frozenset[str]:
    """What stands in the program in quotes: a label's value must be among it, or nobody ever writes it."""
    files = [file for folder in ("proxy", "policies", "classifiers") for file in (ROOT / folder).rglob("*.py")]
    return frozenset(word for file in files for word in re.findall(r"[\"']([a-z0-9_/{}]+)[\"']", file.read_text("utf-8")))


def wrong(expression: str) -> list[str]:
    """Labels that a metric does not have, and values that they never have."""
    series, found = {name: one for one in declared().values() for name in one.series}, []
    for name, inside in SELECTOR.findall(expression):
        for label, how, value in MATCHER.findall(inside):
            found += [] if label in {*series[name].labels, *ADDED} else [f"{name} has no label {label}"]
            closed = how in ("=", "!=") and label in series[name].labels and value != "x"  # what `plain` puts for a variable
            known = value in words() or value.isupper() or value.isdigit()  # capitals are for the reader to replace
            found += [f"{label} of {name} is never {value}"] if closed and not known else []
    for group in GROUPED.finditer(expression):
        asked = {word.strip() for word in group[1].split(",")}
        for name in re.findall(r"sluicegate_\w+", group[0]):
            found += [f"{name} has no label {label}" for label in sorted(asked - {*series[name].labels, *ADDED})]
    return found


@pytest.mark.parametrize("place", sorted(expressions()))
def test_each_metric_has_the_labels_it_is_asked_for_and_they_can_have_these_values(place: str) -> None:
    assert wrong(plain(expressions()[place])) == []


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        (
            "sum by (rule) (rate(sluicegate_verdicts_total[5m])) / sum by (rule) (rate(sluicegate_exchanges_total[5m]))",
            "no label rule",
        ),
        ('sum(rate(sluicegate_exchanges_total{outcome="prompt_blockd"}[5m]))', "never prompt_blockd"),
        ('rate(sluicegate_held_seconds_bucket{channel="answer",rule="a"}[5m])', "no label rule"),
    ],
)
def test_what_is_wrong_is_found(expression: str, said: str) -> None:
    assert said in wrong(expression)[0]


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[httpx.Client]:
    """A Prometheus that scrapes the server, with what we ship as its rules."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(ALERTS)],
        "scrape_configs": [{"job_name": "sluicegate", "static_configs": [{"targets": [target.removeprefix("http://")]}]}],
    }
    (folder / "prometheus.yaml").write_bytes(orjson.dumps(config))
    command = [
        str(PROMETHEUS),
        f"--config.file={folder}/prometheus.yaml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with open(folder / "log", "wb") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False, timeout=30) as client:
                yield client
        finally:
            process.terminate()


@pytest.mark.skipif(PROMETHEUS is None, reason="Prometheus is not here: apt-get install prometheus")
def test_a_real_prometheus_answers_every_query_and_loads_the_alerts(scraped: tuple[str, Families], tmp_path: Path) -> None:
    where, families = scraped
    with prometheus(tmp_path, where) as asked:

        def answer(path: str, **more: Any) -> Any:
            try:
                return asked.get(path, params=more).json()["data"]
            except (httpx.HTTPError, ValueError, KeyError):
                return {}

        up = waited(lambda: bool(answer("/query", query="sluicegate_build_info").get("result")), 60)
        assert up, (tmp_path / "log").read_text("utf-8")
        for place, expression in expressions().items():
            told = asked.get("/query", params={"query": plain(expression)}).json()
            assert told["status"] == "success", (place, told)
        spoken = {sample.name for samples in families.values() for sample in samples if sample.name.startswith("sluicegate_")}
        for place, expression in expressions().items():
            for name in set(re.findall(r"sluicegate_\w+", expression)) & spoken:
                assert answer("/series", **{"match[]": name}), (place, name)
        groups = answer("/rules")["groups"]
        assert all(rule["health"] in ("ok", "unknown") for group in groups for rule in group["rules"]), groups
