"""Bodies come in whole, within their size and their time, or the client is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import ApiError
from proxy.road.attended import ClientLeftError
from proxy.wire import body as bodies
from proxy.wire.body import read_body

MOST = 100


def read(messages: Sequence[dict[str, Any] | None], headers: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """What is read of these messages; None waits for ever."""
    rest = list(messages)

    async def receive() -> dict[str, Any]:
        message = rest.pop(0)
        if message is None:
            await asyncio.Event().wait()
        assert message is not None
        return message

    return asyncio.run(read_body({"type": "http", "headers": list(headers)}, receive, MOST))


def part(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_parts_are_put_together(parts: list[bytes]) -> None:
    messages = [part(each, at < len(parts) - 1) for at, each in enumerate(parts)]
    whole = b"".join(parts)
    if len(whole) <= MOST:
        assert read(messages) == whole
    else:
        with pytest.raises(ApiError) as error:
            read(messages)
        assert (error.value.status, error.value.code) == (413, "request_too_large")
        assert error.value.headers == {"connection": "close"}


def test_a_message_may_lack_its_fields() -> None:
    assert read([{"type": "http.request"}]) == b""
    assert read([{"type": "http.request", "more_body": True}, {"type": "http.request", "body": b"x"}]) == b"x"


@pytest.mark.parametrize("length", [b"101", b"-1", b"1e9", b"many", b"9" * 5000, b"+5", b""])
def test_a_length_that_is_too_large_or_none_is_refused_unread(length: bytes) -> None:
    with pytest.raises(ApiError) as error:
        read([None], [(b"content-length", length)])
    assert error.value.status == 413


@pytest.mark.parametrize("length", [b"100", b"0", b"007"])
def test_a_length_within_the_limit(length: bytes) -> None:
    assert read([part(b"x" * 100, False)], [(b"host", b"x"), (b"content-length", length)]) == b"x" * 100


def test_too_much_is_refused_before_the_rest_is_read() -> None:
    with pytest.raises(ApiError) as error:
        read([part(b"x" * 60, True), part(b"x" * 60, True), None])
    assert error.value.status == 413


@pytest.mark.parametrize("messages", [[None], [part(b"x", True), None], [part(b"", True), part(b"", True), None]])
def test_a_client_who_dawdles(messages: list[dict[str, Any] | None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it sends nothing at all or only a part."""
    monkeypatch.setattr(bodies, "SECONDS", 0.02)
    with pytest.raises(ApiError) as error:
        read(messages)
    assert (error.value.status, error.value.code) == (408, "request_timeout")


@pytest.mark.parametrize("before", [[], [part(b"x", True)]])
def test_a_client_who_leaves(before: list[dict[str, Any]]) -> None:
    with pytest.raises(ClientLeftError):
        read([*before, {"type": "http.disconnect"}])


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b" Deflate", b"identity, gzip"])
def test_compressed_bodies_are_refused(encoding: bytes) -> None:
    with pytest.raises(ApiError) as error:
        read([part(b"{}", False)], [(b"content-encoding", encoding)])
    assert error.value.status == 415
    assert read([part(b"{}", False)], [(b"content-encoding", b"identity")]) == b"{}"
