"""Keys from the command line, and servers that hear of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy.access.file import load_keys
from proxy.access.keys import id_of
from tests.access.own import wait_until
from tests.cli.running import run, started
from tests.fake_model import fake_model
from tests.services import Postgres

HELLO: Any = {"model": "deepseek-r1", "messages": [{"role": "user", "content": "hello"}]}


def done(folder: Path, *arguments: str, **more: str) -> str:
    """What a command prints that must not fail."""
    ended = run(*arguments, cwd=folder, **more)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def refused(folder: Path, *arguments: str, code: int = 2) -> str:
    ended = run(*arguments, cwd=folder)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    assert "Traceback" not in ended.stderr
    return ended.stderr


def status(where: str, key: str) -> int:
    answer = httpx.post(f"{where}/v1/chat/completions", json=HELLO, headers={"authorization": f"Bearer {key}"}, trust_env=False)
    return answer.status_code


def test_a_key_from_its_making_to_its_end(tmp_path: Path) -> None:
    done(tmp_path, "tenants", "create", "acme", "--limit", "streams=3")
    made = run(
        "keys", "create", "--tenant", "acme", "--name", "ci", "--limit", "requests-per-minute=5", "--expires", "90d", cwd=tmp_path
    )
    key = made.stdout.strip()
    assert id_of(key)
    assert key not in made.stderr
    assert "the only time" in made.stderr
    assert f"kept in {tmp_path / 'sluicegate.db'}," in made.stderr
    (listed,) = json.loads(done(tmp_path, "keys", "list", "--json"))
    assert (listed["id"], listed["tenant"], listed["limits"]) == (id_of(key), "acme", {"requests_per_minute": 5})
    table = done(tmp_path, "keys", "list")
    assert table.splitlines()[0].split()[:3] == ["ID", "TENANT", "NAME"]
    assert table.splitlines()[1].split()[:4] == [id_of(key), "acme", "ci", "active"]

    new = done(tmp_path, "keys", "rotate", key, "--overlap", "1h").strip()
    assert id_of(new) == id_of(key)
    assert new != key
    done(tmp_path, "keys", "expire", id_of(key), "2027-01-31")
    assert "streams=2" in done(tmp_path, "keys", "limit", id_of(key), "streams=2")
    assert json.loads(done(tmp_path, "keys", "show", id_of(key), "--json"))["limits"] == {"streams": 2}
    assert "2027-01-31 00:00" in done(tmp_path, "keys", "show", id_of(key))
    done(tmp_path, "keys", "revoke", id_of(key))
    assert done(tmp_path, "keys", "list").splitlines()[1:] == []
    assert "revoked" in done(tmp_path, "keys", "list", "--all")
    assert "is revoked" in refused(tmp_path, "keys", "rotate", id_of(key), code=1)

    kept = (tmp_path / "sluicegate.db").read_bytes()
    assert not any(secret[-43:].encode() in kept for secret in (key, new))
    history = json.loads(done(tmp_path, "keys", "history", "--json"))
    did = ["key.revoke", "key.change", "key.change", "key.rotate", "key.create", "tenant.create"]
    assert [one["action"] for one in history] == did
    assert all(one["who"].startswith("cli:") for one in history)


def test_mistakes_are_told_with_what_could_be_meant(tmp_path: Path) -> None:
    assert "did you mean streams?" in refused(tmp_path, "keys", "create", "--limit", "stream=1")
    assert "did you mean strict?" in refused(tmp_path, "keys", "create", "--policy", "strikt")
    assert "did you mean operator?" in refused(tmp_path, "keys", "create", "--admin", "--role", "operater")
    assert "write 90d" in refused(tmp_path, "keys", "create", "--expires", "soon")
    assert "is over already" in refused(tmp_path, "keys", "create", "--expires", "2020-01-01")
    assert "longer than a hundred years" in refused(tmp_path, "keys", "create", "--expires", "9999999w")
    assert "streams is there twice" in refused(tmp_path, "keys", "create", "--limit", "streams=1", "--limit", "streams=2")
    assert "write it like streams=60" in refused(tmp_path, "keys", "create", "--limit", "streams")
    assert "at most 200" in refused(tmp_path, "keys", "create", "--name", "n" * 201)
    assert not (tmp_path / "sluicegate.db").exists()
    assert "it is made with the first key or policy" in refused(tmp_path, "keys", "list", code=1)
    assert "sluicegate tenants create" in refused(tmp_path, "keys", "create", "--tenant", "acme", code=1)
    assert "no key's id" in refused(tmp_path, "keys", "show", "../etc")
    assert "--database" in refused(tmp_path, "keys", "list", "--database", "mysql://a/b")
    done(tmp_path, "tenants", "create", "acme")
    assert "there is no tenant 'acmee'" in refused(tmp_path, "keys", "list", "--tenant", "acmee", code=1)


def test_an_entry_for_a_keys_file_loads(tmp_path: Path) -> None:
    made = run("keys", "create", "--for-file", "--name", 'a "b"', "--policy", "strict", "--expires", "30d", cwd=tmp_path)
    (tmp_path / "keys.yaml").write_text(made.stdout, "utf-8")
    (key,) = load_keys(tmp_path / "keys.yaml").keys
    assert f"sk-sg-{key.id}-" in made.stderr
    assert (key.name, key.policies) == ('a "b"', ("strict",))
    assert not (tmp_path / "sluicegate.db").exists()


def test_servers_with_two_workers_hear_of_a_revocation(tmp_path: Path) -> None:
    key, other = (done(tmp_path, "keys", "create").strip() for _ in range(2))
    with (
        fake_model() as model,
        started("serve", "--upstream", model.url, "--port", "0", "--workers", "2", cwd=tmp_path) as server,
    ):
        assert "keys=2" in server.line
        wait_until(lambda: _answers(server.where, key))
        done(tmp_path, "keys", "revoke", id_of(key))
        wait_until(lambda: [status(server.where, key) for _ in range(8)] == [401] * 8)
        assert {status(server.where, other) for _ in range(8)} == {200}
        server.stop()


def _answers(where: str, key: str) -> bool:
    try:
        return status(where, key) == 200
    except httpx.TransportError:
        return False


def test_a_server_does_not_start_on_an_old_schema_and_says_what_to_run(tmp_path: Path, postgres_server: Postgres) -> None:
    where = postgres_server.database()
    serve = ("serve", "--upstream", "http://127.0.0.1:9/v1", "--port", "0", "--set", f"database={where}")
    assert "run sluicegate migrate" in refused(tmp_path, *serve, code=1)
    assert "to do" in run("migrate", "--check", "--database", where, cwd=tmp_path).stdout
    assert run("migrate", "--check", "--database", where, cwd=tmp_path).returncode == 3
    assert "CREATE TABLE keys" in done(tmp_path, "migrate", "--sql", "--database", where)
    assert "done  0001" in done(tmp_path, "migrate", "--database", where)
    assert "up to date" in done(tmp_path, "migrate", "--check", "--database", where)
    with started(*serve, cwd=tmp_path) as server:
        assert "keys=none" in server.line
        server.stop()


def test_a_server_does_not_start_without_its_database_or_with_a_wrong_keys_file(tmp_path: Path) -> None:
    serve = ("serve", "--upstream", "http://127.0.0.1:9/v1", "--port", "0")
    assert "does not answer" in refused(tmp_path, *serve, "--set", "database=postgresql://gate:hunter2@127.0.0.1:1/gate", code=1)
    (tmp_path / "keys.yaml").write_text("keys: {x: y}", "utf-8")
    assert "keys.yaml:1:8: keys.x" in refused(tmp_path, *serve, "--set", "keys_file=keys.yaml")


@pytest.mark.parametrize("extra", [(), ("--set", "keys=required")])
def test_beyond_this_machine_only_with_keys(tmp_path: Path, extra: tuple[str, ...]) -> None:
    serve = ("serve", "--upstream", "http://127.0.0.1:9/v1", "--port", "0", "--host", "0.0.0.0", *extra)
    if not extra:
        assert "sluicegate keys create" in refused(tmp_path, *serve)
        return
    with started(*serve, cwd=tmp_path) as server:
        assert "keys=required" in server.line
        assert status(server.where, "sk-none") == 401
        server.stop()


def test_no_database_package_is_imported_where_no_key_was_made(tmp_path: Path) -> None:
    code = """
import sys
import proxy.cli.main, proxy.app, proxy.cli.serve
print([name for name in sys.modules if name in ("sqlalchemy", "alembic", "aiosqlite", "asyncpg")])
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert told.stdout.strip() == "[]"
