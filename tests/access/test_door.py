"""Keys at the door of a real server, with the openai SDK, on both databases."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import openai
import pytest

from proxy.access import sources
from proxy.access.caller import Limits
from proxy.access.keys import Hashing, new_key
from tests.access.own import POLICY, REFRESH, Keys, wait_until
from tests.fake_model import FakeModel, fake_model
from tests.stack import Stack, stack

SCRIPT = "scenes: [{think: 'Hm.', say: 'Hello.'}]"
HELLO: Any = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with fake_model(script=SCRIPT) as running:
        yield running


@pytest.fixture(params=["embedded", "postgres"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Keys:
    """An empty database."""
    if request.param == "embedded":
        return Keys(str(tmp_path / "gate.db"))
    made = Keys(request.getfixturevalue("postgres_server").database())
    made.do(lambda store: store.tenants())
    return made


@pytest.fixture
def guarded(model: FakeModel, keys: Keys) -> Iterator[Stack]:
    """A proxy that knows this database."""
    with stack(POLICY, model.url, database=keys.address, keys_refresh_seconds=REFRESH) as running:
        yield running


@pytest.fixture
def local(model: FakeModel, tmp_path: Path) -> Iterator[tuple[Stack, Keys]]:
    """The same with an embedded database only."""
    keys = Keys(str(tmp_path / "gate.db"))
    with stack(POLICY, model.url, database=keys.address, keys_refresh_seconds=REFRESH) as running:
        yield running, keys


def sdk(running: Stack, key: str) -> openai.OpenAI:
    client: Any = running.client  # the SDK takes httpx's clients, its types name its own
    return openai.OpenAI(base_url=running.url, api_key=key, max_retries=0, http_client=client)


def sent(running: Stack, headers: dict[str, str]) -> httpx.Response:
    return running.post({"messages": HELLO}, headers=headers)


def ask(running: Stack, key: str, **headers: str) -> httpx.Response:
    return sent(running, {"authorization": f"Bearer {key}", **headers})


def opens(running: Stack, key: str) -> Callable[[], bool]:
    return lambda: ask(running, key).status_code == 200


def shut(running: Stack, key: str) -> Callable[[], bool]:
    return lambda: ask(running, key).status_code == 401


def wait_for(running: Stack, *keys: str) -> None:
    """Until the door is shut, and knows these."""
    wait_until(shut(running, "sk-none"))
    for key in keys:
        wait_until(lambda key=key: ask(running, key).status_code != 401)  # type: ignore[misc]  # bound now


def test_the_first_key_shuts_the_door_of_a_server_that_runs(guarded: Stack, keys: Keys) -> None:
    assert guarded.ask("hello").status_code == 200
    key = keys.key(name="first")
    wait_until(shut(guarded, "sk-none"))
    assert ask(guarded, key.text).status_code == 200
    assert guarded.client.get(f"{guarded.url}/models").status_code == 401
    assert guarded.client.post(f"{guarded.url}/moderations", json={"input": "x"}).status_code == 401


def test_the_sdk_with_a_key_and_without(guarded: Stack, keys: Keys) -> None:
    keys.tenant("acme")
    key = keys.key(tenant="acme", name="ci")
    wait_until(shut(guarded, "sk-none"))
    reply = sdk(guarded, key.text).chat.completions.create(model="deepseek-r1", messages=HELLO)
    assert reply.choices[0].message.content == "Hello."
    opened = [record for record in guarded.sink.records if record["event"] == "opened"][-1]
    assert (opened["tenant"], opened["key"]) == ("acme", key.id)
    assert key.text not in str(guarded.sink.records)
    for wrong in ("sk-none", key.text[:-1], key.text + "x", new_key().text):
        with pytest.raises(openai.AuthenticationError) as caught:
            sdk(guarded, wrong).chat.completions.create(model="deepseek-r1", messages=HELLO)
        assert caught.value.code == "invalid_api_key"
        assert caught.value.response.headers["www-authenticate"] == "Bearer"
    streamed = sdk(guarded, key.text).chat.completions.create(model="deepseek-r1", messages=HELLO, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices) == "Hello."


def test_azures_header_is_heard_too(local: tuple[Stack, Keys]) -> None:
    running, keys = local
    key = keys.key()
    wait_until(shut(running, "sk-none"))
    for name in ("api-key", "x-api-key"):
        assert sent(running, {name: key.text}).status_code == 200
        assert sent(running, {name: "sk-none"}).status_code == 401
    assert sent(running, {"authorization": f"Basic {key.text}"}).status_code == 401
    assert sent(running, {"authorization": "Bearer", "api-key": key.text}).status_code == 401


def test_a_key_is_revoked_while_it_is_in_use(guarded: Stack, keys: Keys) -> None:
    key, other = keys.key(), keys.key()
    wait_for(guarded, key.text, other.text)
    stop, last_let_in, answers = Event(), [0.0], list[int]()

    def load() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not stop.is_set():
                began = time.monotonic()
                body = {"model": "deepseek-r1", "messages": HELLO}
                answer = client.post(
                    f"{guarded.url}/chat/completions", json=body, headers={"authorization": f"Bearer {key.text}"}
                )
                answers.append(answer.status_code)
                if answer.status_code == 200:
                    last_let_in[0] = max(last_let_in[0], began)

    threads = [Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) > 10)
    keys.revoke(key)
    revoked = time.monotonic()
    wait_until(lambda: answers[-20:] == [401] * 20)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {200, 401}
    assert last_let_in[0] - revoked < 1 + REFRESH
    assert ask(guarded, other.text).status_code == 200


def test_a_database_that_is_put_back_from_a_copy_is_what_counts(local: tuple[Stack, Keys], tmp_path: Path) -> None:
    """Its file is another one then, though its name is the same."""
    running, keys = local
    key, other = keys.key(), keys.key()
    wait_for(running, key.text)
    wait_for(running, other.text)
    with closing(sqlite3.connect(keys.address)) as before, closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        before.backup(copy)
    for name in ("gate.db", "gate.db-wal", "gate.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    age = 'sluicegate_keys_age_seconds{source="database"} '
    wait_until(lambda: float(running.client.get(f"{running.root}/metrics").text.partition(age)[2].partition("\n")[0]) > 0.3)
    assert ask(running, key.text).status_code == 200
    assert not (tmp_path / "gate.db").exists()
    (tmp_path / "copy.db").rename(tmp_path / "gate.db")
    keys.revoke(key)
    wait_until(shut(running, key.text))
    assert ask(running, other.text).status_code == 200


def test_that_a_key_expired_is_told_to_its_holder_alone(local: tuple[Stack, Keys]) -> None:
    running, keys = local
    key = keys.key(expires=int(time.time()) - 5)
    wait_until(shut(running, "sk-none"))
    told = ask(running, key.text)
    assert told.status_code == 401
    assert told.json()["error"]["message"] == "The API key has expired."
    assert told.json()["error"]["code"] == "invalid_api_key"
    guess = ask(running, key.text[:-2] + "xx").json()["error"]
    assert guess == ask(running, new_key().text).json()["error"]
    assert guess["message"] == "The API key is missing or wrong."


def test_a_key_expires_without_anybody_doing_anything(local: tuple[Stack, Keys]) -> None:
    running, keys = local
    key = keys.key(expires=int(time.time()) + 3)
    wait_for(running, key.text)
    wait_until(shut(running, key.text))


def test_two_secrets_open_while_a_key_is_rotated(guarded: Stack, keys: Keys) -> None:
    old = keys.key()
    wait_until(shut(guarded, "sk-none"))
    new = keys.rotate(old, overlap=3600)
    wait_until(opens(guarded, new.text))
    assert ask(guarded, old.text).status_code == 200
    last = keys.rotate(old, overlap=0)
    wait_until(opens(guarded, last.text))
    assert ask(guarded, new.text).status_code == 401
    assert ask(guarded, old.text).status_code == 401


def test_a_key_opens_the_models_that_it_may_use(local: tuple[Stack, Keys]) -> None:
    running, keys = local
    key, none = keys.key(routes=("deepseek-r1",)), keys.key(routes=("other",))
    wait_for(running, key.text, none.text)
    refused = ask(running, none.text)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "model_not_allowed"
    assert refused.json()["error"]["type"] == "permission_error"
    with pytest.raises(openai.PermissionDeniedError):
        sdk(running, none.text).chat.completions.create(model="deepseek-r1", messages=HELLO)
    assert [one.id for one in sdk(running, key.text).models.list()] == ["deepseek-r1"]
    assert list(sdk(running, none.text).models.list()) == []


def test_a_key_is_judged_by_its_policy_and_picks_among_its_own(local: tuple[Stack, Keys]) -> None:
    running, keys = local
    plain, bound = keys.key(), keys.key(policies=("observe", "plain"))
    wait_for(running, plain.text, bound.text)
    assert ask(running, plain.text).headers["x-sluicegate-policy"] == "plain"
    assert ask(running, bound.text).headers["x-sluicegate-policy"] == "observe"
    assert ask(running, bound.text, **{"x-sluicegate-policy": "plain"}).headers["x-sluicegate-policy"] == "plain"
    assert ask(running, plain.text, **{"x-sluicegate-policy": "plain"}).status_code == 200
    for key, wanted in ((plain, "observe"), (bound, "strict"), (bound, "nothing-like-it")):
        refused = ask(running, key.text, **{"x-sluicegate-policy": wanted})
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "policy_not_allowed"
    opened = [record for record in running.sink.records if record["event"] == "opened"]
    assert {record["policy"] for record in opened if record.get("key") == bound.id} == {"observe", "plain"}


def test_a_policy_that_is_not_there_is_replaced_by_no_other(local: tuple[Stack, Keys]) -> None:
    running, keys = local
    key = keys.key(policies=("gone",))
    wait_until(lambda: ask(running, key.text).status_code == 503)
    assert ask(running, key.text).json()["error"]["code"] == "policy_unavailable"


def test_the_last_snapshot_of_limits_is_what_a_caller_has(local: tuple[Stack, Keys]) -> None:
    running, keys = local
    keys.tenant("acme", Limits(streams=7))
    key = keys.key(tenant="acme", limits=Limits(requests_per_minute=5))
    wait_until(shut(running, "sk-none"))
    assert ask(running, key.text).status_code == 200


def test_a_key_of_the_settings_goes_on_beside_keys(model: FakeModel, tmp_path: Path) -> None:
    keys = Keys(str(tmp_path / "gate.db"))
    key = keys.key()
    with stack(POLICY, model.url, database=keys.address, api_key="shared-secret") as running:
        assert ask(running, "shared-secret").status_code == 200
        assert sent(running, {"api-key": "shared-secret"}).status_code == 200
        assert sent(running, {"x-api-key": "another"}).status_code == 401
        assert ask(running, key.text).status_code == 200
        assert ask(running, "sk-none").status_code == 401


def test_required_keys_are_asked_for_before_there_is_one(model: FakeModel, tmp_path: Path) -> None:
    with stack(POLICY, model.url, database=str(tmp_path / "gate.db"), keys="required") as running:
        assert running.ask("hello").status_code == 401
        assert not (tmp_path / "gate.db").exists()


def test_keys_from_a_file_are_read_again_and_a_mistake_keeps_the_last_good(
    model: FakeModel, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = logging.Logger("own")
    own.addHandler(caplog.handler)
    monkeypatch.setattr(sources, "log", own)
    one, other = new_key(), new_key()
    file = tmp_path / "keys.yaml"

    def write(text: str) -> None:
        (tmp_path / "new").write_text(text, "utf-8")
        (tmp_path / "new").rename(file)

    write(f"keys: {{{one.id}: {{hash: '{Hashing().hash(one.text)}'}}}}")
    with stack(POLICY, model.url, database="", keys_file=str(file), keys_refresh_seconds=REFRESH) as running:
        assert ask(running, one.text).status_code == 200
        assert ask(running, other.text).status_code == 401
        write("keys: {x: y}")
        write(f"keys: {{{other.id}: {{hash: '{Hashing().hash(other.text)}'}}}}")
        wait_until(opens(running, other.text))
        assert ask(running, one.text).status_code == 401
        caplog.clear()
        write("keys: {x: y}")
        wait_until(lambda: any("is not taken in" in message for message in caplog.messages))
        assert ask(running, other.text).status_code == 200


def test_whom_the_door_refused_is_counted(local: tuple[Stack, Keys]) -> None:
    running, keys = local
    key = keys.key()
    wait_until(shut(running, "sk-none"))
    running.ask("hello")
    ask(running, key.text, **{"x-sluicegate-policy": "observe"})
    page = running.client.get(f"{running.root}/metrics").text
    for line in (
        'keys_refused_total{reason="unknown"}',
        'keys_refused_total{reason="missing"} 1.0',
        'keys_refused_total{reason="policy"} 1.0',
    ):
        assert f"sluicegate_{line}" in page
    assert 'sluicegate_keys{source="database"} 1.0' in page
    assert 'sluicegate_keys_age_seconds{source="database"}' in page
    assert key.id not in page
