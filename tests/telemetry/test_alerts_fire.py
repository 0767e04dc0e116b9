"""Each alert in Prometheus' own unit tests: it fires on what it is for, and not on a quiet day."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.telemetry.test_alerts import ALERTS, alerts

PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not here: apt-get install prometheus")

WELL = {'exchanges_total{outcome="answered"}': "0+60x2000", 'exchanges_total{outcome="prompt_blocked"}': "0+1x2000"}
"""One exchange a second, one in sixty blocked; a sample a minute."""
Series = dict[str, str]
FIRES: dict[str, tuple[Series, dict[str, str]]] = {
    "SluicegateUnjudged": ({'unjudged_total{rule="harm",reason="timeout"}': "0+6x2000"}, {"rule": "harm", "reason": "timeout"}),
    "SluicegateBlocksMoreThanUsual": (
        {'exchanges_total{outcome="answered"}': "0+60x2000", 'exchanges_total{outcome="prompt_blocked"}': "0+1x1400 1401+30x599"},
        {},
    ),
    "SluicegateSeveralPolicies": (
        {'policy_info{name="a",digest="1"}': "1x2000", 'policy_info{name="a",digest="2"}': "1x2000"},
        {"name": "a"},
    ),
    "SluicegatePolicyNotTaken": ({'policy_reload_total{outcome="refused"}': "0x1435 1x565"}, {"outcome": "refused"}),
    "SluicegateLedgerNotAnchored": ({'ledger_failures{what="anchor"}': "0+6x2000"}, {"what": "anchor"}),
    "SluicegateLedgerRefuses": ({"ledger_refusing": "1x2000"}, {}),
    "SluicegateDown": ({"up": "0x2000"}, {}),
    "SluicegateFails": (WELL | {'exchanges_total{outcome="failed"}': "0+2x2000"}, {}),
    "SluicegateUpstreamErrors": (WELL | {'exchanges_total{outcome="upstream_error"}': "0+10x2000"}, {}),
    "SluicegateUpstreamDown": ({'upstream_standing{upstream="a"}': "3x2000"}, {"upstream": "a"}),
    "SluicegateHoldsLong": (
        {
            'held_seconds_bucket{channel="answer",le="2.5"}': "0+50x2000",
            'held_seconds_bucket{channel="answer",le="5"}': "0+60x2000",
            'held_seconds_bucket{channel="answer",le="+Inf"}': "0+60x2000",
        },
        {"channel": "answer"},
    ),
    "SluicegateQueueGrows": ({"queue_waiting": "150x2000"}, {}),
    "SluicegateLimitsWithoutRedis": ({'limits_backend{backend="local_share"}': "1x2000"}, {}),
    "SluicegateKeysOld": ({'keys_age_seconds{source="database"}': "300x2000"}, {"source": "database"}),
    "SluicegateSheds": ({'shed_total{why="lag"}': "0+12x2000"}, {"why": "lag"}),
    "SluicegateTracesLost": (
        {'trace_spans_total{outcome="sent"}': "0+60x2000", 'trace_spans_total{outcome="dropped"}': "0+30x2000"},
        {},
    ),
}
QUIET: Series = WELL | {
    'policy_info{name="a",digest="1"}': "1x2000",
    'policy_reload_total{outcome="taken"}': "0+1x2000",
    'ledger_failures{what="anchor"}': "1x2000",
    "ledger_refusing": "0x2000",
    'upstream_standing{upstream="a"}': "0x2000",
    'held_seconds_bucket{channel="answer",le="0.01"}': "0+60x2000",
    'held_seconds_bucket{channel="answer",le="+Inf"}': "0+60x2000",
    'limits_backend{backend="redis"}': "1x2000",
    'limits_backend{backend="local_share"}': "0x2000",
    'keys_age_seconds{source="database"}': "1x2000",
    'trace_spans_total{outcome="sent"}': "0+60x2000",
    "queue_waiting": "3x2000",
    "up": "1x2000",
}


def tried(folder: Path, series: Series, expected: list[dict[str, Any]]) -> str:
    """What promtool says of alerts a day after the series began; empty where they are the expected ones."""
    values = [
        {"series": f'{name}{{job="sluicegate"}}' if name == "up" else f"sluicegate_{name}", "values": told}
        for name, told in series.items()
    ]
    asked = [
        {"eval_time": "24h", "alertname": name, "exp_alerts": [one["alert"] for one in expected if one["name"] == name]}
        for name in alerts()
    ]
    test = {"interval": "1m", "input_series": values, "alert_rule_test": asked}
    file = folder / "test.yaml"
    file.write_bytes(orjson.dumps({"rule_files": [str(ALERTS)], "evaluation_interval": "5m", "tests": [test]}))
    done = subprocess.run([str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def expected(name: str, labels: dict[str, str]) -> dict[str, Any]:
    rule = alerts()[name]
    said = {
        key: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda one: labels[one[1]], text) for key, text in rule["annotations"].items()
    }
    return {"name": name, "alert": {"exp_labels": {**rule["labels"], **labels}, "exp_annotations": said}}


def test_every_alert_is_tried() -> None:
    assert FIRES.keys() == alerts().keys()


@pytest.mark.parametrize("name", sorted(FIRES))
def test_an_alert_fires_on_what_it_is_for_and_no_other_does(tmp_path: Path, name: str) -> None:
    series, labels = FIRES[name]
    alive = series if "up" in series else {**series, "up": "1x2000"}
    assert tried(tmp_path, alive, [expected(name, labels)]) == ""


def test_none_fires_on_a_quiet_day(tmp_path: Path) -> None:
    assert tried(tmp_path, QUIET, []) == ""
