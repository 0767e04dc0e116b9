from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from pydantic import ValidationError

from classifiers.registry import Registry
from policies.load import chosen, load_all
from proxy.settings import PREFIX, Settings, SettingsError, load
from proxy.sizing.commands import vllm
from tests.deploy.cluster import DEPLOY, Object, environment, read
from tests.deploy.composed import Compose, Service, compose
from tests.deploy.program import WrongArgumentsError, parsed
from tests.deploy.test_kubernetes import fitting, flags_of

TEXT = (DEPLOY / "compose.yaml").read_text("utf-8")
SECRETS = environment((DEPLOY / "secrets.example.env").read_text("utf-8"))


@pytest.fixture
def written() -> Compose:
    return compose(TEXT, SECRETS)


def ours(written: Compose) -> dict[str, Service]:
    return {name: each for name, each in written.services.items() if each.image.startswith("sluicegate:")}


def settings(service: Service) -> Settings:
    parsed(service.command)
    return load({}, {name: value for name, value in service.environment.items() if name.startswith(PREFIX)})


def told(text: str) -> str:
    """What is wrong with a file; nothing where it is right."""
    try:
        written = compose(text, SECRETS)
        for each in ours(written).values():
            settings(each)
    except (ValidationError, ValueError, WrongArgumentsError, SettingsError) as error:
        return str(error)
    return ""


def test_the_settings_are_the_programs_own(written: Compose) -> None:
    assert told(TEXT) == ""
    found = settings(written.services["sluicegate"])
    assert (found.keys, found.host, found.allow_anonymous) == ("required", "0.0.0.0", False)
    model = written_flags(written.services["vllm"].command)
    assert found.workers * found.upstream_concurrency == int(model["max-num-seqs"])
    assert found.redis_url  # whoever sets more workers needs it: they do not share limits without it


def test_the_policy_in_force_loads(written: Compose) -> None:
    gate = written.services["sluicegate"]
    found = settings(gate)
    (mount,) = [each for each in gate.volumes if each.target == found.policy]
    assert chosen(load_all(DEPLOY / mount.source, Registry()), found.policy_name).name == "house"


def written_flags(words: list[str]) -> dict[str, str]:
    pairs = (each.removeprefix("--").partition("=") for each in words if each.startswith("--"))
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("profile", ["rehearsal", "gpu"])
def test_with_each_profile_one_model_answers_where_the_gate_asks(written: Compose, profile: str) -> None:
    asked = urlsplit(settings(written.services["sluicegate"]).upstream)
    models = [each for each in written.services.values() if profile in each.profiles]
    (model,) = models
    assert isinstance(model.networks, dict)
    assert asked.hostname in model.networks["back"].aliases
    port = parsed(model.command)["port"] if profile == "rehearsal" else int(written_flags(model.command)["port"])
    assert port == asked.port
    assert not model.ports


def test_what_the_gate_needs_is_reached_by_its_name(written: Compose) -> None:
    found = settings(written.services["sluicegate"])
    for address, port in ((found.database, 5432), (found.redis_url, 6379)):
        assert urlsplit(address).port == port
        assert "back" in written.services[urlsplit(address).hostname or ""].networks
    assert written.networks["back"].internal


def sources() -> dict[str, Object]:
    """What Grafana finds, by uid."""
    folder = DEPLOY / "grafana" / "provisioning" / "datasources"
    files = [read(path.read_text("utf-8"))[0] for path in sorted(folder.glob("*.yaml"))]
    return {each["uid"]: each for file in files for each in file["datasources"]}


def test_a_point_of_a_dashboard_leads_to_its_trace(written: Compose) -> None:
    gate, found = written.services["sluicegate"], sources()
    told = urlsplit(gate.environment["OTEL_EXPORTER_OTLP_ENDPOINT"])
    assert (told.hostname, told.port) == ("traces", 4318)
    assert settings(gate).traces == "auto"
    assert settings(gate).workers == 1  # several keep no examples
    assert "--enable-feature=exemplar-storage" in written.services["prometheus"].command
    (leads,) = found["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert leads == {"name": "trace_id", "datasourceUid": "traces"}
    assert found["traces"]["type"] == "jaeger"


def test_grafana_finds_its_sources(written: Compose) -> None:
    asked = {each["uid"]: urlsplit(each["url"]) for each in sources().values()}
    assert {name: each.port for name, each in asked.items()} == {"prometheus": 9090, "traces": 16686}
    for each in asked.values():
        assert set(written.services[each.hostname or ""].networks) & set(written.services["grafana"].networks)


def test_the_image_has_what_the_file_asks_of_it(written: Compose) -> None:
    (extras,) = re.findall(r"^ARG EXTRAS=(\S+)$", (DEPLOY / "Containerfile").read_text("utf-8"), re.MULTILINE)
    assert {"postgres", "otel"} <= set(extras.split(","))
    assert f"EXTRAS:-{extras}}}" in (DEPLOY / "build.sh").read_text("utf-8")


def test_only_the_gate_and_grafana_are_reached_from_outside(written: Compose) -> None:
    opened = {name: each.ports for name, each in written.services.items() if each.ports}
    assert opened == {"sluicegate": ["127.0.0.1:8080:8080"], "grafana": ["127.0.0.1:3000:3000"]}


def test_each_service_is_told_its_own_secrets(written: Compose) -> None:
    assert re.search(r"^\s*env_file:", TEXT, re.MULTILINE) is None
    for name in ("redis", "grafana", "vllm", "rehearsal", "prometheus"):
        assert not {"SLUICEGATE_DATABASE", "SLUICEGATE_KEY_PEPPER", "POSTGRES_PASSWORD"} & set(written.services[name].environment)


def test_the_gate_may_write_its_state_alone_and_has_time_to_finish(written: Compose) -> None:
    gate = written.services["sluicegate"]
    assert gate.read_only
    assert gate.cap_drop == ["ALL"]
    assert [each.target for each in gate.volumes if not each.read_only] == ["/var/lib/sluicegate"]
    minutes = int(gate.stop_grace_period.removesuffix("m"))
    assert minutes * 60 > settings(gate).drain_seconds >= 600


def test_vllm_is_started_as_sluicegate_size_says(written: Compose) -> None:
    command = written.services["vllm"].command
    best = fitting("deepseek-r1-distill-qwen-7b", "H100", 1, 16, "bf16")
    flags = written_flags(command[1:])
    assert command[0] == best.profile.weights
    assert flags.pop("port") == "8000"
    assert flags == flags_of(vllm(best).split()[3:])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text.replace("SLUICEGATE_WORKERS", "SLUICEGATE_WORKER"), "did you mean SLUICEGATE_WORKERS"),
        (lambda text: text.replace("SLUICEGATE_KEYS: required", "SLUICEGATE_KEYS: yes please"), "SLUICEGATE_KEYS"),
        (lambda text: text.replace("command: [migrate]", "command: [migrat]"), "no command 'migrat'"),
        (lambda text: text.replace("networks: [front, back]", "networks: [front, bach]", 1), "refers to bach"),
        (lambda text: text.replace("source: state", "source: stat"), "refers to stat"),
        (lambda text: text.replace("healthcheck:", "healthchek:", 1), "healthchek"),
        (lambda text: text.replace('["127.0.0.1:8080:8080"]', '["8080:8080"]'), "pattern"),
        (lambda text: text.replace("redis:8", "redis:latest"), "pattern"),
        (lambda text: text.replace("GRAFANA_PASSWORD", "GRAFANA_PASWORD"), "GRAFANA_PASWORD is not set"),
        (lambda text: text.replace("model:8000/v1", "model:8000/v1?x=1"), "SLUICEGATE_UPSTREAM"),
    ],
)
def test_a_mistake_is_told(spoil: Callable[[str], str], said: str) -> None:
    assert spoil(TEXT) != TEXT
    assert said in told(spoil(TEXT))


def test_the_example_names_what_the_file_asks_for_and_no_more() -> None:
    assert set(re.findall(r"\$\{(\w+)", TEXT)) == set(SECRETS)
    assert all(value.startswith("replace-me") for value in SECRETS.values())
