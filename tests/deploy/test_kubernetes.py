from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from proxy.prompt.profile import load_profile
from proxy.sizing.commands import sglang, vllm
from proxy.sizing.fit import Fit, Load, fit
from proxy.sizing.gpus import gpu
from proxy.sizing.memory import Precision
from tests.deploy.cluster import KUBERNETES, OVERLAYS, Cluster, environment
from tests.deploy.faults import faults
from tests.deploy.network import reaches
from tests.deploy.program import environ_of, expanded, settings_of

Clusters = Mapping[str, Cluster]
MODELS = [name for name in OVERLAYS if name not in ("dev", "guard-models")]
WANTED: Mapping[str, tuple[str, str, int, int, Precision]] = {
    "distill-1gpu": ("deepseek-r1-distill-qwen-7b", "H100", 1, 16, "bf16"),
    "r1-8xh200": ("deepseek-r1-0528", "H200", 8, 16, "fp8"),
    "r1-multinode": ("deepseek-r1-0528", "H100", 16, 8, "fp8"),
}
"""What each overlay is for: model, GPU, how many, conversations at once, precision."""


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_has_no_fault(clusters: Clusters, name: str) -> None:
    assert faults(clusters[name]) == []


@pytest.mark.parametrize("name", OVERLAYS)
def test_all_stands_in_one_namespace_which_forbids_root(clusters: Clusters, name: str) -> None:
    namespace = clusters[name].of("Namespace")[0]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {each["metadata"].get("namespace") for each in clusters[name].objects if each is not namespace} == {"sluicegate"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_callers_need_a_key(clusters: Clusters, name: str) -> None:
    settings = settings_of(clusters[name])
    assert settings.keys == "required" or settings.api_key is not None
    assert not settings.allow_anonymous


@pytest.mark.parametrize("name", MODELS)
def test_the_model_answers_to_the_gate_alone_and_asks_nobody(clusters: Clusters, name: str) -> None:
    cluster = clusters[name]
    proxy, model, weights = (cluster.pod(each) for each in ("proxy", "model", "weights"))
    assert reaches(cluster, proxy, model, 8000)
    assert not reaches(cluster, weights, model, 8000)
    world = [
        each["metadata"]["name"]
        for each in cluster.of("NetworkPolicy")
        if any("ipBlock" in peer for rule in each["spec"].get("egress", []) for peer in rule.get("to", []))
    ]
    assert world == ["weights-to-world"]
    environ, _ = environ_of(cluster, model.spec["containers"][0])
    assert environ["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize("name", MODELS)
def test_the_model_server_is_started_as_sluicegate_size_says(clusters: Clusters, name: str) -> None:
    cluster, by_sglang = clusters[name], name.endswith("-sglang")
    container = cluster.pod("model").spec["containers"][0]
    best = fitting(*WANTED[name.removesuffix("-sglang")])
    advised = (sglang if by_sglang else vllm)(best).split()[3 if by_sglang else 2 :]
    environ, _ = environ_of(cluster, container)
    written = expanded(container["args"], environ)
    flags = dict(each.removeprefix("--").partition("=")[::2] for each in written if each.startswith("--"))
    wanted = flags_of(advised if by_sglang else advised[1:])
    ours = {"port", "host", "api-key", "nnodes", "node-rank", "master-addr", "dist-init-addr", "enable-metrics"}
    assert {flag: value for flag, value in flags.items() if flag not in ours} == {
        flag: value for flag, value in wanted.items() if flag not in ours
    }
    assert environ["MODEL"] == settings_of(cluster).model == (best.profile.weights or "")
    assert by_sglang or written[0] == environ["MODEL"]
    gpus = [pod.spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] for pod in cluster.pods if is_model(pod.labels)]
    assert sum(map(int, gpus)) == WANTED[name.removesuffix("-sglang")][2]
    assert settings_of(cluster).upstream_concurrency == WANTED[name.removesuffix("-sglang")][3]


@pytest.mark.parametrize("name", MODELS)
def test_the_model_server_writes_only_where_it_may(clusters: Clusters, name: str) -> None:
    for pod in (each for each in clusters[name].pods if is_model(each.labels)):
        container = pod.spec["containers"][0]
        environ, _ = environ_of(clusters[name], container)
        assert environ["USER"]  # torch looks the user up at the start, and images know no name for its number
        mounts = {each["mountPath"]: not each.get("readOnly") for each in container["volumeMounts"]}
        assert not mounts[environ["HF_HOME"]]
        for place in ("HOME", "HF_MODULES_CACHE"):  # --trust-remote-code puts a model's own code into the latter
            assert mounts["/" + environ[place].split("/")[1]], place
        assert mounts["/dev/shm"]  # noqa: S108  # the processes of several GPUs speak through it


def is_model(labels: Mapping[str, str]) -> bool:
    return labels["app.kubernetes.io/component"] == "model"


def fitting(model: str, card: str, count: int, concurrency: int, precision: Precision) -> Fit:
    found = fit(load_profile(model), precision, gpu(card), Load(32_768, concurrency), count)
    assert found.fits
    return found


def flags_of(words: list[str]) -> dict[str, str]:
    """`--name value` and `--name`, from a command line."""
    return {name: value.strip() for name, value in re.findall(r"--([a-z-]+)((?: (?!--)\S+)?)", " ".join(words))}


@pytest.mark.parametrize("name", [name for name in OVERLAYS if "multinode" in name])
def test_both_machines_of_one_model_start_the_same_but_for_what_serves(clusters: Clusters, name: str) -> None:
    leader, worker = (pod for pod in clusters[name].pods if is_model(pod.labels))
    first, second = (pod.spec["containers"][0] for pod in (leader, worker))
    assert (first["image"], first["command"], first["env"]) == (second["image"], second["command"], second["env"])
    more, less = set(first["args"]) - set(second["args"]), set(second["args"]) - set(first["args"])
    assert more <= {"--port=8000", "--host=0.0.0.0", "--enable-metrics", "--reasoning-parser=deepseek_r1"}
    assert less <= {"--headless"}
    assert {"--nnodes=$(LWS_GROUP_SIZE)", "--node-rank=$(LWS_WORKER_INDEX)"} <= set(first["args"])
    assert clusters[name].named("Service", "model")["spec"]["selector"]["role"] == "leader"  # type: ignore[index]  # it is there


def test_a_model_that_loads_for_an_hour_is_not_killed(clusters: Clusters) -> None:
    probe = clusters["r1-8xh200"].pod("model").spec["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 3600


@pytest.mark.parametrize("example", ["secrets.example.env", "postgres.example.env"])
def test_examples_of_secrets_hold_none(example: str) -> None:
    values = environment((KUBERNETES / example).read_text("utf-8"))
    assert all("replace-me" in each or each == "sluicegate" for each in values.values())


def test_pods_with_guard_models_share_their_verdicts(clusters: Clusters) -> None:
    settings = settings_of(clusters["guard-models"])
    assert (settings.verdict_cache, bool(settings.verdict_cache_secret)) == ("redis", True)
    assert settings_of(clusters["distill-1gpu"]).verdict_cache == "local"
