"""openai-node, the real one, against the real stack."""

from __future__ import annotations

import shutil

import pytest

from tests.clients import model
from tests.clients.capture import record
from tests.clients.model import ModelServer
from tests.clients.test_bodies import RECORDINGS
from tests.clients.uses import BLOCKED_RECIPE_QUESTION, QUESTION, REFUSED_QUESTION, Server
from tests.clients.uses.openai_node import NODE, OPENAI_NODE, USES, node_version, run

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(shutil.which("node") is None, reason="install node (nodejs and npm)"),
    pytest.mark.skipif(not (NODE / "node_modules" / "openai").is_dir(), reason="run `npm ci` in tests/clients/node"),
]


@pytest.mark.parametrize("use", USES)
def test_openai_node_hears_what_it_would_hear_without_us(use: str, server: Server, models: ModelServer) -> None:
    direct = OPENAI_NODE.uses[use](Server(models.url))
    through = OPENAI_NODE.uses[use](server)
    assert through == direct
    assert direct.texts
    assert use in ("stream_helper", "stream_parse") or through.reasoning == model.THOUGHT  # those keep only the last piece


def test_the_recorded_bodies_are_what_openai_node_sends() -> None:
    recording = next(one for one in RECORDINGS if one["client"] == "openai-node")
    assert recording["version"] == node_version()
    assert recording["bodies"] == record(OPENAI_NODE)


@pytest.mark.parametrize("use", ["error", "stream_error"])
def test_a_refused_prompt_is_a_bad_request_error(use: str, server: Server) -> None:
    told = run(server, use, REFUSED_QUESTION)
    assert told == {"thrown": "BadRequestError", "status": 400, "code": "content_filter", "type": "invalid_request_error"}


def test_the_structured_helper_says_that_a_filter_cut_the_answer(server: Server) -> None:
    assert run(server, "parse_error", BLOCKED_RECIPE_QUESTION)["thrown"] == "ContentFilterFinishReasonError"


@pytest.mark.parametrize(
    ("status", "kind"), [(429, "RateLimitError"), (500, "InternalServerError"), (503, "InternalServerError")]
)
def test_failures_of_the_model_server_keep_their_class(server: Server, models: ModelServer, status: int, kind: str) -> None:
    models.status = status
    assert run(server, "error")["thrown"] == kind


def test_a_wrong_key_and_an_unknown_model_have_their_classes(server: Server) -> None:
    assert run(Server(server.url, "sk-another-key"), "error")["thrown"] == "AuthenticationError"
    told = run(server, "unknown_model")
    assert (told["thrown"], told["code"]) == ("NotFoundError", "model_not_found")


def test_a_client_that_runs_out_of_time_stops_the_model(server: Server, models: ModelServer) -> None:
    models.pace = 0.05
    assert run(server, "timeout", QUESTION)["thrown"] == "APIConnectionTimeoutError"
    assert models.left.wait(5)


def test_a_stream_that_is_left_stops_the_model(server: Server, models: ModelServer) -> None:
    models.pace = 0.05
    assert run(server, "leave")["pieces"] == 3
    assert models.left.wait(5)
