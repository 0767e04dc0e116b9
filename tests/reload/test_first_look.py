"""Between what a server loads at its start and its first look at the files: nothing is lost, and nothing is half taken."""

from __future__ import annotations

import asyncio
from pathlib import Path

from classifiers.registry import Registry
from policies.bind import Builder
from proxy.access.choice import Choices
from proxy.cli.serve import policy_of
from proxy.reload.reloader import Reloader
from proxy.routes.route import Route, bench
from proxy.routes.routes import Routes, only
from proxy.settings import Settings
from proxy.shadow.glimpse import Recorded
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.reload import ReloadMetrics
from tests.fake_model import fake_model
from tests.reload.own import digest, followed, policy, reloads, until

WHOLE = policy(mask="<two>")
HALF = WHOLE[: WHOLE.index("  said:")]  # a sound policy, with a rule less


def loaded(file: Path) -> tuple[Reloader, Routes]:
    """As at the start, before the first look."""
    settings, builder = Settings(audit="off", policy=str(file)), Builder(Registry())
    routes = only(Route("", bench(policy_of(settings, builder), builder), Recorded()))
    choices = Choices([routes.default.bench], settings.policy, builder)
    return Reloader(settings, routes, choices, builder, ReloadMetrics(Metrics())), routes


def test_what_is_written_in_steps_is_taken_when_it_stands_still(tmp_path: Path) -> None:
    """Each step opens and closes the file, so that nothing but its standing still tells that it is whole."""
    file = tmp_path / "p.yaml"
    file.write_text(policy(), "utf-8")
    reloader, routes = loaded(file)

    async def looks() -> list[int]:
        rules = []
        for text in (HALF, WHOLE, WHOLE):
            if file.read_text("utf-8") != text:
                file.write_text(text, "utf-8")
            await reloader.look()
            rules.append(len(routes.default.policy.rules))
        await reloader.aclose()
        return rules

    first = routes.default.policy.digest
    assert asyncio.run(looks()) == [2, 2, 2]  # the policy of one rule was never in force
    assert routes.default.policy.digest != first


def test_a_change_before_the_first_look_is_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(policy(), "utf-8")
    reloader, routes = loaded(file)
    first = routes.default.policy.digest
    file.write_text(WHOLE, "utf-8")

    async def looks() -> list[bool]:
        soon = []
        for _ in range(3):
            await reloader.look()
            soon.append(reloader.unsettled)
        await reloader.aclose()
        return soon

    assert asyncio.run(looks()) == [True, False, False]  # the second look comes soon, however seldom one looks
    assert routes.default.policy.digest != first


def test_a_server_that_starts_while_its_policy_is_written_ends_with_the_whole_of_it(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    with fake_model(scenes=[{"say": "one apple"}]) as model, file.open("w", encoding="utf-8") as writer:
        writer.write(HALF)
        writer.flush()
        with followed(model.url, policy=str(file)) as proxy:  # it is what was asked for, as far as anybody can tell
            first = digest(proxy)
            assert "apple" in proxy.ask("hello").text
            writer.write(WHOLE.removeprefix(HALF)[:20])
            writer.flush()
            for _ in range(20):
                assert digest(proxy) == first
                proxy.ask("hello")
            writer.write(WHOLE.removeprefix(HALF)[20:])
            writer.close()
            until(lambda: digest(proxy) != first)
            assert "<two>" in proxy.ask("hello").text
            assert (reloads(proxy, "taken"), reloads(proxy, "refused"), reloads(proxy, "failed")) == (1, 0, 0)
