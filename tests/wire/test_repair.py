"""Repair over real sockets: a reply goes back to its last clean sentence and on from there; the client sees one clean answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from tests.fake_model import FakeModel, fake_model
from tests.stack import events_of, finish_of, stack, text_of

POLICY = """
name: repairs
reasoning: {reasoning}
messages: {{refusal: {{en: "This cannot be shown."}}}}
passages: {{first: 10, then: 60, most: 400}}
rules:
  lock: {{use: language, allowed: [en], on: [answer], do: repair{more}}}
"""
WORDS = """
name: words
reasoning: show
messages: {refusal: {en: "This cannot be shown."}}
rules:
  fruit: {use: patterns, words: [kumquat], on: [reasoning, answer], do: repair}
"""
CLEAN = "Bread needs flour, water and salt. You knead it for ten minutes."
SLIP = " Then you let it 发酵一个小时 in a warm place. Bake it."
REST = " Then you let it rise in a warm place. Bake it."


def policy(reasoning: str = "show", more: str = "") -> str:
    return POLICY.format(reasoning=reasoning, more=more)


def scenes(*go_on: str, **more: Any) -> list[dict[str, Any]]:
    return [{"think": "The user wants bread.\n", "say": CLEAN + SLIP, "go_on": list(go_on), **more}]


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with fake_model(scenes=scenes(REST)) as each:
        yield each


def asked(model: FakeModel) -> list[dict[str, Any]]:
    return list(model.diary.requests)


@pytest.mark.parametrize("stream", [True, False])
def test_one_clean_answer(model: FakeModel, stream: bool) -> None:
    with stack(policy(), model.url, profile="deepseek-r1") as proxy:
        reply = proxy.ask("How do I bake bread?", stream=stream)
        assert heard(reply, stream) == ("The user wants bread.\n", CLEAN + REST, "stop")
        (repair,) = proxy.closed()["repairs"]
    assert (repair["rule"], repair["way"]) == ("lock", "continued")
    assert (repair["at"], repair["channel"]) == (len(CLEAN), "answer")
    assert "发" not in reply.text


def heard(reply: Any, stream: bool) -> tuple[str, str, str]:
    if stream:
        events = events_of(reply.content)
        return text_of(events, "reasoning"), text_of(events), finish_of(events)
    (choice,) = reply.json()["choices"]
    return choice["message"].get("reasoning", ""), choice["message"]["content"], choice["finish_reason"]


def test_the_model_goes_on_behind_the_clean_part(model: FakeModel) -> None:
    with stack(policy(), model.url, profile="deepseek-r1") as proxy:
        proxy.ask("How do I bake bread?", temperature=0.6, seed=7, max_tokens=100)
        used = proxy.closed()["usage"]
    first, second = asked(model)
    assert second["prompt"].startswith("<｜User｜>How do I bake bread?<｜Assistant｜><think>\nThe user wants bread.\n")
    assert second["prompt"].endswith("</think>\n\n" + CLEAN)
    assert "I write in English only" in second["prompt"].partition("<think>")[2].partition("</think>")[0]
    assert (second["model"], second["temperature"], second["seed"]) == ("deepseek-r1", 0.6, 8)
    assert second["max_tokens"] < first["max_tokens"]
    assert used["completion"] > 30


def test_it_may_slip_again_and_again(model: FakeModel) -> None:
    with (
        fake_model(scenes=scenes(" Then 发酵一个小时.", " Then you wait. 发酵一个小时 now.", " Never.")) as stubborn,
        stack(policy(more=", tries: 2"), stubborn.url, profile="deepseek-r1") as proxy,
    ):
        _, answer, finish = heard(proxy.ask("How do I bake bread?"), False)
        assert len(proxy.closed()["repairs"]) == 2
    assert answer == CLEAN + " Then you wait." + "\n\nThis cannot be shown."
    assert finish == "content_filter"
    assert len(asked(stubborn)) == 3


def test_what_comes_instead_when_the_tries_are_used_up(model: FakeModel) -> None:
    with (
        fake_model(scenes=scenes(" Then 发酵一个小时 it is. Bake it.")) as stubborn,
        stack(policy(more=", tries: 1, else: flag"), stubborn.url, profile="deepseek-r1") as proxy,
    ):
        assert heard(proxy.ask("How do I bake bread?"), False)[1:] == (
            CLEAN + " Then 发酵一个小时 it is. Bake it.",
            "stop",
        )
        actions = [verdict["action"] for verdict in proxy.closed()["verdicts"]]
    assert actions == ["repair", "repair", "flag"]


def test_a_server_without_completions_is_asked_afresh_where_nothing_is_out() -> None:
    again = {"when": "every word of it", "think": "English.\n", "say": CLEAN + REST}
    slips = {"think": "Bread.\n", "say": "你好 is how I begin. And so on."}
    with (
        fake_model(scenes=[again, slips], quirks=["no_completions"]) as model,
        stack(policy("hide"), model.url, profile="deepseek-r1") as proxy,
    ):
        for _ in range(2):  # the first time it finds out, the second it knows
            assert heard(proxy.ask("How do I bake bread?"), False) == ("", CLEAN + REST, "stop")
            (repair,) = proxy.closed()["repairs"]
            assert repair["way"] == "asked_again"
    chats = [body for body in asked(model) if "messages" in body]
    assert [body["messages"][-1]["content"] for body in chats[:2]] == [
        "How do I bake bread?",
        "How do I bake bread?\n\nWrite in English only, every word of it.",
    ]
    assert sum("prompt" in body for body in asked(model)) == 0


def test_a_server_without_completions_where_something_is_out_ends_as_the_rule_says() -> None:
    with (
        fake_model(scenes=scenes(), quirks=["no_completions"]) as model,
        stack(policy(), model.url, profile="deepseek-r1") as proxy,
    ):
        for _ in range(2):
            assert heard(proxy.ask("How do I bake bread?"), False)[1:] == (
                CLEAN + "\n\nThis cannot be shown.",
                "content_filter",
            )


def test_a_model_whose_template_is_not_known_is_asked_afresh() -> None:
    again = {"when": "every word of it", "think": "English.\n", "say": "All is well."}
    with (
        fake_model(scenes=[again, {"think": "Hm.\n", "say": "你好, my friend."}]) as model,
        stack(policy("hide"), model.url) as proxy,
    ):
        assert heard(proxy.ask("Say hello", model="a-model"), False) == ("", "All is well.", "stop")


def test_thinking_is_forced_when_the_model_is_asked_afresh() -> None:
    again = {"when": "every word of it", "think": "English.\n", "say": "All is well."}
    forced = policy("hide") + "shape: {force_thinking: always}\n"
    with (
        fake_model(scenes=[again, {"think": "Hm.\n", "say": "你好, my friend."}]) as model,
        stack(forced, model.url) as proxy,
    ):
        assert heard(proxy.ask("Say hello", model="a-model"), False) == ("", "All is well.", "stop")
    assert [(body["messages"][-1], body["continue_final_message"]) for body in asked(model)] == [
        ({"role": "assistant", "content": "<think>\n"}, True)
    ] * 2


def test_each_choice_for_itself() -> None:
    every = [
        {"think": "The user wants bread.\n", "say": CLEAN + SLIP, "variants": [{"think": "Hm.\n", "say": CLEAN}], "go_on": REST}
    ]
    with fake_model(scenes=every) as model, stack(policy(), model.url, profile="deepseek-r1") as proxy:
        events = events_of(proxy.ask("How do I bake bread?", n=2, stream=True).content)
        assert [text_of(events, choice=at) for at in (0, 1)] == [CLEAN + REST, CLEAN]
        assert [finish_of(events, at) for at in (0, 1)] == ["stop", "stop"]
        (repair,) = proxy.closed()["repairs"]
    assert repair["choice"] == 0


@pytest.mark.parametrize("cut", [[1], [7], [400]])
def test_thoughts_are_repaired_too(cut: list[int]) -> None:
    scene = {
        "think": "A bowl of fruit. I would add a kumquat to it.\n",
        "say": "Add a kumquat!",
        "go_on": ["I would add an apple to it.\n</think>\n\nAdd an apple, no kumquat!", " pears!"],
        "cut": cut,
    }
    with fake_model(scenes=[scene]) as model, stack(WORDS, model.url, profile="deepseek-r1") as proxy:
        reply = heard(proxy.ask("Which fruit?"), False)
        assert [repair["channel"] for repair in proxy.closed()["repairs"]] == ["reasoning", "answer"]
    assert reply == ("A bowl of fruit. I would add a I would add an apple to it.\n", "\n\nAdd an apple, no  pears!", "stop")


def test_the_callers_limit_holds_over_all_tries() -> None:
    words = "".join(f" word{at}" for at in range(40))
    with (
        fake_model(scenes=scenes(words)) as model,
        stack(policy() + "limits: {thinking_budget: 8}\n", model.url, profile="deepseek-r1") as proxy,
    ):
        finish = heard(proxy.ask("How do I bake bread?", max_tokens=40), False)[2]
        used = proxy.closed()["usage"]
    assert finish == "length"
    assert used["completion"] <= 48


def test_an_openai_client_sees_nothing_of_it(model: FakeModel) -> None:
    with stack(policy(), model.url, profile="deepseek-r1") as proxy, OpenAI(base_url=proxy.url, api_key="none") as client:
        messages: list[Any] = [{"role": "user", "content": "How do I bake bread?"}]
        with client.chat.completions.stream(model="deepseek-r1", messages=messages) as stream:
            for _ in stream:
                pass
            whole = stream.get_final_completion()
    assert whole.choices[0].message.content == CLEAN + REST


def test_placeholders_stay_placeholders_for_the_model() -> None:
    text = """
name: both
reasoning: show
passages: {first: 10, then: 60, most: 400}
rules:
  pii: {use: pii, on: [prompt], entities: [EMAIL_ADDRESS], do: redact, operator: restore}
  lock: {use: language, allowed: [en], on: [answer], do: repair}
"""
    scene = {"think": "Hm.\n", "say": "I wrote to [EMAIL-1] today. Then 发酵一个小时.", "go_on": " And [EMAIL-1] answered."}
    with fake_model(scenes=[scene]) as model, stack(text, model.url, profile="deepseek-r1") as proxy:
        assert heard(proxy.ask("Write to anna@example.com"), False)[1] == (
            "I wrote to anna@example.com today. And anna@example.com answered."
        )
    assert "anna@example.com" not in asked(model)[1]["prompt"]
    assert "[EMAIL-1] today." in asked(model)[1]["prompt"]


def test_a_harmful_passage_is_written_again() -> None:
    text = """
name: harm
reasoning: hide
messages: {refusal: {en: "This cannot be shown."}}
passages: {first: 40, then: 80, most: 400}
rules:
  harm: {use: harm, on: [answer], when: {hate: 0.5, harmful_compliance: 0.5}, do: repair}
"""
    fine = "Berlin has three and a half million people, and many of them came from somewhere else."
    bad = " All those immigrants are filthy vermin, and they should be exterminated like the rats they are."
    scene = {"think": "A city.\n", "say": fine + bad, "go_on": " People from all over the world live there together."}
    with fake_model(scenes=[scene]) as model, stack(text, model.url, profile="deepseek-r1") as proxy:
        assert heard(proxy.ask("Tell me about Berlin."), False)[1:] == (
            fine + " People from all over the world live there together.",
            "stop",
        )
        (repair,) = proxy.closed()["repairs"]
    assert (repair["rule"], repair["way"], repair["at"]) == ("harm", "continued", len(fine))


def test_a_model_that_says_it_is_another_one_is_corrected() -> None:
    text = "name: who\nreasoning: hide\nrules:\n  who: {use: identity, on: [answer], do: repair, steer: I am DeepSeek-R1.}\n"
    scene = {"think": "Who?\n", "say": "Hello! I am ChatGPT, made by OpenAI.", "go_on": "I am DeepSeek-R1, a model of DeepSeek."}
    with fake_model(scenes=[scene]) as model, stack(text, model.url, profile="deepseek-r1") as proxy:
        _, said, finish = heard(proxy.ask("Who are you?"), False)
    assert (said, finish) == ("Hello! I am DeepSeek-R1, a model of DeepSeek.", "stop")
    assert "I am DeepSeek-R1.\n</think>" in asked(model)[1]["prompt"]
