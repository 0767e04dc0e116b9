"""A law: a policy agrees with itself about whatever was asked and answered, in its rules, its gates and the form of answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fake_model import FakeModel, fake_model
from tests.reload.own import followed, policy, until
from tests.shadow.test_shadow import counted, judged
from tests.stack import Stack

SHOTS = "Text: I love it\nLabel: good\n\nText: I hate it\nLabel: bad\n\nText: it broke\nLabel: bad\n\nText: a story\nLabel:"
WORDS = ["a story", "a kumquat", "an object", "a list", "nothing", "for ever", "half an object", "an inline story", SHOTS]
SCENES: list[dict[str, Any]] = [
    {"when": {"contains": "half an object"}, "think": "Hm.\n", "say": '{"fruit": "apple'},
    {"when": {"contains": "object"}, "think": "An apple.\n", "say": '{"fruit": "apple", "count": 3}'},
    {"when": {"contains": "list"}, "think": "Hm.\n", "say": "Here it is:\n```json\n[1, 2,]\n```"},
    {"when": {"contains": "nothing"}, "think": "Hm.\n", "say": ""},
    {"when": {"contains": "for ever"}, "think": "Hm.\n", "say": "and so on " * 300},
    {"when": {"contains": "story"}, "think": "A pear, perhaps.\n", "say": "one apple and one pear, " * 5},
    {"think": "Hm.\n", "say": "yes"},
]
POLICIES = {
    "gates": "agents: {tools: flag, allow: [weather], results: block, most_tool_turns: 1}\n"
    "dialogue: {turns: 2}\nfew_shot: {do: block}\n",
    "milder gates": "agents: {tools: allow, frameworks: flag}\ndialogue: {turns: 2, then: compact}\nfew_shot: {do: rewrite}\n",
    "json": "contract: {kind: json, schema: {type: object, required: [fruit]}, tries: 2}\n",
    "prefix": "contract: {kind: json, stream: prefix}\n",
    "choice": "contract: {kind: choice, choices: ['yes', 'no'], tries: 3, then: flag}\n",
    "readable": "readability: {most_chars: 200, empty: retry, repetition: retry}\ncontract: {kind: text}\n",
    "strict": "strict: true\nshape: {sampling: refuse}\n",
    "repair": "",
}
REPAIR = "  mended: {use: patterns, on: [answer], words: [pear], do: repair, else: block}\n"
TOOL = {"type": "function", "function": {"name": "weather", "description": "a kumquat or not", "parameters": {"type": "object"}}}


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with fake_model(scenes=SCENES) as served:
        yield served


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A request: a few turns, perhaps with tools and their results, perhaps with a form and numbers."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": draw(st.sampled_from(WORDS))}] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(0, 3))):
        messages.append({"role": "user", "content": draw(st.sampled_from(WORDS))})
        if draw(st.booleans()):
            call = {"id": f"c{turn}", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": f"c{turn}", "content": draw(st.sampled_from(WORDS))})
        messages.append({"role": "assistant", "content": draw(st.sampled_from(WORDS))})
    body: dict[str, Any] = {"messages": [*messages, {"role": "user", "content": draw(st.sampled_from(WORDS))}]}
    body |= {"tools": [TOOL]} if draw(st.booleans()) else {}
    body |= {"response_format": {"type": "json_object"}} if draw(st.booleans()) else {}
    body |= {"temperature": 1.7} if draw(st.booleans()) else {}
    body |= {"max_tokens": 20} if draw(st.booleans()) else {}
    return body | {"stream": draw(st.booleans()), "n": draw(st.sampled_from([1, 1, 2]))}


def ask(proxy: Stack, body: dict[str, Any]) -> bool:
    """Whether the exchange took place, for the policy in force: what it refuses as a mistake is nobody's exchange."""
    with proxy.client.stream("POST", f"{proxy.url}/chat/completions", json={"model": "deepseek-r1", **body}) as reply:
        read = reply.read()
    return reply.status_code == 200 or b"content_filter" in read


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_agrees_with_itself(model: FakeModel, tmp_path: Path, name: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(POLICIES[name] + policy(more=REPAIR if name == "repair" else ""), "utf-8")
    with followed(model.url, policy=str(file), shadow=str(file)) as proxy:
        asked = 0

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @example({"messages": [{"role": "user", "content": SHOTS}]})
        @example({"messages": [{"role": "user", "content": "an object"}], "n": 2})
        @given(bodies())
        def same(body: dict[str, Any]) -> None:
            nonlocal asked
            asked += ask(proxy, body)
            until(lambda: judged(proxy) == asked)
            assert {name: count for name, count in counted(proxy, "shadow_rules_total").items() if name[0] != "agree"} == {}
            assert counted(proxy, "shadow_exchanges_total") == {("same",): asked}
            assert counted(proxy, "shadow_unseen_total") == {}

        same()
