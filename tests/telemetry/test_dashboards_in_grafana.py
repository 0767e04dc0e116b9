"""The dashboards as Grafana's own models read them: a field that Grafana does not know would be lost there without a word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

DASHBOARDS = sorted((Path(__file__).parents[2] / "deploy/grafana/dashboards").glob("*.json"))


def understood(written: Any) -> Any:
    """What is left of a dashboard once Grafana's models have read it."""
    register_default_plugins()  # without them queries and panels pass unread
    return json.loads(JSONEncoder().encode(Dashboard.from_json(written)))


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """The fields of `before` that `after` lacks, or has with another value."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            yield from lost(value, after.get(name), f"{path}.{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for at, value in enumerate(before):
            yield from lost(value, after[at], f"{path}[{at}]")
    elif before != after:
        yield path


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_grafana_understands_every_field(path: Path) -> None:
    written = json.loads(path.read_text())
    assert list(lost(written, understood(written))) == []


def test_a_field_that_grafana_does_not_know_is_found() -> None:
    written = json.loads(DASHBOARDS[0].read_text())
    panel = next(panel for panel in written["panels"] if panel.get("targets"))
    panel["colour"] = panel["targets"][0]["query"] = panel["fieldConfig"]["defaults"]["units"] = "red"
    at = f".panels[{written['panels'].index(panel)}]"
    assert set(lost(written, understood(written))) == {
        f"{at}.colour",
        f"{at}.targets[0].query",
        f"{at}.fieldConfig.defaults.units",
    }
