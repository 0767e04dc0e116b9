"""Real redis-servers that form a cluster, and `redis-cli` to ask them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.redis_server import RedisServer, running_redis

OPTIONS = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")


def eventually(true: Callable[[], bool]) -> None:
    """Waits for it."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def cli(port: int, *command: str) -> str:
    """What a server answers."""
    return subprocess.run(["redis-cli", "-p", str(port), *command], check=True, capture_output=True, text=True).stdout


@contextmanager
def two_nodes() -> Iterator[tuple[RedisServer, RedisServer]]:
    """A cluster of two, each with half of the slots; both agree that it stands."""
    with running_redis(*OPTIONS) as one, running_redis(*OPTIONS) as two:
        cli(one.port, "cluster", "addslotsrange", "0", "8191")
        cli(two.port, "cluster", "addslotsrange", "8192", "16383")
        cli(one.port, "cluster", "meet", "127.0.0.1", str(two.port))
        eventually(lambda: all("cluster_state:ok" in cli(each.port, "cluster", "info") for each in (one, two)))
        yield one, two
