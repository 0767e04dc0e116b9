"""Makes the dashboards: `python deploy/grafana/make.py [--check]`. Change them here, not in Grafana.

A panel is a line: its title, its unit, and its queries with their legends. Where it stands follows from its order.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).parent / "dashboards"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS, WIDE, HIGH, FLAT = 24, 12, 8, 4
SPAN = "[$__rate_interval]"
Kind = Literal["timeseries", "stat", "table", "row"]


@dataclass(frozen=True)
class Query:
    """PromQL and what its lines are called. `example`: points of the histogram lead to exchanges and traces."""

    expr: str
    legend: str = ""
    example: bool = False


@dataclass(frozen=True)
class Panel:
    """A picture, a number, a table, or with `kind` row a headline."""

    title: str
    unit: str = "short"
    queries: tuple[Query, ...] = ()
    kind: Kind = "timeseries"
    says: str = ""
    stacked: bool = False


def row(title: str) -> Panel:
    """A headline."""
    return Panel(title, kind="row")


def per_second(metric: str, by: str, chosen: str = "") -> str:
    """A counter's rate by some labels."""
    return f"sum by ({by}) (rate(sluicegate_{metric}{{{chosen}}}{SPAN}))"


def rate(metric: str, chosen: str = "") -> str:
    """A counter's rate, of all together."""
    return f"sum(rate(sluicegate_{metric}{{{chosen}}}{SPAN}))" if chosen else f"sum(rate(sluicegate_{metric}{SPAN}))"


def part(metric: str, chosen: str) -> str:
    """The share of those that are chosen; 0 where there are none of them."""
    return f"({rate(metric, chosen)} or vector(0)) / {rate(metric)}"


def mean(metric: str, chosen: str) -> str:
    """What a histogram's values are on the average."""
    return f"{rate(metric + '_sum', chosen)} / {rate(metric + '_count', chosen)}"


def lines(title: str, unit: str, *queries: Query, says: str = "", stacked: bool = False) -> Panel:
    """A picture over time."""
    return Panel(title, unit, queries, "timeseries", says, stacked)


def number(title: str, unit: str, expr: str, says: str = "") -> Panel:
    """One number."""
    return Panel(title, unit, (Query(expr),), "stat", says)


def quantiles(title: str, metric: str, by: str, chosen: str = "", says: str = "") -> Panel:
    """The median and the 99th of a hundred."""
    inner = f"sum by (le, {by}) (rate(sluicegate_{metric}_bucket{{{chosen}}}{SPAN}))"
    asked = [Query(f"histogram_quantile({at}, {inner})", f"{{{{{by}}}}} p{at[2:].ljust(2, '0')}", True) for at in ("0.5", "0.99")]
    return lines(title, "s", *asked, says=says)


BLOCKED = 'outcome=~"prompt_blocked|answer_blocked"'
SAFETY = (
    number("Exchanges a second", "reqps", f"sum(rate(sluicegate_exchanges_total{SPAN}))"),
    number(
        "Blocked",
        "percentunit",
        part("exchanges_total", BLOCKED),
    ),
    number(
        "Not judged, a second",
        "short",
        f"sum(rate(sluicegate_unjudged_total{SPAN})) or vector(0)",
        "Each of them ended as its rule's on_error says.",
    ),
    number("Versions of policies in force", "short", "count(count by (name, digest) (sluicegate_policy_info == 1))"),
    row("Verdicts"),
    lines(
        "By rule",
        "short",
        Query(per_second("verdicts_total", "rule, action", 'rule=~"$rule"'), "{{rule}} {{action}}"),
        stacked=True,
    ),
    lines(
        "By channel",
        "short",
        Query(per_second("verdicts_total", "channel, action", 'rule=~"$rule"'), "{{channel}} {{action}}"),
        stacked=True,
    ),
    lines(
        "By tenant: what became of exchanges",
        "reqps",
        Query(per_second("tenant_exchanges_total", "tenant, action", 'action!="allow"'), "{{tenant}} {{action}}"),
    ),
    lines(
        "By version of the policy",
        "reqps",
        Query(per_second("policy_exchanges_total", "policy, digest, action"), "{{policy}} {{digest}} {{action}}"),
    ),
    lines("How exchanges end", "reqps", Query(per_second("exchanges_total", "outcome"), "{{outcome}}"), stacked=True),
    lines("What could not be judged", "short", Query(per_second("unjudged_total", "rule, reason"), "{{rule}} {{reason}}")),
    lines("Written again", "short", Query(per_second("repairs_total", "rule, way"), "{{rule}} {{way}}")),
    row("Policies in motion"),
    lines(
        "Changes of policies", "short", Query("sum by (outcome) (increase(sluicegate_policy_reload_total[10m]))", "{{outcome}}")
    ),
    lines("Notices of changes that replicas heard", "short", Query(per_second("notices_total", "topic"), "{{topic}}")),
    lines("The shadow: exchanges", "reqps", Query(per_second("shadow_exchanges_total", "result"), "{{result}}")),
    lines(
        "The shadow: rules that differ",
        "short",
        Query(per_second("shadow_rules_total", "rule, result", 'result!="agree"'), "{{rule}} {{result}}"),
    ),
    row("The door and the ledger"),
    lines("Not let in", "short", Query(per_second("keys_refused_total", "reason"), "{{reason}}")),
    lines(
        "The ledger's lines without an anchor",
        "short",
        Query('sum(sluicegate_ledger_lines{state="written"}) - sum(sluicegate_ledger_lines{state="anchored"})', "lines"),
    ),
    lines(
        "Replicas that refuse exchanges, since the ledger's database is gone",
        "short",
        Query("sum(sluicegate_ledger_refusing) or vector(0)", "refusing"),
    ),
)
SERVICE = (
    number("In flight", "short", "sum(sluicegate_in_flight)"),
    number("Waiting in the queue", "short", "sum(sluicegate_queue_waiting)"),
    number(
        "Failed",
        "percentunit",
        part("exchanges_total", 'outcome=~"failed|upstream_error"'),
    ),
    number("Answer tokens a second", "short", f'sum(rate(sluicegate_tokens_total{{kind=~"answer|completion"}}{SPAN}))'),
    row("What callers wait for"),
    quantiles(
        "First token",
        "first_token_seconds",
        "seen_by",
        says="At the client, and as the model server gave it: between the two are our rules.",
    ),
    lines(
        "First token: what we add, on the average",
        "s",
        Query(" - ".join(mean("first_token_seconds", f'seen_by="{one}"') for one in ("client", "upstream")), "added"),
    ),
    quantiles("Text held for its verdict", "held_seconds", "channel"),
    quantiles("Whole exchanges", "exchange_seconds", "outcome"),
    row("Load"),
    lines("Requests", "reqps", Query(per_second("requests_total", "route, status"), "{{route}} {{status}}"), stacked=True),
    lines("Tokens", "short", Query(per_second("tokens_total", "kind"), "{{kind}}"), stacked=True),
    lines(
        "The queue", "short", Query("sum(sluicegate_queue_waiting)", "waiting"), Query("sum(sluicegate_queue_running)", "running")
    ),
    lines(
        "The wait in it, on the average",
        "s",
        Query(f"sum(rate(sluicegate_queue_wait_seconds_total{SPAN})) / sum(rate(sluicegate_queue_served_total{SPAN}))", "waited"),
    ),
    lines(
        "Turned away",
        "short",
        Query(per_second("shed_total", "why"), "{{why}}"),
        Query(per_second("limits_refused_total", "subject, limit"), "{{subject}} {{limit}}"),
    ),
    lines(
        "Replicas that do not hear each other's notices",
        "short",
        Query("count(sluicegate_notices_listening == 0) or vector(0)", "deaf"),
    ),
    lines("Who counts the limits", "short", Query("max by (backend) (sluicegate_limits_backend)", "{{backend}}")),
    row("Classifiers"),
    lines(
        "Their queue",
        "short",
        Query("sum(sluicegate_classifier_waiting)", "waiting"),
        Query("sum(sluicegate_classifier_busy)", "busy"),
    ),
    lines("Their jobs", "short", Query(per_second("classifier_jobs_total", "outcome"), "{{outcome}}")),
    lines("Verdicts that replicas share", "short", Query(per_second("verdict_cache_total", "outcome"), "{{outcome}}")),
    row("Model servers"),
    lines(
        "Standing: 0 well, 1 tried again, 2 left alone, 3 ill",
        "short",
        Query("max by (upstream) (sluicegate_upstream_standing)", "{{upstream}}"),
    ),
    lines("Requests there", "short", Query("sum by (upstream) (sluicegate_upstream_in_flight)", "{{upstream}}")),
    lines("Errors", "short", Query(per_second("upstream_errors_total", "kind"), "{{kind}}")),
    lines(
        "vLLM: requests",
        "short",
        Query("sum(vllm:num_requests_running)", "running"),
        Query("sum(vllm:num_requests_waiting)", "waiting"),
    ),
    lines("vLLM: cache in use", "percentunit", Query("max(vllm:kv_cache_usage_perc)", "most")),
    lines(
        "GPUs: busy",
        "percent",
        Query("avg by (instance) (DCGM_FI_DEV_GPU_UTIL)", "{{instance}}"),
        says="From NVIDIA's DCGM exporter.",
    ),
    lines("GPUs: memory", "decmbytes", Query("sum by (instance) (DCGM_FI_DEV_FB_USED)", "{{instance}}")),
)


def placed(panels: Sequence[Panel]) -> Iterator[tuple[Panel, dict[str, int]]]:
    """Each with its place, from left to right: numbers four in a line, pictures two."""
    x = y = line = 0
    for panel in panels:
        width = {"row": COLUMNS, "stat": COLUMNS // 4}.get(panel.kind, WIDE)
        height = {"row": 1, "stat": FLAT}.get(panel.kind, HIGH)
        if x + width > COLUMNS:
            x, y, line = 0, y + line, 0
        yield panel, {"x": x, "y": y, "w": width, "h": height}
        x, line = x + width, max(line, height)


def drawn(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    """A panel as Grafana writes it."""
    if panel.kind == "row":
        return {"id": number, "type": "row", "title": panel.title, "gridPos": place, "collapsed": False, "panels": []}
    custom = {"fillOpacity": 20 if panel.stacked else 0, "stacking": {"mode": "normal" if panel.stacked else "none"}}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "gridPos": place,
        "datasource": SOURCE,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "custom": custom if panel.kind == "timeseries" else {}},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if panel.kind == "timeseries" else {},
        "targets": [
            {"refId": chr(65 + at), "datasource": SOURCE, "expr": one.expr, "legendFormat": one.legend, "exemplar": one.example}
            for at, one in enumerate(panel.queries)
        ],
    }


def dashboard(uid: str, title: str, panels: Sequence[Panel]) -> dict[str, Any]:
    """A whole one."""
    source = {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus"}
    rule = {
        "type": "query",
        "name": "rule",
        "label": "Rule",
        "datasource": SOURCE,
        "query": "label_values(sluicegate_verdicts_total, rule)",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }
    return {
        "uid": uid,
        "title": title,
        "tags": ["sluicegate"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "",
        "templating": {
            "list": [source, rule] if any("$rule" in one.expr for each in panels for one in each.queries) else [source]
        },
        "links": [{"type": "dashboards", "title": "Sluicegate", "tags": ["sluicegate"], "asDropdown": False, "keepTime": True}],
        "panels": [drawn(number, panel, place) for number, (panel, place) in enumerate(placed(panels), 1)],
    }


def made() -> dict[str, str]:
    """The files' names and what is in them."""
    every = (
        dashboard("sluicegate-safety", "Sluicegate, safety", SAFETY),
        dashboard("sluicegate-service", "Sluicegate, service", SERVICE),
    )
    return {one["uid"].partition("-")[2] + ".json": json.dumps(one, indent=1) + "\n" for one in every}


def main() -> int:
    """Writes them; with `--check` only says, by exit code 1, that they are not up to date."""
    if "--check" in sys.argv[1:]:
        return int(any((FOLDER / name).read_text("utf-8") != text for name, text in made().items()))
    for name, text in made().items():
        (FOLDER / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
