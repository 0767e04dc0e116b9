"""Every command, file, setting and name that the pages about deployment tell a reader is there."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.settings import KEYS_PREFIX, PREFIX, UPSTREAM_KEY_VARIABLE, Settings
from proxy.telemetry.metrics import Metrics
from tests.deploy.cluster import DEPLOY, KUBERNETES, OVERLAYS, ROOT, Cluster, environment, read, rendered
from tests.deploy.pages import PAGES, blocks, commands, marked
from tests.deploy.program import parsed
from tests.deploy.shapes import misshapen

INSTALL, ON_KUBERNETES = PAGES
OTHERS = {"SLUICEGATE_REHEARSE_KEY", UPSTREAM_KEY_VARIABLE}
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@every_page
def test_commands_of_ours_parse(page: Path) -> None:
    found = [after for before, after in (split(words) for words in commands(page)) if after and ours(before)]
    found += [line.split()[1:] for line in re.findall(r"^ExecStart=(.+)$", "\n".join(blocks(page, "ini")), re.MULTILINE)]
    assert found
    for words in found:
        if words != ["--help"]:
            parsed(words)


def split(words: list[str]) -> tuple[list[str], list[str]]:
    """What stands before the last `sluicegate`, and behind it."""
    at = max((number for number, word in enumerate(words) if word == "sluicegate"), default=len(words))
    return words[:at], words[at + 1 :]


def ours(before: list[str]) -> bool:
    """Whether it is the program that is called: by its name alone, or within a container."""
    return not before or "--" in before or (before[0] in ("docker", "dc") and "exec" in before)


@every_page
def test_variables_are_settings(page: Path) -> None:
    names = set(re.findall(rf"\b{PREFIX}[A-Z_]+[A-Z]\b", page.read_text("utf-8"))) - OTHERS
    assert {name for name in names if not name.startswith(KEYS_PREFIX)} <= {
        PREFIX + each.upper() for each in Settings.model_fields
    }


@every_page
def test_files_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    named = set(re.findall(r"(?<![\w/.-])((?:deploy|tests|bench|docs)/[\w./-]*\w|constraints\.txt)", text))
    made = {"deploy/secrets.env", "docs/install.md"}
    assert named
    assert [name for name in sorted(named - made) if not (ROOT / name).exists()] == []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {words[-1] for words in commands(page) if words[0] == "make"} <= targets


@every_page
def test_names_in_the_text_are_settings_metrics_or_words_of_the_program(page: Path) -> None:
    known = set(Settings.model_fields) | {metric.name for metric in Metrics().registry.collect()}
    sources = "\n".join(path.read_text("utf-8") for path in [*(ROOT / "proxy").rglob("*.py"), *KUBERNETES.rglob("*.yaml")])
    names = {name for name in marked(page) if re.fullmatch(r"[a-z]+(_[a-z]+)+", name)}
    assert {name for name in names - known if name not in sources} <= {"stop_grace_period"}  # compose's own word
    assert "stop_grace_period" in (DEPLOY / "compose.yaml").read_text("utf-8")


def test_the_unit_has_comments_where_systemd_reads_them_as_such() -> None:
    """Behind a value a comment is part of the value: a path that is not there, a time that is none."""
    (shown,) = blocks(INSTALL, "ini")
    values = [line.partition("=") for line in shown.splitlines() if line and line[0] not in "#["]
    assert [name for name, _, value in values if not value or "#" in value] == []
    assert {"ExecStart", "EnvironmentFile", "User", "StateDirectory", "TimeoutStopSec", "WantedBy"} <= {
        name for name, _, _ in values
    }


def test_extras_are_the_packages_own() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    shown = re.findall(r"^\| `(\w+)` \| (\S+?)(?:,| ).*\|$", INSTALL.read_text("utf-8"), re.MULTILINE)
    assert {"pii", "lang", "postgres", "otel", "litellm"} <= {name for name, _ in shown}
    for name, package in shown:
        assert any(each.startswith(package) for each in extras[name]), name


def test_what_the_smoke_checks_print_is_shown_as_they_print_it() -> None:
    checks = re.findall(r"^check '(.+)' \w+$", (DEPLOY / "smoke.sh").read_text("utf-8"), re.MULTILINE)
    shown = [
        re.sub(r" {2,}\d+ s$", "", line) for text in blocks(INSTALL, "console") for line in text.splitlines() if line[0] == "✓"
    ]
    assert shown == [f"✓ {number:2}  {check}" for number, check in enumerate(checks, 1)]
    head = (DEPLOY / "smoke.sh").read_text("utf-8").splitlines()[:14]
    assert all(line.startswith("#") for line in head)
    assert set(re.findall(r"SMOKE_\w+", INSTALL.read_text("utf-8"))) <= set(re.findall(r"SMOKE_\w+", "\n".join(head)))


def test_haproxy_takes_the_file_that_is_shown(tmp_path: Path) -> None:
    (shown,) = blocks(INSTALL, "haproxy")
    haproxy = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
    if haproxy is None:
        pytest.skip("HAProxy is not installed: apt-get install haproxy")
    file = tmp_path / "haproxy.cfg"
    file.write_text(re.sub(r"bind :443 .*", "bind 127.0.0.1:8443", shown), "utf-8")
    done = subprocess.run([haproxy, "-c", "-f", str(file)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARN" not in done.stderr.upper(), done.stderr


def test_what_stands_in_front_waits_longer_than_the_gate() -> None:
    defaults = Settings(upstream="http://model:8000/v1")
    (haproxy,), (nginx,) = blocks(INSTALL, "haproxy"), blocks(INSTALL, "nginx")
    minutes = re.findall(r"timeout (?:client|server) (\d+)m", haproxy) + re.findall(r"proxy_read_timeout (\d+)m;", nginx)
    assert len(minutes) == 3
    assert all(int(each) * 60 > defaults.upstream_total_timeout for each in minutes)
    (size,) = re.findall(r"client_max_body_size (\d+)m;", nginx)
    assert int(size) << 20 == defaults.max_body_bytes
    assert nginx.count("{") == nginx.count("}")
    (seconds,) = re.findall(r"TimeoutStopSec=(\d+)", INSTALL.read_text("utf-8"))
    assert int(seconds) > defaults.drain_seconds


def test_the_ingress_that_is_shown_is_one_and_waits_as_long() -> None:
    (one,) = [each for text in blocks(ON_KUBERNETES, "yaml") for each in read(text) if each.get("kind") == "Ingress"]
    assert misshapen(one) == ()
    told = {name.partition("/")[2]: value for name, value in one["metadata"]["annotations"].items()}
    defaults = Settings(upstream="http://model:8000/v1")
    assert int(told["proxy-read-timeout"]) > defaults.upstream_total_timeout
    assert told["proxy-body-size"] == f"{defaults.max_body_bytes >> 20}m"
    service = rendered(KUBERNETES / "base").named("Service", "sluicegate")
    assert service is not None
    named = {each["name"] for each in service["spec"]["ports"]}
    assert {
        path["backend"]["service"]["port"]["name"] for rule in one["spec"]["rules"] for path in rule["http"]["paths"]
    } <= named


def test_an_overlay_of_ones_own_renders_as_it_is_shown(tmp_path: Path) -> None:
    """Both are beside a copy of `deploy`, where the pages put them."""
    house = (KUBERNETES / "base" / "policies" / "house.yaml").read_text("utf-8") + "# mine\n"
    (own,) = [text for text in blocks(ON_KUBERNETES, "yaml") if "kind: Kustomization" in text]
    (quick,) = re.findall(
        r"^\$ cat > kustomization.yaml <<EOF\n(.*?)^EOF$", "\n".join(blocks(ON_KUBERNETES, "console")), re.M | re.S
    )
    for name, text, root in (("own", own, "sluicegate"), ("quick", quick, ".")):
        folder = tmp_path / name
        shutil.copytree(KUBERNETES, folder / root / "deploy" / "kubernetes")
        (folder / "kustomization.yaml").write_text(text, "utf-8")
        (folder / "house.yaml").write_text(house, "utf-8")
        cluster = rendered(folder)
        images = {one["image"] for pod in cluster.pods for one in pod.containers if "sluicegate" in one["image"]}
        assert images == {{"own": "registry.mine/sluicegate:0.1.0", "quick": "sluicegate:0.1.0"}[name]}
        if name == "own":
            assert (cluster.values("ConfigMap", "policies") or {})["house.yaml"].endswith("# mine\n")
            (route,) = cluster.of("HTTPRoute")
            assert route["spec"]["hostnames"] == ["chat.mine.example"]


def test_objects_that_kubectl_is_asked_for_are_there(clusters: Mapping[str, Cluster]) -> None:
    there = {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in clusters["distill-1gpu"].objects}
    text = ON_KUBERNETES.read_text("utf-8")
    asked = set(re.findall(r"\b((?:deployment|service|job)/\w+)", text))
    assert {"deployment/sluicegate", "service/sluicegate", "job/weights", "deployment/model"} <= asked <= there
    made = [words for words in commands(ON_KUBERNETES) if words[:1] == ["kubectl"] and "secret" in words]
    files = {words[6]: words[7].removeprefix("--from-env-file=") for words in made if "--from-env-file" in words[7]}
    copied = dict(copies())
    assert files == {"sluicegate": "secrets.env", "postgres": "postgres.env"}
    assert all(
        (ROOT / copied[each]).is_file() and environment((ROOT / copied[each]).read_text("utf-8")) for each in files.values()
    )


def copies() -> list[tuple[str, str]]:
    """What is copied, and from where."""
    return [(words[2], words[1]) for words in commands(ON_KUBERNETES) if words[0] == "cp"]


def test_the_table_of_overlays_has_them_all() -> None:
    lines = re.findall(r"^\| (`[a-z].*?) \|", ON_KUBERNETES.read_text("utf-8").partition("\n## ")[0], re.MULTILINE)
    named = [re.findall(r"`([\w-]+)`", line) for line in lines]
    assert sorted(each if at == 0 else names[0] + each for names in named for at, each in enumerate(names)) == OVERLAYS


def test_times_that_the_page_tells_are_those_of_the_manifests(clusters: Mapping[str, Cluster]) -> None:
    text = ON_KUBERNETES.read_text("utf-8")
    pod = clusters["distill-1gpu"].pod("proxy").spec
    before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert f"{before} s (`preStop`)" in text
    assert f"killed after {pod['terminationGracePeriodSeconds']} s" in text
    assert "(`drain_seconds`)" in text
    probe = clusters["r1-8xh200"].pod("model").spec["containers"][0]["startupProbe"]
    assert f"{probe['periodSeconds'] * probe['failureThreshold'] // 60} minutes to load" in text
    most = clusters["distill-1gpu"].of("HorizontalPodAutoscaler")[0]["spec"]["metrics"][0]["pods"]["target"]["averageValue"]
    assert f"every {most} open exchanges" in text
