"""`/v1/moderations`: OpenAI's shape, the policy's prompt rules, and no model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from proxy.moderations import MOST_INPUTS, STANDARD
from tests.stack import Stack, stack

POLICY = """
name: moderation
reasoning: show
rules:
  word: {use: patterns, on: [prompt], words: [kumquat], do: block}
  harm: {use: patterns, on: [prompt], expressions: {harassment: ['you idiot'], our_own: ['durian']}, do: block}
  mail: {use: patterns, category: address, on: [prompt], expressions: ['[a-z]{1,20}@[a-z]{1,20}[.]com'], do: redact}
  note: {use: patterns, category: noted, on: [prompt], words: [apple], do: flag}
  out: {use: patterns, category: answers, on: [answer, reasoning, context], words: [pear], do: block}
"""


@pytest.fixture(scope="module")
def proxy() -> Iterator[Stack]:
    """With no model server: none is needed."""
    with stack(POLICY, "http://127.0.0.1:9/v1") as running:
        yield running


def judged(proxy: Stack, value: Any, **more: Any) -> list[dict[str, Any]]:
    reply = proxy.client.post(f"{proxy.url}/moderations", json={"input": value, **more})
    assert reply.status_code == 200, reply.text
    results: list[dict[str, Any]] = reply.json()["results"]
    return results


@pytest.mark.parametrize(
    ("text", "acted"),
    [
        ("a kumquat", {"pattern"}),
        ("A k\u200bUmquat", {"pattern"}),
        ("you idiot", {"harassment"}),
        ("durian, you idiot", {"harassment", "our_own"}),
        ("a durian", {"our_own"}),
        ("an apple to bob@site.com", {"noted", "address"}),
        ("to bob@site.com", {"address"}),
        ("an apple", {"noted"}),
        ("a pear", set()),
        ("good day", set()),
        ("", set()),
        ("x" * 50_000 + " kumquat", {"pattern"}),
    ],
)
def test_an_input_is_judged_by_the_prompt_rules(proxy: Stack, text: str, acted: set[str]) -> None:
    (result,) = judged(proxy, text)
    assert result["flagged"] is bool(acted)
    assert {name for name, value in result["categories"].items() if value} == acted
    assert {name for name, score in result["category_scores"].items() if score} == acted
    assert result["categories"].keys() == result["category_scores"].keys() == result["category_applied_input_types"].keys()
    assert set(STANDARD) <= result["categories"].keys()


def test_a_list_has_a_result_each_and_parts_have_one_together(proxy: Stack) -> None:
    assert [each["flagged"] for each in judged(proxy, ["good", "kumquat", "", "durian", "good"])] == [
        False,
        True,
        False,
        True,
        False,
    ]
    parts = [{"type": "text", "text": "good"}, {"type": "text", "text": "kumquat"}]
    assert [each["flagged"] for each in judged(proxy, parts)] == [True]
    assert len(judged(proxy, ["x"] * MOST_INPUTS)) == MOST_INPUTS


def test_one_input_does_not_colour_the_next(proxy: Stack) -> None:
    """Results are apart: the scores of one text do not stand in another's."""
    first, second = judged(proxy, ["durian", "kumquat"])
    assert "our_own" not in second["categories"]
    assert first["categories"]["our_own"]
    assert not first["categories"].get("pattern")


@pytest.mark.parametrize(
    "value",
    [
        None, 5, [], {}, [5], ["x"] * (MOST_INPUTS + 1), [["x"]], ["x", {"type": "text", "text": "x"}],
        [{"type": "image_url", "image_url": {"url": "kumquat"}}],
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused(proxy: Stack, value: Any) -> None:
    reply = proxy.client.post(f"{proxy.url}/moderations", json={"input": value})
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "input")
    assert "kumquat" not in reply.text


def test_the_whole_body_is_openais(proxy: Stack) -> None:
    """Its SDK reads it; headers name the exchange; the record holds no text and says which rule acted."""
    with openai.OpenAI(base_url=proxy.url, api_key="none", max_retries=0) as client:
        answer = client.moderations.create(model="text-moderation-stable", input="SECRETWORD kumquat")
    assert answer.id.startswith("modr-")
    assert answer.model == "text-moderation-stable"
    assert answer.results[0].flagged
    opened, closed = proxy.sink.records[-2:]
    assert (opened["event"], closed["event"], opened["route"]) == ("opened", "closed", "/v1/moderations")
    assert [each["rule"] for each in closed["verdicts"]] == ["word"]
    assert "SECRETWORD" not in str(proxy.sink.records)
    reply = proxy.client.post(f"{proxy.url}/moderations", json={"input": "kumquat"})
    assert reply.headers["x-request-id"] == proxy.closed()["id"]
    assert reply.headers["x-sluicegate-policy"] == "moderation"
    assert "kumquat" not in reply.text
