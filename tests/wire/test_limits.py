"""Limits over real sockets: what callers are told, and that what they used is counted however an exchange ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from proxy.access.local import Local
from proxy.gate import Gate
from tests.fake_model import FakeModel, fake_model
from tests.redis_server import running_redis
from tests.stack import Stack, events_of, stack

POLICY = """
name: limits
reasoning: show
rules:
  word: {use: patterns, on: [prompt, reasoning, answer], words: [kumquat], do: block}
"""
ENDLESS = "word " * 4000


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    scenes: list[dict[str, Any]] = [
        {"when": "endless", "think": "Hm.\n", "say": ENDLESS, "pace": "2ms", "usage": "continuous"},
        {"when": "slip", "think": "Hm.\n", "say": f"one kumquat {ENDLESS}", "pace": "1ms", "usage": "continuous"},
        {"when": "broken", "fail": {"how": "http_500"}},
        {"think": "Hm.\n", "say": "Hello."},
    ]
    with fake_model(scenes=scenes) as running:
        yield running


@pytest.fixture(autouse=True)
def no_minute_ends() -> None:
    """Tests that count what is left of a minute begin early enough in it."""
    if (left := 60 - time.time() % 60) < 8:
        time.sleep(left)


def used(proxy: Stack) -> list[int]:
    """The counts of all callers together, once nothing goes on."""
    assert isinstance(proxy.app, Gate)
    assert proxy.app.short_cut is not None
    limiter = proxy.app.short_cut._house.gates.limiter
    assert isinstance(limiter, Local)
    deadline = time.monotonic() + 10
    while (counts := limiter._counts["key:"].used)[7]:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return list(counts)


def metrics(proxy: Stack) -> str:
    """The page for Prometheus."""
    return proxy.client.get(f"{proxy.root}/metrics").text


def test_headers_say_what_is_left(model: FakeModel) -> None:
    with stack(POLICY, model.url, default_limits="requests_per_minute=5, tokens_per_day=100000") as proxy:
        answers = [proxy.ask("hello"), proxy.ask("hello", stream=True)]
        for left, answer in zip((4, 3), answers, strict=True):
            assert answer.status_code == 200
            assert answer.headers["x-ratelimit-limit-requests"] == "5"
            assert answer.headers["x-ratelimit-remaining-requests"] == str(left)
            assert answer.headers["x-ratelimit-reset-requests"].endswith("s")
            assert 90_000 < int(answer.headers["x-ratelimit-remaining-tokens"]) < 100_000
        events_of(answers[1].content)


def test_no_limits_no_headers(model: FakeModel) -> None:
    with stack(POLICY, model.url) as proxy:
        assert [name for name in proxy.ask("hello").headers if name.startswith("x-ratelimit")] == []


def test_a_minute_that_is_used_up_is_a_rate_limit_error(model: FakeModel) -> None:
    """To the SDK, too; the model is not asked, and what is refused is not counted."""
    with stack(POLICY, model.url, default_limits="requests_per_minute=2") as proxy:
        client = openai.OpenAI(base_url=proxy.url, api_key="x", max_retries=0)
        messages: Any = [{"role": "user", "content": "hello"}]
        before = len(model.requests)
        for _ in range(2):
            client.chat.completions.create(model="m", messages=messages)
        for _ in range(2):
            with pytest.raises(openai.RateLimitError) as caught:
                client.chat.completions.create(model="m", messages=messages)
            error = caught.value
            assert (error.code, error.type) == ("rate_limit_exceeded", "requests")
            assert 1 <= int(error.response.headers["retry-after"]) <= 60
            assert error.response.headers["x-ratelimit-remaining-requests"] == "0"
        client.close()
        assert len(model.requests) == before + 2
        assert used(proxy)[0] == 2
        assert 'limits_refused_total{limit="requests_per_minute",subject="key"} 2.0' in metrics(proxy)


def test_a_day_that_is_used_up_is_no_reason_to_try_again(model: FakeModel) -> None:
    with stack(POLICY, model.url, default_limits="requests_per_day=1") as proxy:
        proxy.ask("hello")
        refused = proxy.ask("hello")
        assert (refused.status_code, refused.json()["error"]["type"]) == (429, "insufficient_quota")
        assert refused.headers["x-should-retry"] == "false"


def test_a_prompt_larger_than_its_limit_never_fits(model: FakeModel) -> None:
    with stack(POLICY, model.url, default_limits="prompt_tokens_per_minute=20") as proxy:
        assert proxy.ask("hello").status_code == 200
        refused = proxy.ask("many words " * 100)
        assert (refused.status_code, refused.json()["error"]["type"]) == (429, "tokens")
        assert refused.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_used_is_counted_at_the_end(model: FakeModel, stream: bool) -> None:
    with stack(POLICY, model.url, default_limits="tokens_per_day=100000") as proxy:
        proxy.ask("hello", stream=stream)
        counts, usage = used(proxy), proxy.closed()["usage"]
        assert counts[5] == counts[6] == usage["prompt"] + usage["completion"]
        assert counts[3] == usage["reasoning"]


@pytest.mark.parametrize(("prompt", "least", "most"), [("slip", 3, 200), ("kumquat", 0, 0), ("broken", 0, 0)])
def test_ends_of_other_kinds_cost_what_they_cost(model: FakeModel, prompt: str, least: int, most: int) -> None:
    """An answer that is blocked in its midst, a prompt that is blocked, a server that fails."""
    with stack(POLICY, model.url, default_limits="tokens_per_day=100000") as proxy:
        proxy.ask(prompt)
        counts = used(proxy)
        assert counts[0] == 1
        assert least <= counts[6] <= most


def test_who_leaves_has_used_what_was_generated(model: FakeModel) -> None:
    with stack(POLICY, model.url, default_limits="tokens_per_day=100000, streams=1") as proxy:
        body = {"model": "m", "messages": [{"role": "user", "content": "endless"}], "stream": True}
        with proxy.client.stream("POST", f"{proxy.url}/chat/completions", json=body) as answer:
            lines = answer.iter_lines()
            for _ in range(100):
                next(lines)
            refused = httpx.post(f"{proxy.url}/chat/completions", json=body, trust_env=False)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        counts = used(proxy)
        assert 20 < counts[6] < 4000
        assert proxy.ask("hello").status_code == 200


@pytest.mark.parametrize(
    ("more", "form"),
    [("readability: {repetition: stop}", {}), ("", {"response_format": {"type": "json_object"}})],
)
def test_who_leaves_a_try_that_goes_on_has_used_it(model: FakeModel, more: str, form: dict[str, Any]) -> None:
    """Replies that may be asked for again are counted by try, and one that was cut off has cost something too."""
    with stack(POLICY + more, model.url, default_limits="tokens_per_day=100000, streams=1", keep_alive_seconds=0.05) as proxy:
        body = {"model": "m", "messages": [{"role": "user", "content": "endless"}], "stream": True, **form}
        with proxy.client.stream("POST", f"{proxy.url}/chat/completions", json=body) as answer:
            lines = answer.iter_lines()
            for _ in range(20):
                next(lines)
        assert 5 < used(proxy)[6] < 6000


def test_a_place_is_free_when_the_last_byte_is_there(model: FakeModel) -> None:
    with stack(POLICY, model.url, default_limits="streams=1") as proxy:
        assert [proxy.ask("hello", stream=True).status_code for _ in range(10)] == [200] * 10


def test_moderations_are_requests_too(model: FakeModel) -> None:
    with stack(POLICY, model.url, default_limits="requests_per_minute=2, tokens_per_day=1000") as proxy:
        for left in (1, 0):
            answer = proxy.client.post(f"{proxy.url}/moderations", json={"input": "hello"})
            assert (answer.status_code, answer.headers["x-ratelimit-remaining-requests"]) == (200, str(left))
        assert proxy.client.post(f"{proxy.url}/moderations", json={"input": "hello"}).status_code == 429
        assert used(proxy)[5] == 0


def test_who_waits_for_a_place_is_kept_alive_and_then_served(model: FakeModel) -> None:
    """One place: the second stream waits behind the first, with signs of life, and gets its answer when the first has left."""
    settings: dict[str, Any] = {"upstream_concurrency": 1, "keep_alive_seconds": 0.05, "queue_seconds": 30}
    body = {"model": "m", "messages": [{"role": "user", "content": "endless"}], "stream": True}
    second = {**body, "messages": [{"role": "user", "content": "hello"}]}
    with (
        stack(POLICY, model.url, **settings) as proxy,
        httpx.Client(trust_env=False, timeout=30) as other,
        proxy.client.stream("POST", f"{proxy.url}/chat/completions", json=body) as first,
    ):
        data = first.iter_bytes()  # kept: the response closes with it
        assert next(data)
        with other.stream("POST", f"{proxy.url}/chat/completions", json=second) as waits:
            lines = waits.iter_lines()
            assert next(lines).startswith(":")
            first.close()
            assert any("Hello" in line for line in lines)


def test_a_full_line_is_refused_before_the_body_is_judged(model: FakeModel) -> None:
    with stack(POLICY, model.url, upstream_concurrency=1, queue_length=0) as proxy:
        body = {"model": "m", "messages": [{"role": "user", "content": "endless"}], "stream": True}
        with proxy.client.stream("POST", f"{proxy.url}/chat/completions", json=body) as first:
            data = first.iter_bytes()  # kept: the response closes with it
            assert next(data)
            asked = len(model.requests)
            refused = httpx.post(f"{proxy.url}/chat/completions", content=b"no json at all", trust_env=False)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "queue_full")
            assert int(refused.headers["retry-after"]) >= 1
            assert refused.headers["x-should-retry"] == "true"
            assert httpx.get(f"{proxy.root}/health/ready", trust_env=False).status_code == 200
            page = httpx.get(f"{proxy.root}/metrics", trust_env=False).text
            assert 'shed_total{why="queue_full"} 1.0' in page
            assert "sluicegate_queue_running 1.0" in page
        assert len(model.requests) == asked


def test_redis_killed_under_real_requests_and_started_again(model: FakeModel) -> None:
    """Limits hold, are a share, hold again; nobody gets an error for it, and every request is counted."""
    with running_redis(keep=True) as redis:
        limits: dict[str, Any] = {
            "default_limits": "requests_per_day=1000, tokens_per_day=1000000",
            "redis_url": redis.url,
            "redis_timeout": 1.0,
        }
        with stack(POLICY, model.url, **limits) as proxy:
            statuses = [proxy.ask("hello").status_code for _ in range(5)]
            redis.kill()
            statuses += [proxy.ask("hello").status_code for _ in range(5)]
            assert 'limits_backend{backend="local_share"} 1.0' in metrics(proxy)
            redis.start()
            deadline = time.monotonic() + 10
            while not ('limits_backend{backend="redis"} 1.0' in (page := metrics(proxy)) and "limits_owed 0.0" in page):
                statuses.append(proxy.ask("hello").status_code)
                assert time.monotonic() < deadline
            assert set(statuses) == {200}
            answer = proxy.ask("hello")
            assert int(answer.headers["x-ratelimit-remaining-requests"]) == 1000 - len(statuses) - 1
