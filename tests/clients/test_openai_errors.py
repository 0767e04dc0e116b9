"""What the openai SDK raises, and how its streams end, when something is refused, cut, broken or left."""

from __future__ import annotations

import asyncio
import importlib
import warnings
from dataclasses import replace
from typing import Any

import pytest

from tests.clients.model import ModelServer
from tests.clients.stack import policy, stack
from tests.clients.uses import BLOCKED_QUESTION, BLOCKED_RECIPE_QUESTION, QUESTION, REFUSED_QUESTION, Recipe, Server


@pytest.fixture(scope="module")
def openai() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns about while it is imported is not ours to judge
        return importlib.import_module("openai")


def talk(openai: Any, server: Server, **options: Any) -> Any:
    return openai.OpenAI(base_url=server.url, api_key=server.key, max_retries=0, **options)


def asking(question: str = QUESTION, **more: Any) -> dict[str, Any]:
    return {"model": "deepseek-r1", "messages": [{"role": "user", "content": question}], **more}


# ---- refused prompts and cut answers


@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_prompt_is_a_bad_request_with_the_code_content_filter(openai: Any, server: Server, stream: bool) -> None:
    with talk(openai, server) as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**asking(REFUSED_QUESTION, stream=stream))
    error = caught.value
    assert (error.status_code, error.code, error.param) == (400, "content_filter", "messages")
    assert error.type == "invalid_request_error"
    assert error.request_id == error.body["exchange"]
    assert "pentaborane" not in str(error)


def test_a_cut_answer_in_a_stream_ends_cleanly(openai: Any, server: Server) -> None:
    with talk(openai, server) as client:
        options = {"include_usage": True}
        chunks = list(client.chat.completions.create(**asking(BLOCKED_QUESTION, stream=True, stream_options=options)))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text.startswith("Chapter four.")
    assert "pentaborane" not in text
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["content_filter"]
    assert chunks[-1].usage.total_tokens > 0


def test_the_structured_helpers_say_that_a_filter_cut_the_answer(openai: Any, server: Server) -> None:
    with talk(openai, server) as client:
        with pytest.raises(openai.ContentFilterFinishReasonError):
            client.chat.completions.parse(**asking(BLOCKED_RECIPE_QUESTION), response_format=Recipe)
        with (
            pytest.raises(openai.ContentFilterFinishReasonError),
            client.chat.completions.stream(**asking(BLOCKED_RECIPE_QUESTION), response_format=Recipe) as stream,
        ):
            stream.until_done()


# ---- other errors


def test_a_wrong_key_is_an_authentication_error(openai: Any, server: Server) -> None:
    with talk(openai, replace(server, key="sk-another-key")) as client, pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(**asking())
    assert (caught.value.status_code, caught.value.code) == (401, "invalid_api_key")


def test_what_is_not_there_is_a_not_found_error(openai: Any, server: Server) -> None:
    with talk(openai, server) as client:
        assert [each.id for each in client.models.list()] == [server.model]
        assert client.models.retrieve(server.model).owned_by == "sluicegate"
        with pytest.raises(openai.NotFoundError) as caught:
            client.models.retrieve("no-such-model")
        assert caught.value.code == "model_not_found"
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model=server.model, input="a text")


def test_too_many_choices_and_unknown_parts_are_bad_requests(openai: Any, server: Server) -> None:
    image = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    with talk(openai, server) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(**asking(n=100))
        assert (caught.value.param, caught.value.code) == ("n", "too_many_choices")
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(**asking(image))  # type: ignore[arg-type]  # what a client with a picture sends
        assert "messages" in caught.value.param


@pytest.mark.parametrize(
    ("status", "kind"), [(429, "RateLimitError"), (500, "InternalServerError"), (503, "InternalServerError")]
)
@pytest.mark.parametrize("stream", [False, True])
def test_failures_of_the_model_server_keep_their_class(
    openai: Any, server: Server, models: ModelServer, status: int, kind: str, stream: bool
) -> None:
    models.status = status
    with talk(openai, server) as client, pytest.raises(getattr(openai, kind)) as caught:
        client.chat.completions.create(**asking(stream=stream))
    assert "Not now." not in str(caught.value)  # the server's own words stay with us


def test_a_model_server_that_is_not_there_is_an_internal_server_error(openai: Any) -> None:
    with (
        stack(policy(), "http://127.0.0.1:9/v1") as url,
        talk(openai, Server(url)) as client,
        pytest.raises(openai.InternalServerError),
    ):
        client.chat.completions.create(**asking())


def test_a_client_that_runs_out_of_time_stops_the_model(openai: Any, server: Server, models: ModelServer) -> None:
    models.pace = 0.05
    with talk(openai, server, timeout=0.3) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(**asking())
    assert models.left.wait(5)


# ---- streams that are left


def test_a_stream_that_is_left_stops_the_model(openai: Any, server: Server, models: ModelServer) -> None:
    models.pace = 0.05
    with talk(openai, server) as client, client.chat.completions.create(**asking(stream=True)) as stream:
        assert next(iter(stream)).choices
    assert models.left.wait(5)


def test_an_async_stream_that_is_cancelled_stops_the_model(openai: Any, server: Server, models: ModelServer) -> None:
    models.pace = 0.05

    async def leave() -> None:
        async with openai.AsyncOpenAI(base_url=server.url, api_key=server.key, max_retries=0) as client:
            stream = await client.chat.completions.create(**asking(stream=True))
            async for _ in stream:
                break
            reading = asyncio.create_task(anext(aiter(stream)))
            reading.cancel()
            await stream.close()

    asyncio.run(leave())
    assert models.left.wait(5)
