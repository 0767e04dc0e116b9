"""Thoughts on the wire: under which names they come and go, and that hidden ones are hidden everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.upstream.shapes import DIALECTS, Dialect
from tests.fake_model import fake_model
from tests.raw_model import DONE, event, raw_model
from tests.stack import Stack, finish_of, stack, text_of

POLICY = """
name: fields
reasoning: show
rules:
  word: {use: patterns, on: [prompt, reasoning, answer], words: [kumquat], do: block}
"""
THINK, SAY = "Okay, so 2 < 3. I am sure.\n", "Two is **less** than three 水."
NAMES = {"both": {"reasoning", "reasoning_content"}, "reasoning": {"reasoning"}, "reasoning_content": {"reasoning_content"}}


def views(proxy: Stack, prompt: str = "hello", **body: Any) -> list[tuple[set[str], str, str, str]]:
    """What a client gets, streamed and not: the names of the fields with thoughts, the thoughts, the answer, the end."""
    events = proxy.stream(prompt, **body)
    deltas = [choice["delta"] for each in events for choice in each["choices"]]
    names = {name for delta in deltas for name in delta} - {"role", "content", "refusal", "tool_calls"}
    thoughts = {text_of(events, name) for name in names} or {""}
    assert len(thoughts) == 1, thoughts
    streamed = (names, thoughts.pop(), text_of(events), finish_of(events))
    choice = proxy.ask(prompt, **body).json()["choices"][0]
    message = choice["message"]
    names = message.keys() - {"role", "content", "refusal", "tool_calls"}
    thoughts = {message[name] for name in names} or {""}
    assert len(thoughts) == 1, thoughts
    return [streamed, (names, thoughts.pop(), message["content"], choice["finish_reason"])]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("field", NAMES)
def test_every_dialect_gives_the_same_view(dialect: Dialect, field: Any) -> None:
    """vLLM of three generations, SGLang, DeepSeek's API, and a server without a parser; by setting, under either name or both."""
    with (
        fake_model(scenes=[{"think": THINK, "say": SAY}], dialect=dialect) as model,
        stack(POLICY, model.url, reasoning_field=field) as proxy,
    ):
        for names, thought, answer, finish in views(proxy):
            assert names == NAMES[field]
            assert (thought.strip(), answer.lstrip("\n"), finish) == (THINK.strip(), SAY, "stop")


@pytest.mark.parametrize("dialect", ["vllm", "sglang", "raw"])
def test_tags_in_the_content(dialect: Dialect) -> None:
    """With the opening tag and without, as R1's template of January 2025 leaves it; however it is cut."""
    cuts: list[Any] = [[1], [2, 7], [3, 1], "whole"]
    ways = [(tag, cut) for tag in ("inline", "inline-no-open") for cut in cuts]
    scenes = [{"when": f"way {at}.", "think": THINK, "say": SAY, "tag": tag, "cut": cut} for at, (tag, cut) in enumerate(ways)]
    with fake_model(scenes=[*scenes, {"say": "none"}], dialect=dialect) as model, stack(POLICY, model.url) as proxy:
        for at in range(len(ways)):
            for names, thought, answer, finish in views(proxy, f"way {at}."):
                assert names == NAMES["both"], ways[at]
                assert (thought.strip(), answer.lstrip("\n"), finish) == (THINK.strip(), SAY, "stop"), ways[at]


@pytest.mark.parametrize("cut", [[1], [4], "whole"])
def test_a_quoted_closing_tag_leaks_no_thought(cut: Any) -> None:
    """The server splits at the quoted tag; we do not: what follows it is thought until the real one."""
    think = 'Okay. The user wrote "</think>" and wants to know.\nI am a SECRET thought.'
    with fake_model(scenes=[{"think": think, "say": SAY, "tag": "inline", "cut": cut}]) as model:
        with stack(POLICY, model.url) as proxy:
            for _, thought, answer, _ in views(proxy):
                assert (thought.strip(), answer.lstrip("\n")) == (think, SAY)
        with stack(POLICY.replace("show", "hide"), model.url) as proxy:
            for stream in (True, False):
                assert "SECRET" not in proxy.ask("hello", stream=stream).text


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content", "content"])
def test_an_untagged_whole_answer_is_an_answer(field: str) -> None:
    """vLLM and SGLang give it as reasoning, a server without a parser as content; nobody gets an empty answer."""
    parts = [event({"role": "assistant", "content": ""}), *[event({field: word}) for word in ("A ", "plain ", "answer.")]]
    with raw_model([*parts, event({}, "stop"), DONE]) as model:
        for policy in (POLICY, POLICY.replace("show", "hide")):
            with stack(policy, model.url) as proxy:
                for _, _, answer, finish in views(proxy):
                    assert (answer, finish) == ("A plain answer.", "stop")


@pytest.mark.parametrize("reasoning", ["show", "hide", "summary_line"])
@pytest.mark.parametrize("tag", ["fields", "inline"])
def test_a_reply_cut_inside_its_thoughts_says_so(tag: str, reasoning: str) -> None:
    """Finish `length`, an empty answer, and a word about it: in the body's extension, and in a header if one can be sent."""
    with (
        fake_model(scenes=[{"think": "so " * 400, "say": SAY, "tag": tag}]) as model,
        stack(POLICY.replace("show", reasoning) + "limits: {thinking_budget: 10, tokens: 100}\n", model.url) as proxy,
    ):
        events = proxy.stream("hello", max_tokens=20)
        assert (finish_of(events), text_of(events)) == ("length", "")
        assert events[-1]["sluicegate"]["truncated_in"] == "reasoning"
        whole = proxy.ask("hello", max_tokens=20)
        assert whole.headers["x-sluicegate-truncated-in"] == "reasoning"
        body = whole.json()
        assert body["sluicegate"]["truncated_in"] == "reasoning"
        assert (body["choices"][0]["finish_reason"], body["choices"][0]["message"]["content"]) == ("length", "")
        assert proxy.closed()["truncated_in"] == "reasoning"
        assert ("so so" in whole.text) is (reasoning == "show")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("reasoning", ["hide", "summary_line"])
def test_hidden_thoughts_are_in_no_field(dialect: Dialect, reasoning: str) -> None:
    """Not under either name, not in the content, not in tool calls, log probabilities or headers; usage still counts them."""
    think = "A SECRET, and one more SECRET.\n"
    scene = {"think": think, "say": SAY, "logprobs": True}
    policy = POLICY.replace("show", reasoning) + "logprobs: true\ndisclose: {verdict: true}\n"
    with fake_model(scenes=[scene], dialect=dialect) as model, stack(policy, model.url) as proxy:
        for stream in (True, False):
            answer = proxy.ask("hello", stream=stream, logprobs=True, top_logprobs=3, stream_options={"include_usage": True})
            assert SAY.split()[0] in answer.text
            assert "SECRET" not in answer.text + str(answer.headers)
            assert "ECRE" not in answer.text
            assert '"reasoning_tokens":' in answer.text
        for names, thought, answer_text, _ in views(proxy):
            assert answer_text.lstrip("\n") == SAY
            if reasoning == "hide":
                assert names == set()
            else:
                assert names == NAMES["both"]
                assert thought == "The model thought for 1 s; its reasoning is not shown."


def test_hidden_thoughts_are_judged_all_the_same() -> None:
    """A block in a thought ends the reply, and says nothing of it."""
    with fake_model(scenes=[{"think": "I like the kumquat.\n", "say": SAY}]) as model:
        for reasoning in ("hide", "summary_line"):
            with stack(POLICY.replace("show", reasoning), model.url) as proxy:
                for _, _, answer, finish in views(proxy):
                    assert finish == "content_filter"
                    assert SAY not in answer


def test_a_summary_line_comes_before_the_answer_and_once_for_each_choice() -> None:
    scene = {"think": "One.\n", "say": "First.", "variants": [{"think": "Two.\n", "say": "Second."}]}
    with fake_model(scenes=[scene]) as model, stack(POLICY.replace("show", "summary_line"), model.url) as proxy:
        events = proxy.stream("hello", n=2)
        for choice, said in ((0, "First."), (1, "Second.")):
            order = [
                name
                for each in events
                for one in each["choices"]
                if one["index"] == choice
                for name, text in one["delta"].items()
                if name in ("reasoning", "content") and text
            ]
            assert order[0] == "reasoning"
            assert order.count("reasoning") == 1
            assert text_of(events, choice=choice) == said
