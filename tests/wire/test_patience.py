"""Clients that take their time with the head of a request, or never end it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import uvicorn

from proxy.cli.listening import config
from proxy.settings import Settings
from proxy.wire.body import read_body
from proxy.wire.patience import PatientProtocol

HEAD = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n"


class Hasty(PatientProtocol):
    """The same with less patience."""

    head_seconds = 0.4


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Says how long the body was. `/early` answers without reading it."""
    size = b"-" if scope["path"] == "/early" else str(len(await read_body(scope, receive, 1 << 20))).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(size)).encode())]})
    await send({"type": "http.response.body", "body": size})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    chosen = config(app, Settings(audit="off", drain_seconds=1))
    assert chosen.http is PatientProtocol
    chosen.http, chosen.lifespan = Hasty, "off"
    server = uvicorn.Server(chosen)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def line(port: int) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.settimeout(10)
        yield connection


def rest(line: socket.socket) -> bytes:
    """All that comes until the server closes."""
    data = b""
    while piece := line.recv(1 << 16):
        data += piece
    return data


def dripped(line: socket.socket, data: bytes) -> bytes:
    """Sends it over and over, a byte every few milliseconds, until the server ends it."""
    over = threading.Event()
    said = list[bytes]()

    def listen() -> None:
        said.append(rest(line))
        over.set()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    at = 0
    while not over.wait(0.02):
        try:
            line.sendall(data[at % len(data) : at % len(data) + 1])
        except OSError:
            break
        at += 1
    thread.join(10)
    assert 0 < at < 200
    return b"".join(said)


def answered(line: socket.socket) -> bytes:
    """One answer of a few bytes, the connection stays."""
    data = b""
    while b"\r\n\r\n" not in data or data.endswith(b"\r\n\r\n"):
        data += line.recv(1 << 16)
    return data


def test_whoever_says_nothing_is_let_go(line: socket.socket) -> None:
    assert rest(line) == b""


@pytest.mark.parametrize("before", [b"", HEAD + b"\r\n{}"], ids=["at first", "on a kept connection"])
def test_headers_that_drip(line: socket.socket, before: bytes) -> None:
    """408, in the API's shape, though each byte came soon after the one before."""
    if before:
        line.sendall(before)
        assert answered(line).endswith(b"\r\n\r\n2")
    reply = dripped(line, b"GET / HTTP/1.1\r\n" + b"x-more: y\r\n" * 100)
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in reply


def test_blank_lines_that_drip_on_a_kept_connection(line: socket.socket) -> None:
    """They begin no request, and end all of the server's other clocks."""
    line.sendall(HEAD + b"\r\n{}")
    answered(line)
    assert dripped(line, b"\r\n").startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("piece", [b"x-more: yes\r\n", b"y"], ids=["many headers", "one long header"])
def test_a_head_without_end(line: socket.socket, piece: bytes) -> None:
    """431 after 64 KiB."""
    line.sendall(b"GET / HTTP/1.1\r\nx-first: ")
    sent = 0
    try:
        while sent < 1 << 22:
            line.sendall(piece * 1000)
            sent += 1000 * len(piece)
        reply = rest(line)
    except ConnectionError:  # the server closed while we were sending, and its words went with the connection
        assert sent < 1 << 22
        return
    assert reply.startswith(b"HTTP/1.1 431 ")


def test_a_body_that_drips_behind_an_answer_that_is_out(line: socket.socket) -> None:
    """Nobody reads it, and it ends all the same."""
    line.sendall(b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
    assert answered(line).endswith(b"-")
    assert dripped(line, b"x") == b""


def test_a_large_body_behind_an_answer_that_is_out_is_no_head(line: socket.socket) -> None:
    """An early answer does not cost a quick client its connection."""
    line.sendall(b"POST /early HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n")
    assert answered(line).endswith(b"-")
    line.sendall(b"x" * 200_000 + HEAD + b"\r\n{}")
    assert answered(line).endswith(b"\r\n\r\n2")


def test_quick_clients_notice_nothing(line: socket.socket) -> None:
    """Kept connections, cut anywhere, and two requests at once."""
    whole = HEAD + b"\r\n{}"
    for cut in range(0, len(whole), 7):
        line.sendall(whole[:cut])
        line.sendall(whole[cut:])
        assert answered(line).endswith(b"\r\n\r\n2")
    line.sendall(whole + whole)
    data = b""
    while data.count(b"\r\n\r\n2") < 2:
        data += line.recv(1 << 16)


def test_an_answer_that_takes_longer_than_a_head_may(port: int, line: socket.socket) -> None:
    """A body that comes late, within its own bound."""
    late = threading.Event()
    line.sendall(HEAD + b"\r\n{")
    assert not late.wait(0.8)
    line.sendall(b"}")
    assert answered(line).endswith(b"\r\n\r\n2")


def test_what_is_not_http(line: socket.socket) -> None:
    """Is refused in the API's shape, too."""
    line.sendall(b"\x16\x03\x01 hello\r\n\r\n")
    reply = rest(line)
    assert reply.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"code":"invalid_http"' in reply
