import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy.upstream.shapes import DIALECTS, Dialect
from tests.fake_model import fake_model

SCENE = {"think": "R", "say": "A", "cut": "whole"}
SLUICEGATE = str(Path(sys.executable).with_name("sluicegate"))
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi there"}]}


def stream(url: str, **more: Any) -> list[Any]:
    """The events of a stream, `[DONE]` included."""
    reply = httpx.post(f"{url}/chat/completions", json={**BODY, "stream": True, **more}, trust_env=False)
    assert reply.headers["content-type"].startswith("text/event-stream")
    lines = reply.text.split("\n\n")
    assert lines.pop() == ""
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def deltas(url: str) -> list[dict[str, Any]]:
    return [event["choices"][0]["delta"] for event in stream(url)]


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        ("vllm", [{"role": "assistant", "content": ""}, {"reasoning": "R", "content": "A"}, {"content": ""}]),
        ("vllm-0.8", [{"role": "assistant", "content": ""}, {"reasoning_content": "R", "content": "A"}, {}]),
        (
            "vllm-0.12",
            [
                {"role": "assistant", "content": "", "reasoning_content": None},
                {"reasoning": "R", "reasoning_content": "R", "content": "A"},
                {"content": "", "reasoning_content": None},
            ],
        ),
        (
            "sglang",
            [
                {"role": "assistant", "content": "", "reasoning_content": None, "tool_calls": None},
                {"role": None, "content": None, "reasoning_content": "R", "tool_calls": None},
                {"role": None, "content": "A", "reasoning_content": None, "tool_calls": None},
                {"role": None, "content": None, "reasoning_content": None, "tool_calls": None},
            ],
        ),
        (
            "deepseek",
            [
                {"role": "assistant", "content": "", "reasoning_content": None},
                {"content": None, "reasoning_content": "R"},
                {"content": "A", "reasoning_content": None},
                {"content": None, "reasoning_content": None},
            ],
        ),
        ("raw", [{"role": "assistant", "content": ""}, {"content": "<think>\nR\n</think>\n\nA"}, {"content": ""}]),
    ],
)
def test_what_a_stream_looks_like(dialect: Dialect, expected: list[dict[str, Any]]) -> None:
    with fake_model(scenes=[SCENE], dialect=dialect) as model:
        assert deltas(model.url) == expected


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_a_whole_reply_looks_like(dialect: Dialect) -> None:
    with fake_model(scenes=[{**SCENE, "tools": [{"name": "f", "arguments": {"a": 1}}]}], dialect=dialect) as model:
        body = httpx.post(f"{model.url}/chat/completions", json={**BODY, "n": 2}, trust_env=False).json()
    assert body["object"] == "chat.completion"
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    message = body["choices"][1]["message"]
    thoughts = {name: message[name] for name in ("reasoning", "reasoning_content") if name in message}
    names = {"vllm": ["reasoning"], "vllm-0.12": ["reasoning", "reasoning_content"], "raw": []}.get(
        dialect, ["reasoning_content"]
    )
    assert thoughts == dict.fromkeys(names, "R")
    assert message["content"] == ("<think>\nR\n</think>\n\nA" if dialect == "raw" else "A")
    assert message["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}
    assert body["choices"][1]["finish_reason"] == "tool_calls"
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    assert ("reasoning_tokens" in body["usage"]) == (dialect == "sglang")


def test_an_answer_that_is_all_thought() -> None:
    for dialect, empty in (("vllm", None), ("sglang", "")):
        with fake_model(scenes=[{"think": "A only"}], dialect=dialect) as model:  # type: ignore[arg-type]  # two of the dialects
            message = httpx.post(f"{model.url}/chat/completions", json=BODY, trust_env=False).json()["choices"][0]["message"]
        assert message["content"] == empty


def test_usage_is_given_as_it_is_asked_for() -> None:
    with fake_model(scenes=[{"say": "one two three"}]) as model:
        assert not any("usage" in event for event in stream(model.url))
        final = stream(model.url, stream_options={"include_usage": True})
        assert [("usage" in event) for event in final] == [False] * (len(final) - 1) + [True]
        assert final[-1]["choices"] == []
        every = stream(model.url, stream_options={"include_usage": True, "continuous_usage_stats": True})
        assert [event["usage"]["completion_tokens"] for event in every[1:]] == [1, 2, 3, 3, 3]


def test_errors_of_each_server() -> None:
    def error(dialect: Dialect, **more: Any) -> dict[str, Any]:
        with fake_model(scenes=[SCENE], dialect=dialect, **more) as model:
            reply = httpx.post(f"{model.url}/chat/completions", json={**BODY, "stream_options": {}}, trust_env=False)
        assert reply.status_code in (400, 401)
        return dict(reply.json())

    message = "Stream options can only be defined when `stream=True`."
    plain = {"message": message, "type": "BadRequestError", "param": None, "code": 400}
    assert error("vllm") == {"error": plain}
    assert error("vllm-0.8") == {"object": "error", **plain}
    assert error("sglang") == {"object": "error", **plain}
    assert error("vllm", api_key="k") == {"error": "Unauthorized"}


def test_the_other_routes() -> None:
    with fake_model(scenes=[SCENE], api_key="k") as model, httpx.Client(base_url=model.root, trust_env=False) as client:
        assert (client.get("/health").status_code, client.get("/health").content) == (200, b"")
        assert client.get("/v1/models").status_code == 401
        listed = client.get("/v1/models", headers={"authorization": "Bearer k"}).json()
        assert listed["data"][0]["owned_by"] == "vllm"
        assert listed["data"][0]["max_model_len"] == 131072
        counted = client.post("/tokenize", json={"prompt": "water wheels turn"}).json()
        assert counted["count"] == len(counted["tokens"]) == 3
        assert client.post("/detokenize", json={"tokens": counted["tokens"]}).json() == {"prompt": "water wheels turn"}
        assert client.get("/anything").status_code == 404
        assert client.post("/v1/chat/completions", content=b"{", headers={"authorization": "Bearer k"}).status_code == 400


def test_the_command() -> None:
    command = [SLUICEGATE, "rehearse", "--port", "0", "--dialect", "sglang", "--script", "shapes"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = None
        for line in process.stderr:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if found:
                break
        assert found
        reply = httpx.post(f"http://127.0.0.1:{found[1]}/v1/chat/completions", json=BODY, trust_env=False).json()
        process.send_signal(signal.SIGINT)
        process.stderr.read()
    assert "water wheel" in reply["choices"][0]["message"]["content"]
    assert reply["metadata"]


@pytest.mark.parametrize(("option", "value"), [("--dialect", "klingon"), ("--script", "nothing")])
def test_the_command_with_mistakes(option: str, value: str) -> None:
    done = subprocess.run([SLUICEGATE, "rehearse", option, value], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert value in done.stderr
