from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.deploy.cluster import DEPLOY, OVERLAYS, Cluster, Object, read
from tests.deploy.custom import CUSTOM
from tests.deploy.published import PUBLISHED, compose_faults, refused

Clusters = Mapping[str, Cluster]
Spoil = Callable[[Object], object]
COMPOSE = (DEPLOY / "compose.yaml").read_text("utf-8")


@pytest.mark.parametrize("name", [name for name in OVERLAYS if name != "dev"])
def test_operators_take_our_objects(clusters: Clusters, name: str) -> None:
    objects = clusters[name].of(*PUBLISHED)
    assert {each["kind"] for each in objects} == PUBLISHED
    assert refused(objects) == []


def test_every_kind_of_an_operator_is_held_to_something() -> None:
    assert {kind for _, kind in CUSTOM} == PUBLISHED | {"LeaderWorkerSet"}


def rule(one: Object) -> Object:
    found: Object = one["spec"]["groups"][0]["rules"][0]
    return found


@pytest.mark.parametrize(
    ("kind", "spoil", "told"),
    [
        ("HTTPRoute", lambda one: one["spec"]["rules"][0]["timeouts"].update(request="1d"), "/timeouts/request"),
        ("HTTPRoute", lambda one: one["spec"]["rules"][0]["matches"][0]["path"].update(type="Prefix"), "/path/type"),
        ("HTTPRoute", lambda one: one["spec"].update(hostnames=["Chat.example"]), "/hostnames/0"),
        ("HTTPRoute", lambda one: one["spec"]["rules"][0]["backendRefs"][0].pop("name"), "name"),
        ("ServiceMonitor", lambda one: one["spec"]["endpoints"][0].update(interval="15 s"), "/interval"),
        ("ServiceMonitor", lambda one: one["spec"].pop("selector"), "selector"),
        ("PrometheusRule", lambda one: rule(one).update({"for": "soon"}), "/for"),
        ("PrometheusRule", lambda one: rule(one).pop("expr"), "expr"),
        ("PrometheusRule", lambda one: one["spec"]["groups"][0].pop("name"), "name"),
    ],
)
def test_what_an_operator_does_not_take_is_told(clusters: Clusters, kind: str, spoil: Spoil, told: str) -> None:
    one = copy.deepcopy(clusters["distill-1gpu"].of(kind)[0])
    spoil(one)
    assert any(told in each for each in refused([one])), refused([one])


def test_the_compose_file_is_one() -> None:
    assert compose_faults(read(COMPOSE)[0]) == []


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda written: written["services"]["sluicegate"].update(healthchek={}), "healthchek"),
        (lambda written: written["services"]["sluicegate"].update(ports="8080:8080"), "$.services.sluicegate.ports"),
        (lambda written: written["services"]["redis"].update(depends_on={"x": {"condition": "is_there"}}), "depends_on"),
        (lambda written: written.update(service={}), "service"),
    ],
)
def test_a_mistake_in_it_is_told(spoil: Callable[[Any], object], told: str) -> None:
    written = read(COMPOSE)[0]
    spoil(written)
    assert any(told in each for each in compose_faults(written)), compose_faults(written)
