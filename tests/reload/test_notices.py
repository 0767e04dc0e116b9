"""Word of a change: all servers look at once, however seldom they look by the clock. Word that is lost costs only time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from proxy.access.held import AdminKey, CallerKey
from proxy.access.keys import Hashing, Key, new_key
from proxy.access.roles import Role
from proxy.access.store import KeyStore
from proxy.cli.keys import app as keys_app
from proxy.cli.policy import app as policy_app
from proxy.cli.tenants import app as tenants_app
from proxy.reload.store import PolicyStore
from proxy.state.database import Database
from proxy.state.migrate import upgrade
from proxy.state.place import place
from proxy.state.redis import Shared, redis_place
from tests.fake_model import FakeModel, fake_model
from tests.redis_server import RedisServer, redis_server, running_redis
from tests.reload.own import digest, followed, policy, until
from tests.stack import Stack

__all__ = ["redis_server"]
SELDOM: dict[str, Any] = {"policy_reload_seconds": 3600, "keys_refresh_seconds": 60}


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with fake_model(scenes=[{"say": "one apple"}]) as served:
        yield served


def run(app: Any, redis: str, prefix: str, *arguments: str) -> str:
    """A command of somebody whose settings name the Redis."""
    done = CliRunner().invoke(app, list(arguments), env={"SLUICEGATE_REDIS_URL": redis, "SLUICEGATE_REDIS_PREFIX": prefix})
    assert done.exit_code == 0, done.output
    return done.output


def number(proxy: Stack, line: str) -> float:
    lines = proxy.client.get(f"{proxy.root}/metrics").text.splitlines()
    return next((float(one.rpartition(" ")[2]) for one in lines if one.startswith(f"sluicegate_{line}")), 0.0)


def listens(proxy: Stack) -> bool:
    return number(proxy, "notices_listening") == 1


def made(database: str, text: str) -> tuple[Key, dict[Role, Key]]:
    """A database with a policy; a caller's key, and an administrator's of each role."""
    where = place(database)
    assert where is not None
    caller, admins, hashing = new_key(), {role: new_key(admin=True) for role in Role}, Hashing()

    async def fill() -> None:
        opened = Database(where)
        try:
            await upgrade(opened)
            await PolicyStore(opened).push("moving", text, "0" * 64, "test")
            await KeyStore(opened).add_key(CallerKey(caller.id, hashing.hash(caller.text)), "test")
            for role, key in admins.items():
                await KeyStore(opened).add_admin(AdminKey(key.id, hashing.hash(key.text), role=role), "test")
        finally:
            await opened.aclose()

    asyncio.run(fill())
    return caller, admins


@contextmanager
def servers(model: FakeModel, count: int, **settings: Any) -> Iterator[list[Stack]]:
    """They have heard whatever came before they listened."""
    with ExitStack() as all_of_them:
        every = [all_of_them.enter_context(followed(model.url, policy="store:moving", **settings)) for _ in range(count)]
        until(lambda: all(listens(proxy) for proxy in every))
        yield every


def asked(proxy: Stack, key: Key) -> int:
    body = {"messages": [{"role": "user", "content": "hello"}]}
    return proxy.post(body, headers={"authorization": f"Bearer {key.text}"}).status_code


def test_a_policy_is_in_force_everywhere_at_once(model: FakeModel, redis_server: RedisServer, tmp_path: Path) -> None:
    database, file = str(tmp_path / "gate.db"), tmp_path / "moving.yaml"
    made(database, policy(mask="<one>"))
    shape: dict[str, Any] = {**SELDOM, "database": database, "redis_url": redis_server.url, "redis_prefix": "everywhere"}
    with servers(model, 2, **shape) as proxies:
        first = digest(proxies[0])
        file.write_text(policy(mask="<two>"), "utf-8")
        run(policy_app, redis_server.url, "everywhere", "push", str(file), "--database", database)
        until(lambda: all(digest(proxy) != first for proxy in proxies))
        run(policy_app, redis_server.url, "everywhere", "rollback", "moving", "--database", database)
        until(lambda: all(digest(proxy) == first for proxy in proxies))
        run(policy_app, redis_server.url, "everywhere", "activate", "moving", "2", "--database", database)
        until(lambda: all(digest(proxy) != first for proxy in proxies))
        assert all(number(proxy, 'notices_total{topic="policies"}') == 3 for proxy in proxies)


def test_the_admin_api_gives_word_too(model: FakeModel, redis_server: RedisServer, tmp_path: Path) -> None:
    database = str(tmp_path / "gate.db")
    caller, admins = made(database, policy(mask="<one>"))
    shape: dict[str, Any] = {
        **SELDOM,
        "database": database,
        "redis_url": redis_server.url,
        "redis_prefix": "admin",
        "admin": True,
    }
    with servers(model, 2, **shape) as (one, other):
        first = digest(other)

        def post(role: Role, path: str, **body: Any) -> httpx.Response:
            who = {"authorization": f"Bearer {admins[role].text}"}
            answer = one.client.post(f"{one.root}/admin/v1/{path}", json=body, headers=who)
            assert answer.status_code in (200, 201), answer.text
            return answer

        post(Role.POLICY_EDITOR, "policies", text=policy(mask="<two>"))
        until(lambda: digest(other) != first)
        post(Role.POLICY_EDITOR, "policies/moving/rollback")
        until(lambda: digest(other) == first)
        assert asked(other, caller) == 200
        post(Role.OPERATOR, f"keys/{caller.id}/revoke")
        until(lambda: asked(other, caller) == 401)


def test_keys_of_a_closed_tenant_open_nothing_at_once(model: FakeModel, redis_server: RedisServer, tmp_path: Path) -> None:
    database = str(tmp_path / "gate.db")
    caller, _ = made(database, policy())
    shape: dict[str, Any] = {**SELDOM, "database": database, "redis_url": redis_server.url, "redis_prefix": "closed"}
    with servers(model, 2, **shape) as proxies:
        assert [asked(proxy, caller) for proxy in proxies] == [200, 200]
        run(tenants_app, redis_server.url, "closed", "close", "default", "--database", database)
        until(lambda: [asked(proxy, caller) for proxy in proxies] == [401, 401])


def test_a_key_with_a_new_secret_opens_everywhere_at_once(model: FakeModel, redis_server: RedisServer, tmp_path: Path) -> None:
    database = str(tmp_path / "gate.db")
    caller, _ = made(database, policy())
    shape: dict[str, Any] = {**SELDOM, "database": database, "redis_url": redis_server.url, "redis_prefix": "rotated"}
    with servers(model, 2, **shape) as proxies:
        assert [asked(proxy, caller) for proxy in proxies] == [200, 200]
        run(keys_app, redis_server.url, "rotated", "rotate", caller.id, "--overlap", "0", "--database", database)
        until(lambda: [asked(proxy, caller) for proxy in proxies] == [401, 401])


def test_word_that_nobody_can_pass_on_is_no_fault_and_arrives_by_the_clock(model: FakeModel, tmp_path: Path) -> None:
    database, file = str(tmp_path / "gate.db"), tmp_path / "moving.yaml"
    caller, _ = made(database, policy(mask="<one>"))
    with running_redis() as redis:
        shape: dict[str, Any] = {"database": database, "redis_url": redis.url, "keys_refresh_seconds": 0.1}
        with servers(model, 1, **shape) as (proxy,):
            first = digest(proxy)
            assert asked(proxy, caller) == 200
            redis.kill()
            file.write_text(policy(mask="<two>"), "utf-8")
            run(policy_app, redis.url, "sluicegate", "push", str(file), "--database", database)
            run(keys_app, redis.url, "sluicegate", "revoke", caller.id, "--database", database)
            until(lambda: digest(proxy) != first)
            until(lambda: asked(proxy, caller) == 401)
            until(lambda: not listens(proxy))


def test_who_can_listen_again_looks_for_what_was_missed(model: FakeModel, tmp_path: Path) -> None:
    database, file = str(tmp_path / "gate.db"), tmp_path / "moving.yaml"
    caller, _ = made(database, policy(mask="<one>"))
    with running_redis() as redis, servers(model, 1, database=database, redis_url=redis.url, **SELDOM) as (proxy,):
        first = digest(proxy)
        assert asked(proxy, caller) == 200
        redis.kill()
        until(lambda: not listens(proxy))
        file.write_text(policy(mask="<two>"), "utf-8")
        run(policy_app, redis.url, "sluicegate", "push", str(file), "--database", database)
        run(keys_app, redis.url, "sluicegate", "revoke", caller.id, "--database", database)
        assert digest(proxy) == first
        redis.start()
        until(lambda: digest(proxy) != first)
        until(lambda: asked(proxy, caller) == 401)


def test_what_a_notice_says_is_not_read(model: FakeModel, redis_server: RedisServer, tmp_path: Path) -> None:
    """Somebody floods the channels with what could be an order."""
    database = str(tmp_path / "gate.db")
    caller, _ = made(database, policy())
    shape: dict[str, Any] = {**SELDOM, "database": database, "redis_url": redis_server.url, "redis_prefix": "forged"}

    async def flood() -> None:
        shared = Shared(redis_place(redis_server.url), timeout=30)
        try:
            for said in ('{"policy": "observe"}', "revoke all", "\0" * 100_000, "") * 25:
                for topic in ("policies", "keys"):
                    await shared.publish(f"forged:look:{topic}", said)
        finally:
            await shared.aclose()

    with servers(model, 1, **shape) as (proxy,):
        first = digest(proxy)
        asyncio.run(flood())
        until(lambda: number(proxy, 'notices_total{topic="keys"}') == 100)
        assert digest(proxy) == first
        assert asked(proxy, caller) == 200
