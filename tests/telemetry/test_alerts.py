"""Alerts, their runbooks and the dashboards: each has the other, and all that they name exists."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML

from tests.telemetry.promql import slips

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
BOOKS = ROOT / "docs" / "runbooks"
DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
PROMTOOL = shutil.which("promtool")
PARTS = ("## What it means", "## Look", "## Do", "## When it is no trouble")
SEVERITIES = {"page": "Page.", "ticket": "Ticket."}


@functools.cache
def alerts() -> dict[str, dict[str, Any]]:
    groups = YAML(typ="safe", pure=True).load(ALERTS.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def books() -> dict[str, str]:
    return {path.stem: path.read_text("utf-8") for path in BOOKS.glob("*.md") if path.stem != "README"}


def code(text: str) -> list[str]:
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    return [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def queries(text: str) -> list[str]:
    """The lines of a page that are for Prometheus."""
    return [
        line for line in code(text) if re.match(r"(up|sum|max|count|topk|rate|histogram_quantile|increase|sluicegate_)", line)
    ]


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


@functools.cache
def expressions() -> dict[str, str]:
    """Every query that is anywhere, by its place."""
    found = {f"alert {name}": rule["expr"] for name, rule in alerts().items()}
    pages = {**books(), "README": (BOOKS / "README.md").read_text("utf-8")}
    found |= {f"runbook {name} {at}": line for name, text in pages.items() for at, line in enumerate(queries(text))}
    for path in DASHBOARDS.glob("*.json"):
        for panel in panels(orjson.loads(path.read_bytes())):
            for at, target in enumerate(panel.get("targets", ())):
                found[f"{path.name}: {panel['id']} {panel['title']} {at}"] = target["expr"]
    return found


def plain(expression: str) -> str:
    """Without Grafana's variables, which Prometheus does not know."""
    expression = re.sub(r"\[\$__\w+\]", "[5m]", expression)
    return re.sub(r"\$\{?\w+(:\w+)?\}?", "x", expression)


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    named = {name: rule["annotations"].get("runbook") for name, rule in alerts().items()}
    assert named == {name: f"docs/runbooks/{name}.md" for name in named}
    assert named.keys() == books().keys()


@pytest.mark.parametrize("name", sorted(books()))
def test_a_runbook_says_what_one_needs_at_night(name: str) -> None:
    text, rule = books()[name], alerts()[name]
    assert [part for part in PARTS if part not in text] == []
    assert "**Who is served sees:**" in text
    assert text.startswith(f"# {name}\n\n{SEVERITIES[rule['labels']['severity']]} ")
    assert queries(text)
    assert f"[{name}]({name}.md)" in (BOOKS / "README.md").read_text("utf-8")


def test_alerts_say_what_is_wrong() -> None:
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in SEVERITIES, name
        assert all(rule["annotations"][said] for said in ("summary", "description")), name
        used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert used <= set(re.findall(r"\w+", rule["expr"])), name


@pytest.mark.parametrize("place", sorted(expressions()))
def test_every_query_names_what_there_is(place: str) -> None:
    assert slips(plain(expressions()[place])) == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("sum(rate(sluicegate_requests_total[5m])", "is missing"),
        ("sum(rate(sluicegate_request_total[5m]))", "no metric sluicegate_request_total"),
        ("sum by (rule) (rate(sluicegate_requests_total[5m]))", "label rule"),
        ('rate(sluicegate_requests_total{state="200"}[5m])', "label state"),
        ("rates(sluicegate_requests_total[5m])", "no function rates"),
        ("sluicegate_held_seconds > 1", "no metric sluicegate_held_seconds"),
        ("sum(in_flight) ; 1", "no PromQL"),
    ],
)
def test_slips_are_found(wrong: str, said: str) -> None:
    assert any(said in slip for slip in slips(wrong)), slips(wrong)


def test_commands_of_runbooks_exist() -> None:
    from typer.main import get_command

    from proxy.cli.main import app

    known = get_command(app)
    pages = {**books(), "README": (BOOKS / "README.md").read_text("utf-8")}
    for name, text in pages.items():
        for line in code(text):
            if not line.startswith("sluicegate "):
                continue
            command: Any = known
            for word in line.split()[1:]:
                if hasattr(command, "commands"):
                    assert word in command.commands, (name, line)
                    command = command.commands[word]
                elif word.startswith("--"):
                    options = {"--help"} | {option for each in command.params for option in each.opts}
                    assert word.partition("=")[0] in options, (name, line)


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here: apt-get install prometheus")
def test_prometheus_itself_takes_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"test:query_{at}", "expr": plain(one)} for at, one in enumerate(expressions().values())]
    (tmp_path / "all.yaml").write_bytes(orjson.dumps({"groups": [{"name": "all", "rules": rules}]}))
    for file in (str(tmp_path / "all.yaml"), str(ALERTS)):
        done = subprocess.run([str(PROMTOOL), "check", "rules", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
