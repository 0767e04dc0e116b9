"""The dashboards, as a Grafana would read them: their shape, their sources, and that they are what their program makes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from tests.telemetry.declared import declared
from tests.telemetry.test_alerts import DASHBOARDS, expressions

GRAFANA = DASHBOARDS.parent
SOURCE = {
    "type": "object",
    "required": ["type", "uid"],
    "properties": {"type": {"const": "prometheus"}, "uid": {"const": "${datasource}"}},
}
PLACE = {
    "type": "object",
    "required": ["x", "y", "w", "h"],
    "properties": {
        "x": {"type": "integer", "minimum": 0, "maximum": 23},
        "y": {"type": "integer", "minimum": 0},
        "w": {"type": "integer", "minimum": 1, "maximum": 24},
        "h": {"type": "integer", "minimum": 1},
    },
}
TARGET = {
    "type": "object",
    "required": ["refId", "expr", "datasource"],
    "properties": {"refId": {"pattern": "^[A-Z]$"}, "expr": {"minLength": 1}, "datasource": SOURCE},
}
PANEL = {
    "type": "object",
    "required": ["id", "type", "title", "gridPos"],
    "properties": {
        "type": {"enum": ["timeseries", "stat", "table", "row"]},
        "title": {"type": "string", "minLength": 1},
        "gridPos": PLACE,
        "datasource": SOURCE,
        "targets": {"type": "array", "minItems": 1, "items": TARGET},
    },
    "if": {"properties": {"type": {"const": "row"}}},
    "else": {"required": ["targets", "datasource", "fieldConfig"]},
}
HAS_SOURCE = {"contains": {"properties": {"name": {"const": "datasource"}, "query": {"const": "prometheus"}}}}
SCHEMA = {
    "type": "object",
    "required": ["uid", "title", "schemaVersion", "panels", "templating", "time"],
    "properties": {
        "uid": {"pattern": "^[a-zA-Z0-9_-]{1,40}$"},
        "title": {"type": "string", "minLength": 1},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "id": {"type": "null"},
        "panels": {"type": "array", "minItems": 1, "items": PANEL},
        "templating": {"type": "object", "required": ["list"], "properties": {"list": HAS_SOURCE}},
    },
}
NAMES = sorted(path.name for path in DASHBOARDS.glob("*.json"))


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads((DASHBOARDS / name).read_bytes())
    return found


def test_there_is_one_for_safety_and_one_for_service() -> None:
    assert NAMES == ["safety.json", "service.json"]


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_has_the_shape_that_grafana_reads(name: str) -> None:
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(read(name))] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_panel_lies_on_another_and_each_has_its_own_number(name: str) -> None:
    panels = read(name)["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    taken = set[tuple[int, int]]()
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not taken & cells, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", NAMES)
def test_variables_that_are_used_are_there(name: str) -> None:
    dashboard = read(name)
    known = {one["name"] for one in dashboard["templating"]["list"]}
    text = orjson.dumps(dashboard).decode()
    assert "${datasource}" in text
    assert ("$rule" in text) == ("rule" in known)


@pytest.mark.parametrize("name", NAMES)
def test_legends_and_variables_name_labels_that_there_are(name: str) -> None:
    dashboard = read(name)
    for one in dashboard["templating"]["list"]:
        if found := re.fullmatch(r"label_values\(sluicegate_(\w+), (\w+)\)", one["query"]):
            assert found[2] in declared()[found[1]].labels
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            kept = {label for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in group.split(", ")}
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept, panel["title"]


def test_they_are_what_their_program_makes() -> None:
    done = subprocess.run([sys.executable, str(GRAFANA / "make.py"), "--check"], check=False)
    assert done.returncode == 0, "run python deploy/grafana/make.py"


def test_safety_is_seen_by_rule_channel_tenant_and_version() -> None:
    queries = " ".join(one for place, one in expressions().items() if place.startswith("safety.json"))
    assert [word for word in ("by (rule", "by (channel", "by (tenant", "by (policy, digest") if word not in queries] == []


def test_what_matters_is_somewhere() -> None:
    """Metrics that are in no picture and no alert: what they say is looked up when it is needed."""
    used = " ".join(expressions().values())
    unseen = {name for name, one in declared().items() if not any(series in used for series in one.series)}
    assert unseen <= {
        "unknown_response_fields_total",
        "dropped_request_fields_total",
        "route_exchanges_total",
        "upstream_requests_total",
        "keys",
        "build_info",
        "shadow_unseen_total",
        "ledger_waiting",
    }


def test_what_provisions_them_names_their_folder_and_the_source() -> None:
    def load(path: Path) -> Any:
        return YAML(typ="safe", pure=True).load(path.read_text("utf-8"))

    (provider,) = load(GRAFANA / "provisioning" / "dashboards" / "sluicegate.yaml")["providers"]
    (source,) = load(GRAFANA / "provisioning" / "datasources" / "prometheus.yaml")["datasources"]
    mounts = load(GRAFANA.parent / "compose.yaml")["services"]["grafana"]["volumes"]
    assert provider["options"]["path"] in {mount["target"] for mount in mounts}
    assert source["type"] == "prometheus"
