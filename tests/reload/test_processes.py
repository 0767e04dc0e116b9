"""Servers as they run: several workers that each follow the policies, SIGHUP, and a start from the store."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.cli.running import Running, run, started
from tests.fake_model import fake_model
from tests.reload.own import policy, replaced, until

SERVE = ("serve", "--policy", "p.yaml", "--port", "0", "--audit", "off")


def digests(server: Running, times: int = 24) -> set[str]:
    """What answers say, each on a connection of its own, so that every worker is asked."""
    return {httpx.get(f"{server.where}/health/ready", trust_env=False, timeout=60).json()["digest"] for _ in range(times)}


def settled(server: Running, what: Callable[[set[str]], bool]) -> None:
    until(lambda: what(digests(server)), 120)


def test_every_worker_follows_and_sighup_starts_none_of_them_anew(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(policy(), "utf-8")
    with fake_model() as model:
        settings = ("--upstream", model.url, "--workers", "2", "--set", "policy_reload=sighup")
        with started(*SERVE, *settings, cwd=tmp_path) as server:
            settled(server, lambda found: len(found) == 1)
            first = digests(server)
            replaced(file, policy(mask="<two>"))
            assert digests(server) == first
            children = _children(server.process.pid)
            server.process.send_signal(signal.SIGHUP)
            settled(server, lambda found: len(found) == 1 and found != first)
            assert _children(server.process.pid) == children
            assert server.stop() == 0


def _children(process: int) -> set[str]:
    return set(Path(f"/proc/{process}/task/{process}/children").read_text("utf-8").split())


def test_one_process_hears_sighup_too_and_stays_on_its_policy_after_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(policy(), "utf-8")
    with fake_model() as model, started(*SERVE, "--upstream", model.url, cwd=tmp_path) as server:
        first = digests(server, 1)
        replaced(file, "rules: {")
        os.kill(server.process.pid, signal.SIGHUP)
        until(lambda: "not taken in" in (tmp_path / "log").read_text("utf-8"))
        assert "p.yaml:1:" in (tmp_path / "log").read_text("utf-8")
        assert digests(server, 1) == first
        replaced(file, policy(mask="<two>"))
        settled(server, lambda found: found != first)
        assert server.stop() == 0


def test_a_server_starts_from_the_store_and_not_without_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(policy(), "utf-8")
    with fake_model() as model:
        serve = ("serve", "--policy", "store:moving", "--port", "0", "--audit", "off", "--upstream", model.url)
        done = run(*serve, cwd=tmp_path)
        assert done.returncode == 2
        assert "the store has no such policy in force" in done.stderr
        assert run("policy", "push", "p.yaml", cwd=tmp_path).returncode == 0
        with started(*serve, "--workers", "2", cwd=tmp_path) as server:
            settled(server, lambda found: len(found) == 1)
            first = digests(server)
            (tmp_path / "p.yaml").write_text(policy(mask="<two>"), "utf-8")
            assert run("policy", "push", "p.yaml", cwd=tmp_path).returncode == 0
            settled(server, lambda found: len(found) == 1 and found != first)
            assert server.stop() == 0
