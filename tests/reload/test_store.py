"""Policies in the database: versions, three servers in step, going back, and what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner

from proxy.access.held import AdminKey
from proxy.access.keys import Hashing, new_key
from proxy.access.roles import Role
from proxy.access.store import KeyStore
from proxy.cli.policy import app
from proxy.reload.store import NoVersionError, PolicyStore
from proxy.state.database import Database
from proxy.state.migrate import upgrade
from proxy.state.place import place
from tests.fake_model import FakeModel, fake_model
from tests.reload.own import digest, followed, policy, reloads, until
from tests.services import Postgres
from tests.stack import Stack

Done = TypeVar("Done")
SAID = "Hm.\n"


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with fake_model(scenes=[{"think": SAID, "say": "one apple"}]) as served:
        yield served


def in_store(address: str, work: Callable[[PolicyStore], Awaitable[Done]]) -> Done:
    where = place(address)
    assert where is not None

    async def opened() -> Done:
        database = Database(where)
        try:
            await upgrade(database)
            return await work(PolicyStore(database))
        finally:
            await database.aclose()

    return asyncio.run(opened())


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "gate.db")
    server: Postgres = request.getfixturevalue("postgres_server")
    return server.database()


def test_three_servers_are_in_step_with_the_store_and_go_back_with_it(database: str, model: FakeModel, tmp_path: Path) -> None:
    file = tmp_path / "moving.yaml"
    file.write_text(policy(mask="<one>"), "utf-8")
    in_store(database, lambda store: store.notice())
    assert run("push", str(file), "--message", "first", "--database", database)[0] == 0
    with ExitStack() as all_of_them:
        shape: dict[str, Any] = {"policy": "store:moving", "database": database}
        proxies = [all_of_them.enter_context(followed(model.url, **shape)) for _ in range(3)]
        first = digest(proxies[0])
        assert [masked(proxy) for proxy in proxies] == ["one <one>"] * 3
        file.write_text(policy(mask="<two>"), "utf-8")
        assert run("push", str(file), "-m", "second", "--database", database)[0] == 0
        until(lambda: all(digest(proxy) != first for proxy in proxies))
        assert [masked(proxy) for proxy in proxies] == ["one <two>"] * 3
        code, said = run("rollback", "moving", "--database", database)
        assert (code, "version 1 is in force" in said) == (0, True)
        until(lambda: all(digest(proxy) == first for proxy in proxies))
        assert [masked(proxy) for proxy in proxies] == ["one <one>"] * 3


def masked(proxy: Stack) -> str:
    return str(proxy.ask("hello").json()["choices"][0]["message"]["content"])


def test_a_version_that_is_no_good_here_changes_nothing(
    model: FakeModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database, words = str(tmp_path / "gate.db"), tmp_path / "words.txt"
    in_store(database, lambda store: store.push("moving", policy(), "0" * 64, "test"))
    with followed(model.url, policy="store:moving", database=database) as proxy:
        first = digest(proxy)
        listed = policy().replace("words: [kumquat]", f"words_file: {words}")
        in_store(database, lambda store: store.push("moving", listed, "1" * 64, "test"))
        until(lambda: reloads(proxy, "refused") == 1)
        assert digest(proxy) == first
        assert "store:moving@2:4:" in caplog.text
        assert "every replica has them" in caplog.text
        words.write_text("kumquat\n", "utf-8")
        in_store(database, lambda store: store.activate("moving", 2, "test"))
        until(lambda: digest(proxy) != first)


def test_the_store_takes_the_place_of_files_where_it_is_told_to(model: FakeModel, tmp_path: Path) -> None:
    database, file = str(tmp_path / "gate.db"), tmp_path / "moving.yaml"
    file.write_text(policy(mask="<file>"), "utf-8")
    with followed(model.url, policy=str(file), policy_store=True, database=database) as proxy:
        assert masked(proxy) == "one <file>"
        in_store(database, lambda store: store.push("moving", policy(mask="<store>"), "0" * 64, "test"))
        until(lambda: masked(proxy) == "one <store>")


def test_nothing_that_is_not_sound_is_pushed(tmp_path: Path) -> None:
    database, file = str(tmp_path / "gate.db"), tmp_path / "p.yaml"
    for text, said in (
        (policy().replace("do: block", "do: blck"), "rules.asked.do"),
        (policy(tests="tests:\n  - {on: prompt, text: hello, expect: block}\n"), "p.yaml:7:5: tests[0]: its own test on prompt"),
        ("name: child\nextends: parent.yaml\n", "cannot read parent.yaml"),
        (policy().replace("words: [kumquat]", "words_file: words.txt"), "stands alone"),
    ):
        file.write_text(text, "utf-8")
        (tmp_path / "words.txt").write_text("kumquat\n", "utf-8")
        code, out = run("push", str(file), "--database", database)
        assert code == 1, out
        assert said in out
    assert not Path(database).exists()


def test_versions_are_listed_compared_and_printed(tmp_path: Path) -> None:
    database, file = str(tmp_path / "gate.db"), tmp_path / "p.yaml"
    at = ("--database", database)
    for mask, more, extra in (
        ("<one>", "", ()),
        ("<two>", "  keys: {use: secrets, on: [answer], do: redact}\n", ("--no-activate",)),
    ):
        file.write_text(policy(mask=mask, more=more), "utf-8")
        assert run("push", str(file), "-m", f"with {mask}", *extra, *at)[0] == 0
    code, out = run("history", "moving", "--json", *at)
    assert [(one["version"], one["active"], one["message"]) for one in json.loads(out)] == [
        (2, False, "with <two>"),
        (1, True, "with <one>"),
    ]
    code, out = run("diff", "moving", "1", "2", *at)
    assert code == 1
    assert '~ rules.said.mask: "<one>" → "<two>"' in out
    assert "+ rules.keys: " in out
    assert run("diff", "moving", "1", "1", *at) == (0, "no difference in meaning\n")
    assert "+  keys: {use: secrets" in run("diff", "moving", "1", "2", "--lines", *at)[1]
    assert run("text", "moving", "2", *at)[1] == file.read_text("utf-8")
    for asked, why in (((), "version 1 of 'moving' is the first"), (("1", "9"), "there is no version 9")):
        code, out = run("diff", "moving", *asked, *at)
        assert (code, why in out) == (1, True)
    code, out = run("rollback", "moving", *at)
    assert (code, "no version of 'moving' before" in out) == (1, True)
    assert "version 2 is in force" in run("activate", "moving", "2", *at)[1]
    code, out = run("activate", "moving", "7", *at)
    assert (code, "there is no version 7 of a policy 'moving'" in out) == (1, True)


def test_one_does_not_go_back_to_what_never_was_in_force(tmp_path: Path) -> None:
    at = ("--database", str(tmp_path / "gate.db"))
    for number, more in enumerate(([], ["--no-activate"], [], [])):
        file = tmp_path / f"{number}.yaml"
        file.write_text(policy(mask=f"<{number}>"))
        assert run("push", str(file), *more, *at)[0] == 0
    said = [run("rollback", "moving", *at)[1] for _ in range(3)]
    assert "version 3 is in force" in said[0]
    assert "version 1 is in force" in said[1]  # 2 was looked at, and left
    assert "no version of 'moving' before" in said[2]
    assert json.loads(run("history", "moving", "--json", *at)[1])[2]["activated"] is None


def test_who_changed_what_is_on_record(tmp_path: Path) -> None:
    database = str(tmp_path / "gate.db")

    async def work(store: PolicyStore) -> int:
        before = await store.notice()
        await store.push("a", "text", "0" * 64, "admin:x", "why")
        await store.push("a", "other", "1" * 64, "admin:y")
        await store.activate("a", 1, "admin:z", "policy.rollback")
        assert [one.active for one in await store.history("a")] == [False, True]
        with pytest.raises(NoVersionError):
            await store.version("b")
        with pytest.raises(NoVersionError):
            await store.activate("a", 9, "admin:z")
        return await store.notice() - before

    assert in_store(database, work) == 3  # the change that failed has told nobody


def test_the_admin_api_does_the_same_for_who_may(model: FakeModel, tmp_path: Path) -> None:
    database = str(tmp_path / "gate.db")
    in_store(database, lambda store: store.push("moving", policy(), "0" * 64, "test"))
    keys = {role: admin(database, role) for role in (Role.POLICY_EDITOR, Role.OPERATOR)}
    with followed(model.url, policy="store:moving", database=database, admin=True, allow_anonymous=True) as proxy:
        first = digest(proxy)

        def call(method: str, path: str, role: Role = Role.POLICY_EDITOR, **body: Any) -> Any:
            headers = {"authorization": f"Bearer {keys[role]}"}
            reply = proxy.client.request(method, f"{proxy.root}/admin/v1/policies{path}", headers=headers, json=body or None)
            return reply.status_code, reply.json()

        assert call("POST", "", Role.OPERATOR, text=policy(mask="<two>"))[0] == 403
        status, refused = call("POST", "", text=policy().replace("do: block", "do: blck"))
        assert (status, refused["error"]["code"]) == (400, "invalid_policy")
        assert "text:4:62: rules.asked.do" in refused["error"]["message"]
        status, made = call("POST", "", text=policy(mask="<two>"), message="why")
        assert (status, made["version"], made["active"], made["author"][:6]) == (201, 2, True, "admin:")
        until(lambda: digest(proxy) == made["digest"])
        status, listed = call("GET", "/moving", Role.OPERATOR)
        assert [(one["version"], one["active"]) for one in listed["data"]] == [(2, True), (1, False)]
        status, different = call("GET", "/moving/diff?before=1&after=2")
        assert [one["place"] for one in different["data"]] == ["rules.said.mask"]
        assert call("GET", "/moving/versions/2")[1]["text"] == policy(mask="<two>")
        assert call("GET", "/other")[0] == 404
        assert call("POST", "/moving/rollback", version=None)[1]["version"] == 1
        until(lambda: digest(proxy) == first)
        assert call("POST", "/moving/rollback", version=None)[0] == 409
        assert call("POST", "/moving/activate", version=2)[1]["active"] is True


VERBS: list[tuple[str, str, dict[str, Any], bool, int]] = [
    ("GET", "", {}, False, 200),
    ("GET", "/moving", {}, False, 200),
    ("GET", "/moving/versions/0", {}, False, 200),
    ("GET", "/moving/versions/7", {}, False, 404),
    ("GET", "/other", {}, False, 404),
    ("GET", "/other/diff", {}, False, 404),
    ("GET", "/moving/diff", {}, False, 409),
    ("GET", "/moving/diff?before=1&after=7", {}, False, 404),
    ("POST", "", {"text": policy(mask="<two>"), "activate": False}, True, 201),
    ("POST", "", {"text": policy(tests="tests:\n  - {on: prompt, text: hello, expect: block}\n")}, True, 400),
    ("POST", "", {"text": "rules: {"}, True, 400),
    ("POST", "", {}, True, 400),
    ("POST", "/moving/activate", {"version": 1}, True, 200),
    ("POST", "/moving/activate", {"version": 7}, True, 404),
    ("POST", "/moving/activate", {"version": 0}, True, 400),
    ("POST", "/other/rollback", {"version": 1}, True, 404),
    ("POST", "/moving/rollback", {"version": 1}, True, 200),
]


def test_every_verb_asks_for_the_role_that_it_needs(model: FakeModel, tmp_path: Path) -> None:
    database = str(tmp_path / "gate.db")
    in_store(database, lambda store: store.push("moving", policy(), "0" * 64, "test"))
    keys = {role: admin(database, role) for role in Role}
    with followed(model.url, policy="store:moving", database=database, admin=True, allow_anonymous=True) as proxy:
        for method, path, body, writes, wanted in VERBS:
            where = f"{proxy.root}/admin/v1/policies{path}"
            sent: dict[str, Any] = {"json": body} if method == "POST" else {}
            assert proxy.client.request(method, where, **sent).status_code == 401, path
            for role, key in keys.items():
                may = not writes or role is Role.POLICY_EDITOR
                reply = proxy.client.request(method, where, headers={"authorization": f"Bearer {key}"}, **sent)
                assert reply.status_code == (wanted if may else 403), (path, body, role, reply.text)
                if may and "tests:" in str(body):
                    assert "text:7:5: tests[0]: its own test on prompt" in reply.json()["error"]["message"]


def admin(database: str, role: Role) -> str:
    key = new_key(admin=True)
    held = AdminKey(key.id, Hashing().hash(key.text), created=1, role=role)

    async def made() -> None:
        where = place(database)
        assert where is not None
        opened = Database(where)
        await KeyStore(opened).add_admin(held, "test")
        await opened.aclose()

    asyncio.run(made())
    return key.text
