"""`/metrics` after known traffic: every number that was promised, and none that a caller could make up."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.fake_model import fake_model
from tests.stack import Stack, stack

POLICY = """
name: counted
reasoning: show
rules:
  word: {use: patterns, on: [prompt, reasoning, answer], words: [kumquat], do: block}
  mail: {use: patterns, on: [prompt, answer], expressions: ['[a-z]{1,20}@[a-z]{1,20}[.]com'], do: redact}
"""
SCENES: list[dict[str, Any]] = [
    {"when": "fruit", "think": "Hm.\n", "say": "A kumquat."},
    {"when": "mail", "think": "Hm.\n", "say": "To bob@site.com and eve@site.com."},
    {"when": "thought", "think": "A kumquat.\n", "say": "Hello."},
    {"when": "busy", "fail": {"how": "http_503"}},
    {"when": "wrong", "fail": {"how": "http_400"}},
    {"when": "broken", "think": "Hm.\n", "say": "x", "fail": {"how": "error_event", "after": 1}},
    {"when": "slow", "think": "Hm.\n", "say": "Hello.", "first_after": "60ms"},
    {"think": "Hm.\n", "say": "Hello."},
]


def numbers(proxy: Stack) -> dict[tuple[str, ...], float]:
    """Every series, by its name and its labels' values."""
    page = proxy.client.get(f"{proxy.root}/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    return {
        (sample.name.removeprefix("sluicegate_"), *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
    }


def test_known_traffic_gives_known_numbers() -> None:
    with fake_model(scenes=SCENES) as model, stack(POLICY, model.url) as proxy:
        for prompt in ("hello", "hello", "fruit", "mail", "thought", "busy", "wrong", "broken", "a kumquat"):
            for stream in (True, False):
                proxy.ask(prompt, stream=stream)
        proxy.client.get(f"{proxy.url}/models")
        proxy.client.get(f"{proxy.url}/models/secret-name")
        proxy.client.post(f"{proxy.url}/moderations", json={"input": "kumquat"})
        proxy.client.get(f"{proxy.root}/secret-path")
        found = numbers(proxy)

        chat = "/v1/chat/completions"
        assert found["requests_total", chat, "200"] == 10
        assert found["requests_total", chat, "502"] == 2  # a reply that broke is none, although its stream had begun with 200
        assert found["requests_total", chat, "400"] == 4
        assert found["requests_total", chat, "503"] == 2
        assert found["requests_total", "/v1/models", "200"] == 1
        assert found["requests_total", "/v1/models/{id}", "404"] == 1
        assert found["requests_total", "/v1/moderations", "200"] == 1
        assert found["requests_total", "other", "404"] == 1
        assert not [each for each in found if "secret" in str(each)]

        assert {each[1]: value for each, value in found.items() if each[0] == "exchanges_total"} == {
            "answered": 7,  # the moderation too
            "answer_blocked": 4,
            "prompt_blocked": 2,
            "upstream_error": 4,
            "rejected": 2,
        }
        verdicts = {each[1:]: value for each, value in found.items() if each[0] == "verdicts_total"}
        assert verdicts == {  # action, channel, rule
            ("block", "answer", "word"): 2,
            ("block", "reasoning", "word"): 2,
            ("block", "prompt", "word"): 3,
            ("redact", "answer", "mail"): 4,
        }
        errors = {each[1]: value for each, value in found.items() if each[0] == "upstream_errors_total"}
        assert errors == {"unavailable": 2, "rejected": 2, "mid_stream": 2}

        tokens = {each[1:]: value for each, value in found.items() if each[0] == "tokens_total" and each[2] == "server"}
        assert tokens.keys() == {("prompt", "server"), ("reasoning", "server"), ("answer", "server")}
        assert all(value > 0 for value in tokens.values())
        assert found["held_seconds_count", "answer"] >= 4
        assert found["held_seconds_count", "reasoning"] >= 4
        assert found["in_flight",] == 0
        digest = proxy.client.get(f"{proxy.root}/health/ready").json()["digest"]
        assert found["policy_info", digest, "counted"] == 1
        assert sum(value for each, value in found.items() if each[0] == "build_info") == 1


def test_time_to_first_token_with_and_without_us() -> None:
    """Both are told, ours is the longer one by little, and both hold the model server's own time."""
    with fake_model(scenes=SCENES) as model, stack(POLICY, model.url) as proxy:
        for _ in range(3):
            proxy.ask("slow", stream=True)
        found = numbers(proxy)
        assert found["first_token_seconds_count", "client"] == found["first_token_seconds_count", "upstream"] == 3
        ours, theirs = found["first_token_seconds_sum", "client"], found["first_token_seconds_sum", "upstream"]
        assert 0.18 <= theirs <= ours
        assert found["exchange_seconds_count", "answered"] == 3


def test_a_name_that_a_caller_makes_up_makes_no_series() -> None:
    """Paths, models and methods are no labels; names of dropped fields are bounded."""
    with fake_model(scenes=SCENES) as model, stack(POLICY, model.url) as proxy:
        proxy.ask("hello")
        before = len(numbers(proxy))
        for at in range(20):
            proxy.client.get(f"{proxy.root}/path-{at}")
            proxy.client.get(f"{proxy.url}/models/name-{at}")
            proxy.ask("hello", model=f"model-{at}")
            proxy.ask("hello", **{f"field {at}": 1, "x" * (50 + at): 1})
        assert len(numbers(proxy)) <= before + 6
