"""Errors as SDK clients meet them: the right exception, no second try where it cannot help, no word of what was refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from proxy.upstream.timeouts import Timeouts
from tests.fake_model import FakeModel, fake_model
from tests.raw_model import DONE, event, raw_model
from tests.stack import Stack, stack

POLICY = """
name: errors
reasoning: show
rules:
  word: {use: patterns, on: [prompt, context, reasoning, answer, tool], words: [kumquat], do: block}
"""
SHAPES = ("own", "nested", "flat", "string", "html", "empty")
BREAKS = ("error_event", "error_string", "flat_error", "disconnect", "abort", "unknown_finish", "invalid_utf8", "garbage")
SCENES: list[dict[str, Any]] = [
    *({"when": f"fails {status} {shape}.", "fail": {"how": f"http_{status}", "body": shape}}
      for status in (400, 401, 404, 422, 429, 500, 503) for shape in SHAPES),
    {"when": "too long", "fail": {"how": "http_400", "body": "context"}},
    {"when": "busy", "fail": {"how": "http_503", "times": 1, "retry_after": "0"}, "say": "Now."},
    {"when": "later", "fail": {"how": "http_429", "retry_after": "7"}},
    *({"when": f"breaks by {how}.", "think": "Okay.\n", "say": "one two three", "fail": {"how": how, "after": 5}}
      for how in BREAKS),
    {"when": "breaks by no_done.", "think": "Okay.\n", "say": "one two three", "fail": {"how": "no_done"}},
    {"when": "breaks by no_finish.", "think": "Okay.\n", "say": "one two three", "fail": {"how": "no_finish"}},
    {"when": "slow start", "say": "x", "first_after": "30s"},
    {"when": "stall", "think": "Okay.\n", "say": "one two three", "fail": {"how": "stall", "after": 5}},
    {"think": "Okay.\n", "say": "Hello."},
]  # fmt: skip


@pytest.fixture(scope="module", params=["vllm", "sglang"])
def model(request: pytest.FixtureRequest) -> Iterator[FakeModel]:
    with fake_model(scenes=SCENES, dialect=request.param) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(model: FakeModel) -> Iterator[Stack]:
    limits = Timeouts(connect=1, first_byte=0.4, between_bytes=0.4, total=5)
    with stack(POLICY, model.url, timeouts=limits) as running:
        yield running


@pytest.fixture(scope="module")
def sdk() -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9", max_retries=0) as client:
        yield client


@pytest.fixture
def ask(sdk: openai.OpenAI) -> Any:
    """Asks by the SDK; a streamed reply is read to its end."""

    def ask(proxy: Stack, prompt: str = "hello", retries: int = 0, key: str = "none", **more: Any) -> Any:
        client = sdk.with_options(base_url=proxy.url, api_key=key, max_retries=retries)
        messages: Any = [{"role": "user", "content": prompt}]
        reply: Any = client.chat.completions.create(model="deepseek-r1", messages=messages, **more)
        return list(reply) if more.get("stream") else reply

    return ask


def _tries(proxy: Stack) -> int:
    return sum(record["event"] == "opened" for record in proxy.sink.records)


# ---- refused for good


@pytest.mark.parametrize("stream", [False, True])
def test_a_blocked_prompt_is_not_tried_again(ask: Any, proxy: Stack, model: FakeModel, stream: bool) -> None:
    """One request at our door for one call of the SDK, and none at the model's."""
    before, asked = _tries(proxy), len(model.requests)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(proxy, "tell me about a kumquat", retries=3, stream=stream)
    error = caught.value
    assert (error.code, error.param, error.type) == ("content_filter", "messages", "invalid_request_error")
    assert error.response.headers["x-should-retry"] == "false"
    assert error.request_id == error.body["exchange"]  # type: ignore[index]  # the body is an object
    assert "kumquat" not in error.response.text + str(error.response.headers)
    assert (_tries(proxy), len(model.requests)) == (before + 1, asked)


def test_the_async_client_raises_the_same(proxy: Stack) -> None:
    async def work() -> None:
        async with openai.AsyncOpenAI(base_url=proxy.url, api_key="none", max_retries=0) as client:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "kumquat"}])

    with pytest.raises(openai.BadRequestError) as caught:
        asyncio.run(work())
    assert caught.value.code == "content_filter"


def test_a_context_that_is_too_long_is_said_in_our_words(ask: Any, proxy: Stack, model: FakeModel) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(proxy, "a SECRET that is too long", retries=3)
    assert (caught.value.code, caught.value.response.headers["x-should-retry"]) == ("context_length_exceeded", "false")
    assert "4096 tokens" in str(caught.value)
    assert "SECRET" not in caught.value.response.text


def test_keys_and_names_that_are_not_ours(ask: Any, sdk: openai.OpenAI, model: FakeModel) -> None:
    """401 for no key and a wrong one, 404 for what is not here."""
    with stack(POLICY, model.url, api_key="sk-right-key") as proxy:
        for key in ("sk-wrong-key", "sk-right-key2", "none"):
            with pytest.raises(openai.AuthenticationError) as caught:
                ask(proxy, key=key, retries=3)
            assert caught.value.code == "invalid_api_key"
        assert _tries(proxy) == 0
        assert ask(proxy, key="sk-right-key").choices[0].message.content == "Hello."
        client = sdk.with_options(base_url=proxy.url, api_key="sk-right-key", max_retries=3)
        with pytest.raises(openai.NotFoundError) as missing:
            client.models.retrieve("no-such-model")
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.NotFoundError) as route:
            client.embeddings.create(model="m", input="x")
        assert route.value.code == "unknown_route"


# ---- the model server's errors


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("status", "kind", "ours"),
    [
        (400, openai.BadRequestError, 400),
        (401, openai.InternalServerError, 502),
        (422, openai.BadRequestError, 400),
        (429, openai.RateLimitError, 429),
        (500, openai.InternalServerError, 502),
        (503, openai.InternalServerError, 503),
    ],
)
def test_every_shape_of_error_has_its_class(ask: Any, proxy: Stack, status: int, kind: Any, ours: int, shape: str) -> None:
    """Nested, flat, a string, a web page, nothing: the status decides, and no text of the server comes through."""
    for stream in (False, True):
        with pytest.raises(kind) as caught:
            ask(proxy, f"SECRET fails {status} {shape}.", stream=stream)
        assert caught.value.status_code == ours
        assert "SECRET" not in caught.value.response.text
        assert "nginx" not in caught.value.response.text
        assert caught.value.response.json()["error"].keys() == {"message", "type", "param", "code"}
        final = caught.value.response.headers.get("x-should-retry") == "false"
        assert final is (ours == 400)


def test_an_unknown_model_is_not_found(ask: Any, proxy: Stack) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        ask(proxy, "fails 404 nested.")
    assert caught.value.code == "model_not_found"


def test_a_busy_server_is_tried_again_by_the_client(ask: Any, proxy: Stack) -> None:
    """503 leaves the SDK its retry: the second request is answered."""
    before = _tries(proxy)
    assert ask(proxy, "busy?", retries=1).choices[0].message.content == "Now."
    assert _tries(proxy) == before + 2


def test_how_long_to_wait_is_passed_on(ask: Any, proxy: Stack) -> None:
    with pytest.raises(openai.RateLimitError) as caught:
        ask(proxy, "later?")
    assert caught.value.response.headers["retry-after"] == "7"


def test_a_server_that_is_not_there_is_a_503(ask: Any) -> None:
    with stack(POLICY, "http://127.0.0.1:9/v1") as proxy:
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError) as caught:
                ask(proxy, stream=stream)
            assert (caught.value.status_code, caught.value.code) == (503, "upstream_connect")
            assert "127.0.0.1:9" not in caught.value.response.text


# ---- in the middle of a reply


@pytest.mark.parametrize("how", [*BREAKS, "no_done", "no_finish"])
def test_a_reply_that_breaks_is_an_error_not_an_end(ask: Any, proxy: Stack, how: str) -> None:
    """Streamed: what was good, then an error event that the SDK raises. Not streamed: 502, and no half an answer."""
    with pytest.raises(openai.InternalServerError) as caught:
        ask(proxy, f"breaks by {how}.")
    assert caught.value.status_code == 502
    assert caught.value.code in ("upstream_mid_stream", "upstream_truncated", "upstream_protocol")
    reply = proxy.ask(f"breaks by {how}.", stream=True)
    assert reply.status_code == 200
    assert reply.content.endswith(DONE)
    assert b"EngineCore" not in reply.content
    with pytest.raises(openai.APIError) as broken:
        ask(proxy, f"breaks by {how}.", stream=True)
    assert broken.value.code == caught.value.code
    assert not isinstance(broken.value, openai.APIStatusError)
    assert proxy.closed()["outcome"] == "upstream_error"


def test_what_was_good_before_the_break_has_arrived(sdk: openai.OpenAI, proxy: Stack) -> None:
    client = sdk.with_options(base_url=proxy.url)
    messages: Any = [{"role": "user", "content": "breaks by error_event."}]
    said = ""
    stream = client.chat.completions.create(model="m", messages=messages, stream=True)
    with pytest.raises(openai.APIError):  # noqa: PT012  # what came before it is the point
        for chunk in stream:
            said += chunk.choices[0].delta.content or ""
    assert said.startswith("one two")


@pytest.mark.parametrize(("prompt", "code"), [("slow start", "upstream_timeout_first_byte"), ("stall", "between")])
def test_a_server_that_takes_too_long(ask: Any, proxy: Stack, model: FakeModel, prompt: str, code: str) -> None:
    """504, or an error event where the stream has begun; the server is left alone."""
    with pytest.raises(openai.InternalServerError) as caught:
        ask(proxy, prompt)
    assert caught.value.status_code == 504
    assert code in str(caught.value.code)
    with pytest.raises(openai.APIError) as broken:
        ask(proxy, prompt, stream=True)
    assert code in str(broken.value.code)


def test_a_broken_character_at_the_end_of_the_connection() -> None:
    """The server dies in the middle of a character of three bytes: no replacement sign, an error."""
    water = event({"content": "water 水"})
    half = water[: water.index("水".encode()) + 2]
    parts = [event({"reasoning": "Okay.\n"}), event({"content": "The "}), half]
    with raw_model(parts) as model, stack(POLICY, model.url) as proxy:
        reply = proxy.ask("hello", stream=True)
        assert "The " in reply.text
        assert "water" not in reply.text
        assert "\ufffd" not in reply.text
        assert '"code":"upstream_truncated"' in reply.text
        assert proxy.ask("hello").status_code == 502
