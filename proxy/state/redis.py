"""Redis, where replicas share what changes with every request. Short patience: whoever asks has a request that waits.

Addresses: `redis://host:6379/0`, `rediss://…` with TLS, `unix:///run/redis.sock`, `redis+sentinel://one:26379,two:26379/name/0`
and `redis+cluster://one:7000,two:7000`; the last two with TLS as `rediss+sentinel` and `rediss+cluster`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from redis.asyncio import Redis, RedisCluster
    from redis.asyncio.retry import Retry

CONNECTIONS = 64
"""At most so many per worker (and node of a cluster): a decision takes a fraction of a millisecond."""
SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
PORTS = {"sentinel": 26379}


class GoneError(Exception):
    """Redis did not answer, or not as it should. `slow`: not in time."""

    def __init__(self, message: str, *, slow: bool = False) -> None:
        super().__init__(message)
        self.slow = slow


@dataclass(frozen=True, slots=True)
class RedisPlace:
    """Where Redis is. `shown` has no password."""

    kind: str  # "" for one server, else sentinel or cluster
    tls: bool
    hosts: Sequence[tuple[str, int]]
    socket: str
    database: int
    service: str
    username: str | None
    password: str | None = field(repr=False)
    shown: str = ""


def redis_place(written: str) -> RedisPlace:
    """What the setting `redis_url` means. Raises `ValueError` with a text that says what can be written."""
    scheme, _, rest = written.partition("://")
    if scheme not in SCHEMES or not rest:
        raise ValueError(f"write an address that begins with one of {', '.join(each + '://' for each in SCHEMES)}")
    user, at, place = rest.rpartition("@")
    username, _, password = user.partition(":")
    kind = scheme.partition("+")[2]
    shown = f"{scheme}://{'…@' if at else ''}{place}"
    who: tuple[str | None, str | None, str] = (unquote(username) or None, unquote(password) or None, shown)
    if scheme == "unix":
        path, _, query = place.partition("?db=")
        if not path.startswith("/"):
            raise ValueError("a socket is an absolute path: unix:///run/redis/redis.sock")
        return RedisPlace("", False, (), path, _database(query or "0"), "", *who)
    hosts, *path_parts = place.split("/")
    every = tuple(_host(one, PORTS.get(kind, 6379)) for one in hosts.split(",") if one)
    if not every or (len(every) > 1 and not kind):
        raise ValueError("name one host, or several with redis+sentinel:// or redis+cluster://")
    service = ""
    if kind == "sentinel":
        service, path_parts = (path_parts[0] if path_parts else ""), path_parts[1:]
        if not service:
            raise ValueError("name the service that the sentinels watch: redis+sentinel://one:26379,two:26379/mymaster/0")
    if kind == "cluster" and any(path_parts):
        raise ValueError("a cluster has no databases: redis+cluster://one:7000,two:7000")
    if len(path_parts) > 1:
        raise ValueError("behind the host stands only the number of a database: redis://host:6379/0")
    tls = scheme.startswith("rediss")
    return RedisPlace(kind, tls, every, "", _database(path_parts[0] if path_parts else "0"), service, *who)


def _database(written: str) -> int:
    if written and not written.isdecimal():
        raise ValueError(f"'{written}' is no number of a database")
    return int(written or 0)


def _host(written: str, port: int) -> tuple[str, int]:
    try:
        parts = urlsplit("//" + written)
        return (parts.hostname or "localhost", parts.port or port)
    except ValueError:
        raise ValueError(f"'{written}' is no host and port") from None


@dataclass(frozen=True)
class Script:
    """A Lua script, sent once and called by its digest from then on."""

    text: str

    @cached_property
    def digest(self) -> str:
        """As Redis names it."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Shared:
    """A client of one Redis. Connects when it is first asked; every call ends within `timeout` seconds."""

    def __init__(self, place: RedisPlace, *, password: str = "", ca: str = "", timeout: float = 0.1) -> None:
        self.place, self.timeout = place, timeout
        self._password, self._ca = password or place.password, ca
        self._client: Redis | RedisCluster | None = None
        self._sentinels: Sequence[Redis] = ()
        self._turn = 0

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """What the script answers. All keys share a hash tag. Raises `GoneError`."""
        from redis.exceptions import NoScriptError

        try:
            return await self._do("EVALSHA", script.digest, len(keys), *keys, *arguments)
        except NoScriptError:  # it was started anew, or this node of a cluster does not know it yet
            return await self._do("EVAL", script.text, len(keys), *keys, *arguments)

    async def several(self, commands: Sequence[Sequence[str | int | bytes]]) -> Sequence[Any]:
        """The answers to commands of one key each, in their order, in one go; an error that is about one of them stands in its
        place. Raises `GoneError`."""
        from redis.exceptions import ConnectionError as RedisConnectionError
        from redis.exceptions import RedisError
        from redis.exceptions import TimeoutError as RedisTimeoutError

        try:
            async with asyncio.timeout(self.timeout):
                pipeline = self._connected().pipeline(transaction=False)
                for command in commands:
                    pipeline.execute_command(*command)
                answers: Sequence[Any] = await pipeline.execute(raise_on_error=False)
            if lost := [one for one in answers if isinstance(one, RedisConnectionError | RedisTimeoutError)]:
                raise lost[0]  # a cluster tells of each node apart
        except (TimeoutError, RedisTimeoutError) as error:
            raise GoneError("no answer in time", slow=True) from error
        except (RedisError, OSError) as error:
            raise GoneError(f"{type(error).__name__}: {_plain(str(error))}") from error
        return answers

    async def publish(self, channel: str, message: str) -> None:
        """Sends a message to all who listen to the channel. Raises `GoneError`."""
        await self._do("PUBLISH", channel, message)

    async def words(self, channels: Sequence[str], silence: float) -> AsyncGenerator[tuple[str, bool], None]:
        """The channel of each message that comes; before that, and each time that the connection was made anew, each channel once
        with True. Raises `GoneError` when there is no connection any more, or nothing came for twice `silence` seconds, not even
        an answer to our own question."""
        from redis.exceptions import RedisError

        client = self._node() if self.place.kind == "cluster" else self._connected()
        pubsub = client.pubsub()
        try:
            async with asyncio.timeout(self.timeout):
                await pubsub.subscribe(*channels)
            asked = False
            while True:
                message = await pubsub.get_message(timeout=silence)
                if message is None and asked:
                    raise GoneError("no answer in time", slow=True)
                if message is None:
                    await pubsub.ping()
                elif message["type"] in ("subscribe", "message"):
                    yield message["channel"].decode(), message["type"] == "subscribe"
                asked = message is None
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            raise GoneError(f"{type(error).__name__}: {_plain(str(error))}") from error
        finally:
            with suppress(RedisError, OSError):
                await pubsub.aclose()
                if self.place.kind == "cluster":
                    await client.aclose()

    async def ping(self, key: str = "sluicegate:ping") -> None:
        """Returns if it answers and `key` can be written to: the node that holds it, by this user. Raises `GoneError`."""
        await self._do("SET", key, "1", "EX", "1")

    async def _do(self, *command: str | int) -> Any:
        from redis.exceptions import NoScriptError, RedisError
        from redis.exceptions import TimeoutError as RedisTimeoutError

        try:
            async with asyncio.timeout(self.timeout):
                return await self._connected().execute_command(*command)
        except NoScriptError:
            raise
        except (TimeoutError, RedisTimeoutError) as error:
            raise GoneError("no answer in time", slow=True) from error
        except (RedisError, OSError) as error:
            raise GoneError(f"{type(error).__name__}: {_plain(str(error))}") from error

    async def aclose(self) -> None:
        """Closes all connections."""
        from redis.exceptions import RedisError

        every = [*self._sentinels, *([self._client] if self._client is not None else [])]
        self._client, self._sentinels = None, ()
        for client in every:
            with suppress(RedisError, OSError):
                await client.aclose()

    def _connected(self) -> Any:
        if self._client is None:
            self._client = self._cluster() if self.place.kind == "cluster" else self._server()
        return self._client

    def _options(self) -> dict[str, Any]:
        tls = {"ssl": True, "ssl_ca_certs": self._ca or None} if self.place.tls else {}
        return {
            "username": self.place.username,
            "password": self._password,
            "socket_timeout": self.timeout,
            "socket_connect_timeout": self.timeout,
            "retry": _once(),
            "protocol": 2,
            **tls,
        }

    def _server(self) -> Any:
        from redis.asyncio import BlockingConnectionPool, Redis, Sentinel, SSLConnection, UnixDomainSocketConnection

        place, options = self.place, self._options()
        if place.kind == "sentinel":
            watchers: Any = Sentinel  # the library leaves it bare
            sentinels = watchers(list(place.hosts), sentinel_kwargs={**options, "db": 0}, db=place.database, **options)
            # Where Redis has a password its sentinels often have none, and refuse whoever sends one: each is asked both ways.
            bare = watchers(list(place.hosts), sentinel_kwargs={**options, "username": None, "password": None})
            sentinels.sentinels += bare.sentinels if self._password else []
            self._sentinels = sentinels.sentinels
            return sentinels.master_for(place.service, max_connections=CONNECTIONS)
        options.pop("ssl", None)
        where: dict[str, Any] = {"db": place.database}
        if place.socket:
            where |= {"path": place.socket, "connection_class": UnixDomainSocketConnection}
        else:
            where |= {"host": place.hosts[0][0], "port": place.hosts[0][1]}
            if place.tls:
                where["connection_class"] = SSLConnection
        return Redis.from_pool(BlockingConnectionPool(CONNECTIONS, timeout=self.timeout, **where, **options))

    def _node(self) -> Any:
        """One of the nodes that the address names, each in its turn."""
        from redis.asyncio import Redis

        host, port = self.place.hosts[self._turn % len(self.place.hosts)]
        self._turn += 1
        return Redis(host=host, port=port, **self._options())

    def _cluster(self) -> Any:
        from redis.asyncio.cluster import ClusterNode, RedisCluster

        nodes = [ClusterNode(host, port) for host, port in self.place.hosts]
        return RedisCluster(startup_nodes=nodes, max_connections=CONNECTIONS, **self._options())


def _plain(message: str) -> str:
    """What went wrong, without the library's description of its own objects."""
    head, found, _ = message.partition(" : <redis.")
    return f"{head}: {message.rpartition(' - ')[2]}" if found else message


def _once() -> Retry:
    """Of what we ask everything may be asked again: a connection that has gone stale costs no request."""
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as RedisConnectionError

    return Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
