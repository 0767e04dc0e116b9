"""The routes that are there, and those that are not: health, models, documents, keys, origins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from proxy.upstream.script import Scene, Script
from tests.fake_model import FakeModel, fake_model
from tests.raw_model import DONE
from tests.stack import Stack, stack

POLICY = """
name: endpoints
reasoning: show
rules:
  word: {use: patterns, on: [prompt, context, reasoning, answer, tool], words: [kumquat], do: block}
"""
DEAD = "http://127.0.0.1:9/v1"
KEY = "a-key-for-callers"
SCENES: list[dict[str, Any]] = [
    {"when": "fruit", "think": "Hm.\n", "say": "The kumquat."},
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
def alone() -> Iterator[Stack]:
    """A proxy whose model server is not there."""
    with stack(POLICY, DEAD) as running:
        yield running


def metric(proxy: Stack, series: str) -> float:
    page = proxy.client.get(f"{proxy.root}/metrics").text
    return sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(series))


# ---- health


def test_a_dead_model_server_does_not_make_us_unready(alone: Stack) -> None:
    """Live and ready; requests are 503, and the metric counts them."""
    live = alone.client.get(f"{alone.root}/health/live")
    assert (live.status_code, live.json()) == (200, {"status": "live"})
    ready = alone.client.get(f"{alone.root}/health/ready")
    assert ready.status_code == 200
    assert ready.json() == {"status": "ready", "policy": "endpoints", "digest": ready.json()["digest"]}
    before = metric(alone, 'sluicegate_upstream_errors_total{kind="connect"}')
    for stream in (True, False):
        assert alone.ask("hello", stream=stream).status_code == 503
    assert alone.client.get(f"{alone.url}/models").status_code == 503
    assert metric(alone, 'sluicegate_upstream_errors_total{kind="connect"}') == before + 3
    assert metric(alone, 'sluicegate_requests_total{route="/v1/chat/completions",status="503"}') == 2
    assert alone.client.get(f"{alone.root}/health/ready").status_code == 200


def test_prompts_are_judged_although_the_model_server_is_dead(alone: Stack) -> None:
    assert alone.ask("a kumquat").status_code == 400
    assert alone.client.post(f"{alone.url}/moderations", json={"input": "a kumquat"}).json()["results"][0]["flagged"]


# ---- what is not there


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"), ("GET", "/v1"), ("POST", "/v1/completions"), ("POST", "/v1/embeddings"), ("POST", "/v1/responses"),
        ("POST", "/v1/messages"), ("POST", "/tokenize"), ("POST", "/detokenize"), ("POST", "/generate"), ("GET", "/version"),
        ("POST", "/invocations"), ("GET", "/load"), ("GET", "/health"), ("POST", "/v1/chat/completions/batch"),
        ("POST", "/v1/chat/completions/render"), ("POST", "/v1/chat/completions/"), ("POST", "//v1/chat/completions"),
        ("POST", "/v1//chat/completions"), ("POST", "/V1/chat/completions"), ("POST", "/v1/chat/completions%2F"),
        ("POST", "/v1/../v1/completions"), ("GET", "/redoc"), ("POST", "/inference/v1/generate"), ("GET", "/metrics/"),
    ],
)  # fmt: skip
def test_unknown_routes_are_404_in_the_apis_shape_and_never_proxied(
    proxy: Stack, model: FakeModel, method: str, path: str
) -> None:
    """The rehearsal server knows /tokenize, /health and more: nothing of it comes through."""
    requests = len(model.requests)
    reply = raw(proxy, method, path, '{"model": "m", "prompt": "hello", "messages": [{"role": "user", "content": "hi"}]}')
    assert reply.status_code == 404, (path, reply.status_code, reply.headers)
    error = reply.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("invalid_request_error", "unknown_route")
    assert reply.headers["content-type"] == "application/json"
    assert len(model.requests) == requests


def raw(proxy: Stack, method: str, path: str, body: str) -> httpx.Response:
    """A request whose path the client does not tidy up."""
    url = httpx.URL(proxy.root, raw_path=path.encode())
    return proxy.client.send(httpx.Request(method, url, content=body.encode(), headers={"host": "gate"}))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/completions"),
        ("DELETE", "/v1/chat/completions"),
        ("OPTIONS", "/v1/chat/completions"),
        ("POST", "/v1/models"),
        ("DELETE", "/v1/models/deepseek-r1"),
        ("GET", "/v1/moderations"),
        ("POST", "/health/live"),
        ("POST", "/metrics"),
    ],
)
def test_a_wrong_method_is_405_in_the_apis_shape(proxy: Stack, method: str, path: str) -> None:
    reply = raw(proxy, method, path, "")
    assert (reply.status_code, reply.json()["error"]["code"]) == (405, "method_not_allowed")
    assert reply.headers["allow"]


# ---- models


def test_models_are_those_of_the_server_with_known_fields_only(proxy: Stack) -> None:
    listed = proxy.client.get(f"{proxy.url}/models").json()
    assert listed["object"] == "list"
    assert [each["id"] for each in listed["data"]] == ["deepseek-r1"]
    assert listed["data"][0].keys() == {"id", "object", "created", "owned_by", "max_model_len"}
    assert proxy.client.get(f"{proxy.url}/models/deepseek-r1").json() == listed["data"][0]
    missing = proxy.client.get(f"{proxy.url}/models/SECRET")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
    assert "SECRET" not in missing.text


def test_a_name_with_a_slash_can_be_asked_for_and_one_model_can_be_pinned() -> None:
    """As Hugging Face names them. A pinned model is the only one listed, and the one asked, whatever the caller writes."""
    script = Script(models=("deepseek-ai/DeepSeek-R1", "other"), otherwise=Scene(think="Hm.\n", say="Hello."))
    with fake_model(script) as model:
        with stack(POLICY, model.url) as proxy:
            assert [each["id"] for each in proxy.client.get(f"{proxy.url}/models").json()["data"]] == [*script.models]
            assert proxy.client.get(f"{proxy.url}/models/deepseek-ai/DeepSeek-R1").json()["id"] == "deepseek-ai/DeepSeek-R1"
        with stack(POLICY, model.url, model="other") as proxy:
            assert [each["id"] for each in proxy.client.get(f"{proxy.url}/models").json()["data"]] == ["other"]
            assert proxy.client.get(f"{proxy.url}/models/deepseek-ai/DeepSeek-R1").status_code == 404
            assert proxy.ask("hello").status_code == 200
            assert model.requests[-1]["model"] == "other"


# ---- documents


def test_the_document_describes_chat_completions(proxy: Stack) -> None:
    document = proxy.client.get(f"{proxy.root}/openapi.json").json()
    assert {"/v1/chat/completions", "/v1/models", "/v1/models/{id}", "/v1/moderations", "/health/live"} <= document[
        "paths"
    ].keys()
    schema = document["paths"]["/v1/chat/completions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"model", "messages", "stream", "tools", "max_tokens"} <= schema["properties"].keys()
    assert set(schema["required"]) == {"model", "messages"}
    assert "Sluicegate" in proxy.client.get(f"{proxy.root}/docs").text


def test_every_reference_of_the_document_resolves(proxy: Stack) -> None:
    """Tools that make clients of it fail at the first that does not."""
    document = proxy.client.get(f"{proxy.root}/openapi.json").json()

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for each in value.values():
                yield from references(each)
        elif isinstance(value, list):
            for each in value:
                yield from references(each)

    found = set(references(document))
    assert found
    for reference in found:
        here: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in here, reference
            here = here[step]


def test_documents_and_metrics_can_be_left_out(model: FakeModel) -> None:
    with stack(POLICY, model.url, docs=False, metrics=False) as proxy:
        for path in ("/docs", "/openapi.json", "/metrics", "/docs/oauth2-redirect"):
            assert proxy.client.get(proxy.root + path).status_code == 404
        assert proxy.ask("hello").status_code == 200


# ---- keys


def test_a_key_by_setting(model: FakeModel) -> None:
    """One answer for no key, a wrong one and a wrong scheme; health and metrics are open for who runs the place."""
    with stack(POLICY, model.url, api_key=KEY) as proxy:
        asked = len(model.requests)
        ways: list[dict[str, str]] = [
            {}, {"authorization": ""}, {"authorization": KEY}, {"authorization": f"Basic {KEY}"}, {"authorization": "Bearer"},
            {"authorization": f"Bearer {KEY}x"}, {"authorization": f"Bearer {KEY[:-1]}"}, {"api-key": KEY[:-1]},
            {"x-api-key": f"{KEY}x"},
            {"authorization": "Bearer ключ".encode().decode("latin-1")},
        ]  # fmt: skip
        said = set()
        for headers in ways:
            wire = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
            for method, path in (
                ("POST", "/chat/completions"),
                ("POST", "/moderations"),
                ("GET", "/models"),
                ("GET", "/models/x"),
            ):
                refused = proxy.client.request(method, proxy.url + path, headers=wire, content=b"not even JSON")
                assert refused.status_code == 401
                assert refused.headers["www-authenticate"] == "Bearer"
                assert refused.headers["x-should-retry"] == "false"
                said.add(refused.text)
        assert len(said) == 1
        assert len(model.requests) == asked
        key = {"authorization": f"bearer {KEY}"}
        assert proxy.ask("hello", stream=False).status_code == 401
        assert proxy.client.get(f"{proxy.url}/models", headers=key).status_code == 200
        body = {"messages": [{"role": "user", "content": "hello"}]}
        assert proxy.post(body, headers=key).status_code == 200
        assert KEY not in str(model.headers[-1])
        for path in ("/health/live", "/health/ready", "/metrics"):
            assert proxy.client.get(proxy.root + path).status_code == 200


# ---- origins


def test_without_the_setting_no_page_may_call_us(proxy: Stack) -> None:
    reply = proxy.client.post(
        f"{proxy.url}/chat/completions",
        json={"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        headers={"origin": "https://page.example"},
    )
    assert reply.status_code == 200
    assert not [name for name in reply.headers if name.startswith("access-control")]


def test_origins_by_setting(model: FakeModel) -> None:
    """A page of a named origin may call, with all the headers its SDK sends, streamed and refused; other pages may not."""
    page, other = {"origin": "https://page.example"}, {"origin": "https://other.example"}
    with stack(POLICY, model.url, cors_origins=("https://page.example",), api_key=KEY) as proxy:
        url = f"{proxy.url}/chat/completions"
        asks = {
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,x-stainless-lang,x-stainless-retry-count",
        }
        before = proxy.client.options(url, headers={**page, **asks})
        assert before.status_code == 200
        assert before.headers["access-control-allow-origin"] == page["origin"]
        allowed = before.headers["access-control-allow-headers"].lower()
        assert all(name in allowed for name in asks["access-control-request-headers"].split(","))
        assert "access-control-allow-credentials" not in before.headers
        assert proxy.client.options(url, headers={**other, **asks}).status_code == 400
        key = {"authorization": f"Bearer {KEY}"}
        for prompt, stream, status in (
            ("hello", False, 200),
            ("hello", True, 200),
            ("fruit", True, 200),
            ("a kumquat", True, 400),
        ):
            body = {"messages": [{"role": "user", "content": prompt}], "stream": stream}
            reply = proxy.post(body, headers={**page, **key})
            assert reply.status_code == status
            assert reply.headers["access-control-allow-origin"] == page["origin"]
            assert "x-request-id" in reply.headers["access-control-expose-headers"]
            assert "kumquat" not in reply.text
            assert not stream or status != 200 or reply.content.endswith(DONE)
            assert "access-control-allow-origin" not in proxy.post(body, headers={**other, **key}).headers
        assert proxy.client.post(url, headers=page).status_code == 401  # and the page can read that
        assert proxy.client.post(url, headers=page).headers["access-control-allow-origin"] == page["origin"]


def test_with_origins_a_client_that_leaves_stops_the_model_too() -> None:
    """The way through the framework: signs of life come, and leaving is noticed."""
    scene = {"think": "so " * 4000, "say": "x", "pace": "2ms"}
    policy = POLICY.replace("show", "hide")
    with (
        fake_model(scenes=[scene]) as model,
        stack(policy, model.url, cors_origins=("https://page.example",), keep_alive_seconds=0.05) as proxy,
    ):
        body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        with proxy.client.stream("POST", f"{proxy.url}/chat/completions", json=body) as reply:
            assert any(piece.startswith(b":") for piece in reply.iter_raw())
        assert model.wait("aborted", within=5)
