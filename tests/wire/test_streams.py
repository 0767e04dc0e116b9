"""What a client sees: refusals, cuts, masks, signs of life, headers, and the verdict; and never what was forbidden."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from classifiers.finding import Context, Finding, Findings, Passage, Unit, Unjudged
from classifiers.registry import Options, Registry, classifier
from proxy.upstream.timeouts import Timeouts
from tests.fake_model import FakeModel, fake_model
from tests.raw_model import DONE
from tests.stack import Stack, events_of, finish_of, stack, text_of

POLICY = """
name: seen
reasoning: show
rules:
  word: {use: patterns, on: [prompt, context, reasoning, answer, tool], words: [kumquat], do: block}
  help: {use: patterns, on: [prompt], words: [sadness], do: block, say: help_line}
  quiet: {use: patterns, on: [reasoning, answer], words: [durian], do: withhold}
  mail: {use: patterns, on: [prompt, reasoning, answer], expressions: ['[a-z]{1,20}@[a-z]{1,20}[.]com'], mask: <MAIL>, do: redact}
messages:
  refusal: {en: "Not here.", zh: "不行。", ru: "Нельзя."}
  help_line: {en: "Talk to somebody."}
"""
AS_REPLY = POLICY + "refusal_status: 200\n"
QUESTIONS = {
    "Tell me about the kumquat": "Not here.",
    "请告诉我关于 kumquat 的一切事情好吗谢谢你": "不行。",
    "Расскажи мне про kumquat, пожалуйста": "Нельзя.",
    "Erzähl mir von der kumquat": "Not here.",
    "my sadness": "Talk to somebody.",
}
SCENES: list[dict[str, Any]] = [
    {"when": "one", "think": "I think.\n", "say": "Good so far. Then a kumquat comes. More.", "usage": "continuous"},
    {"when": "two", "think": "The kumquat first.\n", "say": "Nothing."},
    {"when": "three", "think": "I think.\n", "say": "Fine. A durian stinks. More."},
    {"when": "four", "think": "A durian stinks. More of it.\n", "say": "Fine."},
    {"when": "five", "think": "Write to bob@site.com.\n", "say": "Ask eve@home.com now.", "cut": [2]},
    {"when": "breaks", "fail": {"how": "http_503"}, "say": "x"},
    {"think": "Hm.\n", "say": "Hello."},
]


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with fake_model(scenes=SCENES) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(model: FakeModel) -> Iterator[Stack]:
    with stack(POLICY, model.url) as running:
        yield running


@pytest.fixture(scope="module")
def polite(model: FakeModel) -> Iterator[Stack]:
    """A policy whose refusals are replies, and which says what it did."""
    with stack(AS_REPLY + "disclose: {verdict: true}\n", model.url) as running:
        yield running


def clean(reply: httpx.Response) -> None:
    """Nothing of what is forbidden, in no header and no byte."""
    seen = str(reply.headers.raw) + reply.text
    assert not any(word in seen for word in ("kumquat", "durian", "sadness", "bob@", "eve@", "kumq", "umqua", "duri"))


# ---- prompts


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_refused_prompt_is_400_in_the_users_language(proxy: Stack, model: FakeModel, question: str, stream: bool) -> None:
    before = len(model.requests)
    reply = proxy.ask(question, stream=stream)
    assert reply.status_code == 400
    assert reply.json()["error"] == {
        "message": QUESTIONS[question],
        "type": "invalid_request_error",
        "param": "messages",
        "code": "content_filter",
        "exchange": reply.headers["x-request-id"],
    }
    assert reply.headers["content-type"] == "application/json"
    clean(reply)
    assert len(model.requests) == before


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_refused_prompt_is_a_reply_where_the_policy_says_so(polite: Stack, model: FakeModel, question: str) -> None:
    """200, the words as the answer, every choice of it, finish content_filter."""
    before = len(model.requests)
    events = polite.stream(question, n=2)
    whole = polite.ask(question, n=2)
    choices = whole.json()["choices"]
    assert whole.status_code == 200
    for index in (0, 1):
        assert (text_of(events, choice=index), finish_of(events, index)) == (QUESTIONS[question], "content_filter")
        assert choices[index]["message"]["content"] == QUESTIONS[question]
        assert choices[index]["finish_reason"] == "content_filter"
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"
    clean(whole)
    assert len(model.requests) == before


def test_a_refusal_of_structured_output_stands_in_its_own_field(polite: Stack) -> None:
    """So that nobody parses it as JSON."""
    body: dict[str, Any] = {"response_format": {"type": "json_object"}}
    events = polite.stream("a kumquat", **body)
    assert (text_of(events), text_of(events, "refusal"), finish_of(events)) == ("", "Not here.", "content_filter")
    message = polite.ask("a kumquat", **body).json()["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == ("", "Not here.")


# ---- answers


@pytest.mark.parametrize(
    ("prompt", "thought", "answer", "finish"),
    [
        ("one", "I think.\n", "Good so far. Then a \n\nNot here.", "content_filter"),
        ("two", "The ", "Not here.", "content_filter"),
        ("three", "I think.\n", "Fine. A ", "content_filter"),
        ("four", "A ", "Fine.", "stop"),
        ("five", "Write to <MAIL>.\n", "Ask <MAIL> now.", "stop"),
        ("one 请用中文回答这个问题好吗", "I think.\n", "Good so far. Then a \n\n不行。", "content_filter"),
    ],
)
def test_what_is_cut_withheld_and_masked(proxy: Stack, prompt: str, thought: str, answer: str, finish: str) -> None:
    """Blocked: what was good, then the refusal. Withheld: the rest of the channel is gone. Masked: the mask in its place."""
    reply = proxy.ask(prompt, stream=True, stream_options={"include_usage": True})
    events = events_of(reply.content)
    assert (text_of(events, "reasoning"), text_of(events), finish_of(events)) == (thought, answer, finish)
    assert events[-1]["usage"]["completion_tokens"] > 0
    assert reply.content.endswith(b"\n\n" + DONE)
    whole = proxy.ask(prompt)
    choice = whole.json()["choices"][0]
    said = (choice["message"]["reasoning"], choice["message"]["content"], choice["finish_reason"])
    assert said == (thought, answer, finish)
    assert whole.json()["usage"]["completion_tokens"] > 0
    for each in (reply, whole):
        assert each.status_code == 200
        clean(each)


def test_the_model_sees_masks_where_the_prompt_had_an_address(proxy: Stack, model: FakeModel) -> None:
    proxy.ask("mail joe@site.com!")
    assert model.requests[-1]["messages"][-1]["content"] == "mail <MAIL>!"


# ---- the verdict and the headers


def test_the_verdict_is_told_without_any_text(polite: Stack) -> None:
    """Rules, channels, categories and actions; not a word of what was found."""
    expected = {
        "one": ("block", [("word", "answer", "block")]),
        "four": ("withhold", [("quiet", "reasoning", "withhold")]),
        "five": ("redact", [("mail", "answer", "redact"), ("mail", "reasoning", "redact")]),
        "a kumquat": ("block", [("word", "prompt", "block")]),
        "hello": ("allow", []),
    }
    for prompt, (action, rules) in expected.items():
        reply = polite.ask(prompt)
        streamed = polite.ask(prompt, stream=True)
        for told in (reply.json()["sluicegate"], events_of(streamed.content)[-1]["sluicegate"]):
            assert told["action"] == action
            assert sorted((each["rule"], each["channel"], each["action"]) for each in told["rules"]) == rules
            assert told["unjudged"] == []
            assert told["policy"] == "seen"
            assert told["policy_digest"] == reply.headers["x-sluicegate-policy-digest"]
        assert reply.json()["sluicegate"]["exchange"] == reply.headers["x-request-id"]
        clean(reply)
        clean(streamed)


def test_a_refused_prompt_tells_its_verdict_beside_the_error(model: FakeModel) -> None:
    with stack(POLICY + "disclose: {verdict: true, headers: false}\n", model.url) as proxy:
        reply = proxy.ask("a kumquat")
        assert reply.json()["error"]["sluicegate"]["rules"] == [
            {"rule": "word", "channel": "prompt", "category": "pattern", "action": "block"}
        ]
        clean(reply)
        assert not [name for name in reply.headers if name.startswith("x-sluicegate-policy")]
        assert reply.headers["x-request-id"].startswith("exc-")


@pytest.mark.parametrize(("prompt", "status"), [("hello", 200), ("one", 200), ("a kumquat", 400), ("breaks", 503)])
@pytest.mark.parametrize("stream", [True, False])
def test_headers_of_every_response(proxy: Stack, prompt: str, status: int, stream: bool) -> None:
    """Whose exchange, whose policy, that a machine wrote it; nothing a proxy may buffer or store; ASCII only."""
    reply = proxy.ask(prompt, stream=stream, наука=1, documents=["kumquat"])
    headers = reply.headers
    assert reply.status_code == status
    record = proxy.closed()
    assert headers["x-request-id"] == record["id"]
    assert headers["x-sluicegate-policy"] == "seen"
    assert len(headers["x-sluicegate-policy-digest"]) == 64
    assert headers["x-sluicegate-ai-generated"] == "true"
    assert headers["x-accel-buffering"] == "no"
    assert headers["cache-control"] == "no-store"
    assert headers["x-sluicegate-dropped"] == "documents"
    assert all(value.isascii() for _, value in headers.raw)
    if status == 200:
        assert float(headers["x-sluicegate-guard-ms"]) >= 0
        assert float(headers["x-sluicegate-upstream-ms"]) > 0
        assert headers["content-type"].startswith("text/event-stream" if stream else "application/json")
    assert len([name for name, _ in headers.raw if name == b"x-request-id"]) == 1
    assert not [name for name in headers if name.startswith("x-stainless") or name in ("set-cookie", "x-powered-by")]


def test_ids_are_ours_and_each_is_new(proxy: Stack) -> None:
    seen = {proxy.ask("hello", headers={"x-request-id": "mine"}).headers["x-request-id"] for _ in range(5)}
    seen |= {proxy.ask("hello").json()["id"] for _ in range(5)}
    assert len(seen) == 10
    assert "mine" not in seen


# ---- signs of life


class Slow(Options):
    """How long it takes."""

    seconds: float = 0.3


@classifier("slow", options=Slow)
class Slowly:
    """Thinks, then finds `kumquat`."""

    lookback = 0
    opener = 0
    categories = frozenset({"slow"})
    name = "slow"
    unit: Unit = "passage"

    def __init__(self, options: Slow) -> None:
        self._seconds = options.seconds

    def safe_upto(self, text: str) -> int:
        return len(text)

    async def __call__(self, passages: Any, context: Context) -> list[Findings | Unjudged]:

        await asyncio.sleep(self._seconds)
        return [self._one(passage) for passage in passages]

    def _one(self, passage: Passage) -> Findings:
        at = passage.text.find("kumquat")
        return [Finding("slow", 1.0, at, at + 7)] if at >= 0 else []


SLOW = """
name: slow
reasoning: {reasoning}
refusal_status: 400
rules:
  judge: {{use: slow, on: [{channel}], do: block}}
messages:
  refusal: {{en: "Not here."}}
"""


def comments(reply: httpx.Response) -> int:
    return sum(part.startswith(b":") for part in reply.content.split(b"\n\n"))


def test_hidden_thoughts_do_not_let_the_line_fall_silent() -> None:
    """Nothing can be released for half a second: comments meanwhile, the first of them with the headers."""
    scene = {"think": "so " * 40, "say": "Done.", "pace": "10ms"}
    with fake_model(scenes=[scene]) as model:
        with stack(POLICY.replace("show", "hide"), model.url, keep_alive_seconds=0.05) as proxy:
            reply = proxy.ask("hello", stream=True)
            assert comments(reply) >= 3
            assert text_of(events_of(reply.content)) == "Done."
            assert reply.headers["x-request-id"] == proxy.closed()["id"]
            assert proxy.ask("hello").json()["choices"][0]["message"]["content"] == "Done."
        with stack(POLICY.replace("show", "hide"), model.url, keep_alive_seconds=0) as proxy:
            assert comments(proxy.ask("hello", stream=True)) == 0


def test_a_slow_first_byte_does_not_let_the_line_fall_silent() -> None:
    """The headers and a comment come while the server has said nothing."""
    scene = {"think": "Hm.\n", "say": "Done.", "first_after": "400ms"}
    with fake_model(scenes=[scene]) as model, stack(POLICY, model.url, keep_alive_seconds=0.05) as proxy:
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        with proxy.client.stream("POST", f"{proxy.url}/chat/completions", json=body) as reply:
            pieces = reply.iter_raw()
            first = next(pieces)
            assert first.startswith(b":")
            assert not model.wait("finished", within=0)
            assert reply.status_code == 200
            rest = b"".join(pieces)
        assert text_of(events_of(first + rest)) == "Done."


def test_a_prompt_refused_after_the_headers_ends_as_a_blocked_answer_does() -> None:
    with (
        fake_model(scenes=[{"say": "Never."}]) as model,
        stack(
            SLOW.format(reasoning="show", channel="prompt"), model.url, registry=Registry(extra=[Slowly]), keep_alive_seconds=0.05
        ) as proxy,
    ):
        reply = proxy.ask("a kumquat", stream=True, stream_options={"include_usage": True})
        assert (reply.status_code, comments(reply) > 0) == (200, True)
        events = events_of(reply.content)
        assert (text_of(events), finish_of(events)) == ("Not here.", "content_filter")
        assert events[-1]["usage"] == {
            "prompt_tokens": 0,
            "completion_tokens": 0,
            "total_tokens": 0,
            "completion_tokens_details": {"reasoning_tokens": 0},
        }
        assert not model.requests
        assert proxy.closed()["outcome"] == "prompt_blocked"
        assert proxy.ask("a kumquat").status_code == 400  # no headers were out


@pytest.mark.parametrize("how", ["http_400", "http_429", "http_503", "disconnect", "error_event", "stall"])
def test_a_failure_after_the_headers_is_an_event(how: str) -> None:
    """The status line is gone; the error comes as an event that SDKs raise, then the end."""
    scene = {"think": "Hm.\n", "say": "x", "fail": {"how": how}}
    policy, registry = SLOW.format(reasoning="show", channel="prompt"), Registry(extra=[Slowly])
    limits = Timeouts(first_byte=0.3, between_bytes=0.3)
    with (
        fake_model(scenes=[scene]) as model,
        stack(policy, model.url, registry=registry, keep_alive_seconds=0.05, timeouts=limits) as proxy,
    ):
        reply = proxy.ask("SECRET", stream=True)
        assert (reply.status_code, comments(reply) > 0) == (200, True)
        assert reply.content.endswith(DONE)
        error = orjson.loads(reply.content.split(b"\n\n")[-3][6:])["error"]
        assert error["code"].startswith("upstream_")
        assert "SECRET" not in reply.text
        assert proxy.closed()["outcome"] in ("upstream_error", "rejected")
