"""What holds for every test: a clean environment, and skips that are said aloud."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

NOT_A_FAILURE = ("gpu",)
"""Markers of tests that run only when asked for by name (`-m gpu`): continuous integration has no such machine."""


def pytest_configure(config: pytest.Config) -> None:
    # A developer's settings and proxies must not reach into tests, and all addresses here are on this machine.
    for name in [name for name in os.environ if name.startswith("SLUICEGATE_") or name.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ["NO_PROXY"] = "*"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = str(config.getoption("-m"))
    left_out = [item for item in items for name in NOT_A_FAILURE if item.get_closest_marker(name) and name not in asked]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def _skips(session_or_reporter: object) -> Iterator[tuple[str, str]]:
    stats = getattr(session_or_reporter, "stats", {})
    for report in stats.get("skipped", []):
        place, reason = report.nodeid, str(report.longrepr)
        if isinstance(report.longrepr, tuple):
            reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        yield place, reason


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("true", "1")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if _in_ci() and exitstatus == pytest.ExitCode.OK and any(_skips(reporter)):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    why: dict[str, list[str]] = {}
    for place, reason in _skips(terminalreporter):
        why.setdefault(reason, []).append(place)
    if not why:
        return
    terminalreporter.section("not run on this machine" + (": a failure, since CI is set" if _in_ci() else ""))
    for reason, places in why.items():
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        terminalreporter.line(f"{len(places):4}  {reason}")
        terminalreporter.line(f"      {', '.join(places[:3])}{more}")
    terminalreporter.line("`.ci/run` installs what a Debian machine needs for all of them.")
