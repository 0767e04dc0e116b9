from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.upstream.performance import Performance, tokens
from proxy.upstream.protocol import Chunk
from proxy.upstream.script import Scene

THINK, SAY = "Okay, so I need\nto think. Wait, 水车!", "A **water wheel** (水车) turns.\n\n1234567 times"


def play(scene: dict[str, Any], body: dict[str, Any] | None = None, **how: Any) -> list[Chunk]:
    parsed = Scene.model_validate(scene)
    request = {"messages": [{"role": "user", "content": "hello"}], **(body or {})}
    return [beat.chunk for beat in Performance(parsed, request, parsed.fail, **how).beats()]


def texts(chunks: list[Chunk], choice: int = 0) -> tuple[str, str]:
    own = [chunk for chunk in chunks if chunk.choice == choice]
    return "".join(c.reasoning for c in own), "".join(c.content for c in own)


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_tokens_are_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text


def test_tokens_look_like_a_vocabulary() -> None:
    assert tokens("Hello world, 12345 水车\n\nunbelievable") == [
        "Hello",
        " world",
        ",",
        " 123",
        "45",
        " ",
        "水",
        "车",
        "\n\n",
        "unbelie",
        "vable",
    ]


@pytest.mark.parametrize("cut", ["token", "char", "line", "whole", [1, 2, 3], {"random": 7}])
@pytest.mark.parametrize("joined", [False, True])
def test_any_cut_says_the_same(cut: object, joined: bool) -> None:
    chunks = play({"think": THINK, "say": SAY, "cut": cut}, joined=joined)
    assert texts(chunks) == (THINK, SAY)
    assert [chunk.finish for chunk in chunks if chunk.finish] == ["stop"]
    assert chunks[-1].finish == "stop"
    assert any(chunk.reasoning and chunk.content for chunk in chunks) == joined


@pytest.mark.parametrize(
    ("tag", "reasoning", "content"),
    [
        ("fields", THINK, SAY),
        ("inline", "", f"<think>\n{THINK}\n</think>\n\n{SAY}"),
        ("inline-no-open", "", f"{THINK}\n</think>\n\n{SAY}"),
        ("none", "", SAY),
    ],
)
def test_how_thoughts_are_written(tag: str, reasoning: str, content: str) -> None:
    assert texts(play({"think": THINK, "say": SAY, "tag": tag})) == (reasoning, content)


def test_a_limit_cuts_inside_the_thoughts() -> None:
    chunks = play({"think": THINK, "say": SAY}, {"max_tokens": 4})
    assert texts(chunks) == ("Okay, so I", "")
    assert chunks[-1].finish == "length"


def test_a_stop_string_works_inside_thoughts_too() -> None:
    assert texts(play({"think": THINK, "say": SAY}, {"stop": ["Wait"]})) == ("Okay, so I need\nto think. ", "")
    assert texts(play({"think": THINK, "say": SAY}, {"stop": "wheel"})) == (THINK, "A **water ")


def test_choices_take_turns_and_variants() -> None:
    chunks = play({"say": "one", "variants": [{"say": "two two"}]}, {"n": 3})
    assert [texts(chunks, i)[1] for i in range(3)] == ["one", "two two", "one"]
    assert [chunk.choice for chunk in chunks[:3]] == [0, 1, 2]
    assert sorted(chunk.choice for chunk in chunks if chunk.finish) == [0, 1, 2]


def test_tools_are_called_after_the_text() -> None:
    chunks = play(
        {"think": "hm", "tools": [{"name": "f", "arguments": {"a": "{{prompt}}"}}, {"name": "g", "arguments": "not json"}]}
    )
    tools = [tool for chunk in chunks for tool in chunk.tools]
    assert "".join(t.arguments for t in tools if t.index == 0) == '{"a":"hello"}'
    assert "".join(t.arguments for t in tools if t.index == 1) == "not json"
    assert [t.name for t in tools if t.name] == ["f", "g"]
    assert chunks[-1].finish == "tool_calls"


def test_logprobs_cover_every_token() -> None:
    chunks = play({"think": "I see", "say": "Yes 水", "cut": "whole"}, {"logprobs": True, "top_logprobs": 2})
    entries = [entry for chunk in chunks for entry in chunk.logprobs]
    assert "".join(entry["token"] for entry in entries) == "I seeYes 水"
    assert bytes(entries[-1]["bytes"]) == "水".encode()


def test_the_prompt_is_echoed_as_it_is() -> None:
    body = {"messages": [{"role": "user", "content": "{{prompt}} <think>"}]}
    assert texts(play({"say": "You said: {{prompt}}"}, body)) == ("", "You said: {{prompt}} <think>")


def test_counts() -> None:
    scene = Scene(think="one two three", say=" four", repeat=5)
    performance = Performance(scene, {"messages": [{"role": "user", "content": "a b c"}]}, None)
    assert [beat.count for beat in performance.beats()].count(1) == 8
    usage = performance.usage()
    assert (usage.completion, usage.reasoning, usage.prompt) == (8, 3, 7)


@pytest.mark.parametrize("after", [0, 2, 1000])
def test_a_failure_is_the_last_beat(after: int) -> None:
    scene = Scene.model_validate({"say": "one two three", "fail": {"how": "disconnect", "after": after}})
    beats = list(Performance(scene, {}, scene.fail).beats())
    assert beats[-1].fail is scene.fail
    assert sum(beat.count for beat in beats) == min(after, 3)
