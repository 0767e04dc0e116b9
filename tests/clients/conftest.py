"""The stack that client tests share: one model server and one proxy in front of it per test file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.model import ModelServer, model_server
from tests.clients.stack import policy, stack
from tests.clients.uses import Server

KEY = "sk-local-and-long"


@pytest.fixture(scope="module")
def shared_model() -> Iterator[ModelServer]:
    with model_server() as server:
        yield server


@pytest.fixture
def models(shared_model: ModelServer) -> Iterator[ModelServer]:
    """The model server, in good health again after each test."""
    yield shared_model
    shared_model.status, shared_model.pace = 200, 0.0
    shared_model.left.clear()


@pytest.fixture(scope="module")
def server(shared_model: ModelServer) -> Iterator[Server]:
    """The proxy, with a key, thoughts shown, and one word that is refused and cut."""
    with stack(policy(), shared_model.url, api_key=KEY) as url:
        yield Server(url, KEY)
