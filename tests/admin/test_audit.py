"""The ledger over the admin API: who may ask, what is told in which pages, and that a look at a text is on record."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import delete, update

from proxy.access.keys import Key
from proxy.access.roles import Role
from proxy.app import create
from proxy.records.audit import MemorySink
from proxy.records.ledger import ledger_of
from proxy.records.textstore import TextStore
from proxy.settings import Settings
from proxy.state.database import Database
from proxy.state.place import place
from proxy.state.tables import LEDGER
from proxy.telemetry.metrics import Metrics
from proxy.upstream.vllm import VLLM, UpstreamSettings
from tests.access.own import REFRESH, Keys, wait_until
from tests.fake_model import FakeModel, fake_model
from tests.records.databases import prepared
from tests.records.test_texts import KEY
from tests.services import Postgres
from tests.stack import Stack, policy_of, serving

POLICY = """
name: keeps
record: {texts: all, channels: [prompt, answer], keep: 30d, key_env: TEXTS_KEY}
rules:
  word: {use: patterns, on: [prompt, answer], words: [kumquat], do: block}
"""


class Office:
    """A server whose ledger is in a database, and administrators of each role."""

    def __init__(self, running: Stack, keys: Keys, folder: Path) -> None:
        self.running, self.folder, self.address = running, folder, keys.address
        self.keys = {role: keys.admin(role) for role in Role}
        self.caller = keys.key()
        wait_until(lambda: all(self.get("/whoami", key=key).status_code == 200 for key in self.keys.values()))
        wait_until(lambda: self.ask("hello").status_code == 200)

    def get(self, path: str, key: Key | None = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {(key or self.keys[Role.AUDITOR]).text}"}
        return self.running.client.get(f"{self.running.root}/admin/v1{path}", headers=headers)

    def post(self, path: str, body: Any, key: Key | None = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {(key or self.keys[Role.OPERATOR]).text}"}
        return self.running.client.post(f"{self.running.root}/admin/v1{path}", json=body, headers=headers)

    def ask(self, prompt: str) -> httpx.Response:
        body = {"model": "m", "messages": [{"role": "user", "content": prompt}]}
        headers = {"authorization": f"Bearer {self.caller.text}"}
        return self.running.client.post(f"{self.running.url}/chat/completions", json=body, headers=headers)

    def said(self, prompt: str) -> str:
        """Asks, waits until that is in the database, and gives the exchange's id."""
        name = str(self.ask(prompt).headers["x-request-id"])
        wait_until(lambda: any(one["outcome"] != "unfinished" for one in self.shown(f"id={name}")))
        return name

    def shown(self, query: str = "") -> list[dict[str, Any]]:
        answer = self.get(f"/audit/exchanges?{query}")
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])

    def change(self, statement: Any) -> None:
        """Somebody lays hands on the database."""
        found = place(self.address)
        assert found is not None

        async def work() -> None:
            database = Database(found)
            async with database.writing() as connection:
                await connection.execute(statement)
            await database.aclose()

        asyncio.run(work())


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with fake_model(script="scenes: [{think: 'Hm.', say: 'Hello.'}]") as running:
        yield running


@pytest.fixture(params=["embedded", "postgres"])
def office(request: pytest.FixtureRequest, model: FakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    embedded = request.param == "embedded"
    address = str(tmp_path / "gate.db") if embedded else prepared(request.getfixturevalue("postgres_server"))
    monkeypatch.setenv("TEXTS_KEY", KEY)
    chosen = Settings(
        audit=str(tmp_path / "audit.jsonl"),
        audit_ship="database",
        audit_ship_texts=True,
        database=address,
        admin=True,
        keys_refresh_seconds=REFRESH,
    )
    keys, metrics = Keys(address), Metrics()
    keys.admin(Role.OPERATOR)
    upstream = VLLM(UpstreamSettings(model.url, retries=0))
    built = create(chosen, policy_of(POLICY), upstream, audit=ledger_of(chosen), metrics=metrics)
    with serving(built, MemorySink(), metrics) as running:
        yield Office(running, keys, tmp_path)


def test_exchanges_are_found_by_every_filter_and_in_pages(office: Office) -> None:
    names = [office.said(text) for text in ("one", "two", "kumquat", "three")]
    told = office.shown("outcome=answered&outcome=prompt_blocked&limit=4")
    assert [one["id"] for one in told] == names[::-1]
    assert told[0]["closed_at"] >= told[0]["at"]
    blocked = names[2]
    begun = told[1]["at"]
    for query in (
        "outcome=prompt_blocked",
        "rule=word",
        "action=block&channel=prompt",
        f"id={blocked}",
        f"since={quote(begun)}&until={quote(told[0]['at'])}",
        f"key={office.caller.id}&tenant=default&policy=keeps&rule=word",
    ):
        assert [one["id"] for one in office.shown(query)] == [blocked], query
    for query in ("tenant=nobody", "since=0s", "until=9000d", f"id={blocked}&policy=other"):
        assert office.shown(query) == [], query
    seen, after = list[str](), ""
    while True:
        page = office.get(f"/audit/exchanges?outcome=answered&limit=1&next={after}").json()
        seen += [one["id"] for one in page["data"]]
        assert len(page["data"]) <= 1
        after = page["next"]
        if after is None:
            break
    assert [name for name in seen if name in names] == [names[3], names[1], names[0]]
    assert len(seen) == len(set(seen))


def test_the_chain_is_proven_in_pages_and_a_hand_in_it_is_found(office: Office) -> None:
    names = [office.said("hello") for _ in range(5)]

    def proof() -> tuple[int, list[tuple[str, int]]]:
        lines, faults, after = 0, list[tuple[str, int]](), ""
        while True:
            page = office.get(f"/audit/verify?limit=4&next={after}").json()
            assert page["proven"] == (not page["faults"])
            lines += page["lines"]
            faults += [(one["kind"], one["line"]) for one in page["faults"]]
            after = page["next"]
            if after is None:
                return lines, faults

    lines, faults = proof()
    assert (lines >= 11, faults) == (True, [])
    second = LEDGER.c.exchange == names[1]
    office.change(delete(LEDGER).where(second, LEDGER.c.event == "closed"))
    assert [kind for kind, _ in proof()[1]] == ["missing"]
    office.change(update(LEDGER).where(second).values(line="{}"))
    assert "foreign" in [kind for kind, _ in proof()[1]]


def test_a_text_is_read_by_auditors_only_and_every_look_is_on_record(office: Office) -> None:
    name = office.said("my MAGIC words")
    wait_until(lambda: office.get(f"/audit/texts/{name}").status_code == 200)
    told = office.get(f"/audit/texts/{name}").json()
    assert told["texts"]["prompt"]["texts"][0]["text"] == "my MAGIC words"

    def looks() -> list[dict[str, Any]]:
        return [one for one in office.shown("limit=200") if one.get("action") == "texts.read"]

    wait_until(lambda: len(looks()) == 2)
    assert {(one["who"], one["role"], one["target"]) for one in looks()} == {(office.keys[Role.AUDITOR].id, "auditor", name)}
    assert office.get("/audit/texts/exc-none").status_code == 404
    for path in (f"/audit/texts/{name}", "/audit/exchanges", "/audit/verify"):
        statuses = {role: office.get(path, key).status_code for role, key in office.keys.items()}
        assert statuses == {**dict.fromkeys(Role, 403), Role.AUDITOR: 200}, path
        assert office.running.client.get(f"{office.running.root}/admin/v1{path}").status_code == 401
        refused = office.running.client.get(
            f"{office.running.root}/admin/v1{path}", headers={"authorization": f"Bearer {office.caller.text}"}
        )
        assert refused.status_code == 401
    assert "MAGIC" not in str(office.shown("limit=200"))


def test_operators_erase_and_cannot_read(office: Office) -> None:
    name, other = office.said("one"), office.said("two")
    wait_until(lambda: office.get(f"/audit/texts/{other}").status_code == 200)
    statuses = {role: office.post("/audit/erase", {"ids": [name]}, key).status_code for role, key in office.keys.items()}
    assert statuses == {**dict.fromkeys(Role, 403), Role.OPERATOR: 200}
    assert office.get(f"/audit/texts/{name}").status_code == 404
    assert office.get(f"/audit/texts/{other}").status_code == 200
    store = TextStore(office.folder / "texts")
    wait_until(lambda: name not in {kept.id for kept in store.all()})
    assert other in {kept.id for kept in store.all()}
    done = office.post("/audit/erase", {"before": "0s"}).json()
    assert done["complete"]
    assert office.get(f"/audit/texts/{other}").status_code == 404
    wait_until(lambda: not list(store.all()))
    wait_until(lambda: len([one for one in office.shown("limit=200") if one.get("action") == "texts.erase"]) == 2)
    for body in ({}, {"before": "soon"}, {"ids": ["a"] * 201}, {"ids": ["a\0"]}, {"id": "a"}):
        assert office.post("/audit/erase", body).status_code == 400, body


WRONG = (
    "limit=0",
    "limit=201",
    "since=soon",
    "since=99999999999d",
    "until=0001-01-01T00:00%2B14:00",
    "next=x",
    "next=WyJhIiwxLDFd",
    "id=%00&id=a",
)


def test_what_cannot_be_asked_is_told(office: Office) -> None:
    for query in WRONG:
        answer = office.get(f"/audit/exchanges?{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_value"), answer.text


def test_without_a_shared_ledger_that_is_told(model: FakeModel, tmp_path: Path) -> None:
    keys = Keys(str(tmp_path / "gate.db"))
    auditor = keys.admin(Role.AUDITOR)
    chosen = Settings(audit="off", database=keys.address, admin=True, keys_refresh_seconds=REFRESH)
    metrics = Metrics()
    built = create(chosen, policy_of("name: open\nguards_nothing: true\n"), VLLM(UpstreamSettings(model.url)), metrics=metrics)
    with serving(built, MemorySink(), metrics) as running:
        for path in ("exchanges", "verify", "texts/a"):
            where = f"{running.root}/admin/v1/audit/{path}"
            headers = {"authorization": f"Bearer {auditor.text}"}
            wait_until(lambda: running.client.get(where, headers=headers).status_code == 409)  # noqa: B023  # waited for here


def test_a_database_that_is_gone_is_told(server: Postgres, model: FakeModel, tmp_path: Path) -> None:
    keys, metrics = Keys(prepared(server)), Metrics()
    auditor = keys.admin(Role.AUDITOR)
    where = str(tmp_path / "audit.jsonl")
    chosen = Settings(audit=where, audit_ship="database", database=keys.address, admin=True, keys_refresh_seconds=REFRESH)
    upstream = VLLM(UpstreamSettings(model.url))
    built = create(chosen, policy_of("name: open\nguards_nothing: true\n"), upstream, audit=ledger_of(chosen), metrics=metrics)
    with serving(built, MemorySink(), metrics) as running:
        asked = f"{running.root}/admin/v1/audit/exchanges"
        headers = {"authorization": f"Bearer {auditor.text}"}
        wait_until(lambda: running.client.get(asked, headers=headers).status_code == 200)
        server.kill()
        answer = running.client.get(asked, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "database_unavailable")
