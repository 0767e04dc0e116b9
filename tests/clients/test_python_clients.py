"""The real Python clients against the real stack: they hear what they would hear without us, and errors have their class."""

from __future__ import annotations

import warnings
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest

from tests.clients import model
from tests.clients.capture import PYTHON_CLIENTS, record
from tests.clients.model import ModelServer
from tests.clients.stack import policy, stack
from tests.clients.test_bodies import RECORDINGS
from tests.clients.uses import BLOCKED_QUESTION, QUESTION, REFUSED_QUESTION, Client, Server

INSTALL = "install requirements/clients.txt"
CASES = [pytest.param(client, use, id=f"{client.distribution}-{use}") for client in PYTHON_CLIENTS for use in client.uses]
each_client = pytest.mark.parametrize("client", PYTHON_CLIENTS, ids=lambda client: client.distribution)

# What these libraries warn about among themselves is not ours to judge.
pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore")]


def wanted(name: str) -> Any:
    """A client's module, or a declared skip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=INSTALL, exc_type=ImportError)


def installed(client: Client) -> None:
    """A declared skip where a client is missing."""
    try:
        version(client.distribution)
    except PackageNotFoundError:
        pytest.skip(INSTALL)


# ---- what is heard


@pytest.mark.parametrize(("client", "use"), CASES)
def test_a_client_hears_what_it_would_hear_without_us(client: Client, use: str, server: Server, models: ModelServer) -> None:
    installed(client)
    direct = client.uses[use](Server(models.url))
    assert direct.texts or direct.value
    assert client.uses[use](server) == direct


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
@each_client
def test_thoughts_are_heard_under_either_name(client: Client, field: str, server: Server, models: ModelServer) -> None:
    installed(client)
    with stack(policy(), models.url, reasoning_field=field) as url:
        for use in ("plain", "stream"):
            assert client.uses[use](Server(url)) == client.uses[use](server)


@each_client
def test_thoughts_that_a_policy_hides_are_heard_by_no_client(client: Client, models: ModelServer) -> None:
    installed(client)
    held = replace(policy(), reasoning="hide")
    with stack(held, models.url) as url:
        for use in ("plain", "stream"):
            heard = client.uses[use](Server(url))
            assert (heard.texts, heard.reasoning) == ([model.ANSWER], "")


@each_client
def test_the_recorded_bodies_are_what_the_client_sends(client: Client) -> None:
    installed(client)
    recording = next(one for one in RECORDINGS if one["client"] == client.distribution)
    recorded = {recording["client"]: recording["version"], **recording["beside"]}
    if recorded != {name: version(name) for name in recorded}:
        pytest.skip(f"{INSTALL}: the recording is of {recorded}")
    assert record(client) == recording["bodies"]


# ---- refused prompts and cut answers


REFUSED = {
    "langchain-openai": ("openai", "BadRequestError"),
    "langchain-deepseek": ("openai", "BadRequestError"),
    "litellm": ("litellm", "BadRequestError"),
    "llama-index-llms-openai-like": ("openai", "BadRequestError"),
    "openai": ("openai", "BadRequestError"),
    "pydantic-ai-slim": ("pydantic_ai.exceptions", "ModelHTTPError"),
}


@each_client
def test_a_refused_prompt_has_the_class_that_each_client_has_for_it(client: Client, server: Server, models: ModelServer) -> None:
    installed(client)
    module, name = REFUSED[client.distribution]
    before = len(models.heard)
    with pytest.raises(getattr(wanted(module), name)) as caught:
        client.ask(server, REFUSED_QUESTION)
    assert caught.value.status_code == 400
    assert "content_filter" in f"{caught.value} {getattr(caught.value, 'body', None)} {getattr(caught.value, 'code', None)}"
    assert len(models.heard) == before  # the model never started, and no client tries again


@each_client
def test_a_cut_answer_ends_with_the_finish_reason_content_filter(client: Client, server: Server) -> None:
    installed(client)
    heard = client.ask(server, BLOCKED_QUESTION)
    assert heard.finish == "content_filter"
    assert heard.texts[0].startswith("Chapter four.")
    assert "pentaborane" not in heard.texts[0]


# ---- streams that are left


def test_a_langchain_stream_that_is_left_stops_the_model(server: Server, models: ModelServer) -> None:
    chat = wanted("langchain_openai").ChatOpenAI(model=server.model, base_url=server.url, api_key=server.key)
    models.pace = 0.05
    pieces = chat.stream(QUESTION)
    next(pieces)
    pieces.close()
    assert models.left.wait(5)
