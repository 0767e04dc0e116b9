"""Redis in all the ways it can be reached, each a real server."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from proxy.access.caller import Limits
from proxy.access.redis_limiter import RedisLimiter
from proxy.state.redis import GoneError, Script, Shared, redis_place
from tests.redis_cluster import cli, two_nodes
from tests.redis_server import RedisServer, free_port, redis_server, running_redis

__all__ = ["redis_server"]
ECHO = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


async def asked(shared: Shared, key: str = "{x}n") -> int:
    try:
        return int(await shared.run(ECHO, [key], [3]))
    finally:
        await shared.aclose()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("redis://localhost", ("", False, [("localhost", 6379)], 0, "")),
        ("rediss://cache.example:7000/3", ("", True, [("cache.example", 7000)], 3, "")),
        ("redis+sentinel://a:1,b/main/2", ("sentinel", False, [("a", 1), ("b", 26379)], 2, "main")),
        ("rediss+cluster://a:1,[::1]:7000", ("cluster", True, [("a", 1), ("::1", 7000)], 0, "")),
    ],
)
def test_addresses_mean_what_they_say(written: str, told: object) -> None:
    place = redis_place(written)
    assert (place.kind, place.tls, list(place.hosts), place.database, place.service) == told


def test_passwords_in_addresses_are_not_shown() -> None:
    place = redis_place("redis://me:s%40cret@host/1")
    assert (place.username, place.password, place.shown) == ("me", "s@cret", "redis://…@host/1")
    assert "cret" not in repr(place)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "http://x",
        "redis://",
        "redis://a,b",
        "redis://a/x",
        "redis://a/1/2",
        "redis+sentinel://a",
        "unix://x",
        "redis+cluster://a/1",
    ],
)
def test_other_addresses_are_told_what_to_be(written: str) -> None:
    with pytest.raises(ValueError, match=r"redis|unix|database|host"):
        redis_place(written)


def test_a_script_is_sent_when_it_is_not_known(redis_server: RedisServer) -> None:
    async def twice() -> list[int]:
        shared = Shared(redis_place(redis_server.url), timeout=5)
        try:
            await shared._do("SCRIPT", "FLUSH")
            return [int(await shared.run(ECHO, ["{x}twice"], [3])) for _ in range(2)]
        finally:
            await shared.aclose()

    assert asyncio.run(twice()) == [3, 6]


def test_a_connection_gone_stale_costs_no_call() -> None:
    """The server is started anew while connections are pooled."""

    async def play(server: RedisServer) -> None:
        shared = Shared(redis_place(server.url), timeout=5)
        try:
            await asyncio.gather(*(shared.run(ECHO, ["{x}n"], [1]) for _ in range(8)))
            server.kill()
            server.start()
            assert int(await shared.run(ECHO, ["{x}n"], [1])) == 1
        finally:
            await shared.aclose()

    with running_redis() as server:
        asyncio.run(play(server))


def test_nobody_there_is_gone_and_nobody_answering_is_slow(redis_server: RedisServer) -> None:
    with pytest.raises(GoneError) as gone:
        asyncio.run(asked(Shared(redis_place(f"redis://127.0.0.1:{free_port()}"), timeout=5)))
    assert not gone.value.slow
    redis_server.pause()
    try:
        with pytest.raises(GoneError) as slow:
            asyncio.run(asked(Shared(redis_place(redis_server.url), timeout=0.05)))
        assert slow.value.slow
    finally:
        redis_server.resume()


def test_a_password_from_the_environment() -> None:
    with running_redis("--requirepass", "open sesame") as server:
        assert asyncio.run(asked(Shared(redis_place(server.url), password="open sesame", timeout=5))) == 3
        with pytest.raises(GoneError, match=r"(?i)auth"):
            asyncio.run(asked(Shared(redis_place(server.url), timeout=5)))


def test_a_socket(tmp_path: Path) -> None:
    socket = tmp_path / "redis.sock"
    with running_redis("--unixsocket", str(socket)):
        assert asyncio.run(asked(Shared(redis_place(f"unix://{socket}"), timeout=5))) == 3


def test_tls_with_an_authority_of_ones_own(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    made = ["-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *map(str, made)], check=True, capture_output=True)
    port = free_port()
    files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(certificate)]
    with running_redis("--tls-port", str(port), "--tls-auth-clients", "no", *files, port=port):
        place = redis_place(f"rediss://localhost:{port}")
        assert asyncio.run(asked(Shared(place, ca=str(certificate), timeout=5))) == 3
        with pytest.raises(GoneError, match=r"(?i)certificate"):
            asyncio.run(asked(Shared(place, timeout=5)))


def test_a_sentinel_knows_the_way(tmp_path: Path) -> None:
    with running_redis() as server:
        (tmp_path / "sentinel.conf").write_text(
            f"sentinel monitor main 127.0.0.1 {server.port} 1\nsentinel down-after-milliseconds main 1000\n"
        )
        with running_redis("--sentinel", config=tmp_path / "sentinel.conf") as sentinel:
            shared = Shared(redis_place(f"redis+sentinel://127.0.0.1:{sentinel.port}/main/0"), timeout=5)
            assert asyncio.run(asked(shared)) == 3


def test_sentinels_without_a_password_before_a_redis_with_one(tmp_path: Path) -> None:
    with running_redis("--requirepass", "open sesame") as server:
        (tmp_path / "sentinel.conf").write_text(
            f'sentinel monitor main 127.0.0.1 {server.port} 1\nsentinel auth-pass main "open sesame"\n'
        )
        with running_redis("--sentinel", config=tmp_path / "sentinel.conf") as sentinel:
            address = f"redis+sentinel://127.0.0.1:{sentinel.port}"
            assert asyncio.run(asked(Shared(redis_place(f"{address}/main"), password="open sesame", timeout=5))) == 3
            with pytest.raises(GoneError, match=r"^MasterNotFoundError: No master found for 'nobody': [^<>]*$"):
                asyncio.run(asked(Shared(redis_place(f"{address}/nobody"), password="open sesame", timeout=5)))


def test_a_user_who_may_write_to_the_prefix_only(redis_server: RedisServer) -> None:
    cli(redis_server.port, "acl", "setuser", "gate", "on", ">pw", "resetkeys", "~mine:*", "+@all")

    async def play() -> bool:
        shared = Shared(redis_place(f"redis://gate:pw@127.0.0.1:{redis_server.port}"), timeout=5)
        limiter = RedisLimiter(shared, Limits(streams=1), prefix="mine")
        async with limiter.watched():
            return limiter.gone

    assert not asyncio.run(play())


def test_a_cluster_whose_nodes_know_the_keys() -> None:
    with two_nodes() as (one, _):
        place = redis_place(f"redis+cluster://127.0.0.1:{one.port}")
        for key in ("{a}n", "{b}n", "{limits}n"):
            assert asyncio.run(asked(Shared(place, timeout=5), key)) == 3
