"""What a candidate refuses by a gate, or by the form that it wants of answers, is seen: live, and from files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from proxy.cli.policy import app
from tests.fake_model import FakeModel, fake_model
from tests.reload.own import followed, policy, until
from tests.shadow.test_itself import SHOTS
from tests.shadow.test_shadow import counted, judged

TOOL = {"type": "function", "function": {"name": "weather"}}
OPEN = "agents: {tools: allow}\n"
TURNS = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "yes"}] * 2 + [{"role": "user", "content": "so?"}]
USER = {"role": "user", "content": "hello"}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
}
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("agents", {"messages": [USER], "tools": [TOOL]}),
    ("agents", {"messages": [USER, CALLED, {"role": "tool", "tool_call_id": "c", "content": "rain"}]}),
    ("dialogue", {"messages": TURNS}),
    ("few_shot", {"messages": [{"role": "user", "content": SHOTS}]}),
]
GATES = "agents: {tools: block}\ndialogue: {turns: 2}\nfew_shot: {do: block}\n"


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    scenes: list[dict[str, Any]] = [
        {"when": {"contains": "object"}, "say": '{"fruit": "fig"}'},
        {"when": {"contains": "slow"}, "think": "Hm.\n", "say": "It is a fig. And so on. " * 100, "pace": "10ms"},
        {"think": "Hm.\n", "say": "It is a fig."},
    ]
    with fake_model(scenes=scenes) as served:
        yield served


def test_gates_of_a_candidate_are_counted_by_name(model: FakeModel, tmp_path: Path) -> None:
    file, candidate, samples = tmp_path / "p.yaml", tmp_path / "c.yaml", tmp_path / "samples.jsonl"
    file.write_text(OPEN + policy(), "utf-8")
    candidate.write_text(GATES + policy(), "utf-8")
    with followed(model.url, policy=str(file), shadow=str(candidate), shadow_samples=str(samples)) as proxy:
        for _, body in ASKED:
            assert proxy.post(body).status_code == 200
        until(lambda: judged(proxy) == 4)
        assert counted(proxy, "shadow_exchanges_total") == {("stricter",): 4}
        wanted = {("only_shadow", "agents"): 2, ("only_shadow", "dialogue"): 1, ("only_shadow", "few_shot"): 1}
        assert counted(proxy, "shadow_rules_total") == wanted
        until(lambda: samples.exists() and samples.read_bytes().count(b"\n") == 4)
        told = [json.loads(line)["rules"] for line in samples.read_text("utf-8").splitlines()]
        assert told[2]["dialogue"] == {"result": "only_shadow", "shadow": "block", "where": ["prompt:too_long"]}
    with followed(model.url, policy=str(candidate), shadow=str(file)) as proxy:
        for _, body in ASKED:
            assert proxy.post(body).status_code == 400
        until(lambda: judged(proxy) == 4)
        assert counted(proxy, "shadow_exchanges_total") == {("milder",): 4}


@pytest.mark.parametrize(
    ("contract", "prompts", "counts"),
    [
        ("contract: {kind: json, tries: 1}\n", ["object", "fig"], {("only_shadow", "contract"): 1}),
        ("contract: {kind: json, tries: 3}\n", ["object", "fig"], {("only_shadow", "contract"): 1}),
        ("contract: {kind: choice, choices: [fig, plum]}\n", ["object", "fig"], {("only_shadow", "contract"): 2}),
        ("readability: {most_chars: 5}\n", ["object", "fig"], {}),
        ("strict: true\n", ["object"], {}),
    ],
)
def test_the_form_of_answers_is_judged_without_asking_again(
    model: FakeModel, tmp_path: Path, contract: str, prompts: list[str], counts: dict[tuple[str, ...], float]
) -> None:
    file, candidate = tmp_path / "p.yaml", tmp_path / "c.yaml"
    file.write_text(policy(), "utf-8")
    candidate.write_text(contract + policy(), "utf-8")
    with followed(model.url, policy=str(file), shadow=str(candidate)) as proxy:
        before = len(model.requests)
        for prompt in prompts:
            assert proxy.ask(prompt).status_code == 200
        until(lambda: judged(proxy) == len(prompts))
        assert counted(proxy, "shadow_rules_total") == counts
        assert len(model.requests) == before + len(prompts)


def test_an_answer_that_the_policy_in_force_cut_has_no_form_to_be_judged(model: FakeModel, tmp_path: Path) -> None:
    file, candidate = tmp_path / "p.yaml", tmp_path / "c.yaml"
    file.write_text(policy(more="  figs: {use: patterns, on: [answer], words: [fig], do: block}\n"), "utf-8")
    candidate.write_text("contract: {kind: json}\n" + policy(), "utf-8")
    with followed(model.url, policy=str(file), shadow=str(candidate)) as proxy:
        proxy.stream("slow")
        until(lambda: judged(proxy) == 1)
        assert counted(proxy, "shadow_rules_total") == {("only_live", "figs"): 1}


def test_what_a_candidate_refuses_as_a_mistake_is_seen(model: FakeModel, tmp_path: Path) -> None:
    file, candidate = tmp_path / "p.yaml", tmp_path / "c.yaml"
    file.write_text(policy(), "utf-8")
    candidate.write_text("strict: true\nlimits: {choices: 1}\n" + policy(), "utf-8")
    with followed(model.url, policy=str(file), shadow=str(candidate)) as proxy:
        proxy.ask("hello", wild=True)
        proxy.ask("hello", n=2)
        proxy.ask("hello")
        until(lambda: judged(proxy) == 3)
        assert counted(proxy, "shadow_rules_total") == {("only_shadow", "request"): 2}


def test_a_replay_sees_gates_and_forms(tmp_path: Path) -> None:
    old, new, lines = tmp_path / "old.yaml", tmp_path / "new.yaml", tmp_path / "lines.jsonl"
    old.write_text(OPEN + policy(), "utf-8")
    new.write_text(GATES + "contract: {kind: json}\n" + policy(), "utf-8")
    more = [{"prompt": "hello", "answer": '{"a": 1}'}, {"prompt": "hello", "answer": "no"}, {"text": "no", "channel": "answer"}]
    lines.write_text("\n".join(json.dumps(line) for line in [*(body for _, body in ASKED), *more]), "utf-8")
    arguments = ["replay", "--candidate", str(new), "--baseline", str(old), str(lines), "--json", "--show", "9"]
    done = CliRunner().invoke(app, arguments)
    found = json.loads(done.output)
    assert done.exit_code == 1
    assert {name: one["only_shadow"] for name, one in found["rules"].items()} == {
        "agents": 2,
        "contract": 1,
        "dialogue": 1,
        "few_shot": 1,
    }
    assert (found["stricter"], found["same"]) == (5, 2)
    assert found["changed"][4]["rules"]["contract"]["where"] == ["answer:not_json"]
