"""Sealed texts in the database: there once, gone everywhere when one erases them, and found from anywhere."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from proxy.app import create
from proxy.cli.main import app
from proxy.records.archive import Archive, Whose
from proxy.records.audit import MemorySink
from proxy.records.erasures import Erasure, asked
from proxy.records.ledger import ledger_of, send_last, shipper_of
from proxy.records.shared_texts import SharedTexts
from proxy.records.ship_texts import TextShipper
from proxy.records.textspool import TextFollower
from proxy.records.textstore import Kept, TextStore
from proxy.records.verify import verify
from proxy.settings import Settings
from proxy.state.database import Database
from proxy.state.migrate import upgrade
from proxy.state.tables import ERASURES, TEXTS
from proxy.telemetry.metrics import Metrics
from proxy.upstream.vllm import VLLM, UpstreamSettings
from tests.fake_model import fake_model
from tests.records.databases import database_of, prepared, wait_until
from tests.records.test_ship import SCENES
from tests.records.test_texts import ALL, ENVIRON, KEY, copies
from tests.services import Postgres
from tests.stack import Stack, policy_of, serving

Done = TypeVar("Done")
POLICY = "name: keeps\nguards_nothing: true\nrecord: {texts: all, channels: [prompt, answer], keep: 30d, key_env: TEXTS_KEY}\n"


class Replica:
    """A folder of texts on a machine of its own, and who sends them."""

    def __init__(self, folder: Path, address: str, *, send: bool = True) -> None:
        folder.mkdir(exist_ok=True)
        self.archive = Archive(folder / "texts", ENVIRON)
        self.store = TextStore(folder / "texts")
        self.mark = folder / "mark"
        self._address, self._send = address, send
        self.database = database_of(address)
        self.shipper = TextShipper(self.store, self.mark, self.database, send=send)

    def keep(self, name: str, tenant: str = "", text: str = "a secret") -> None:
        self.archive.keep(Whose(name, "default", tenant), copies(ALL, prompt=text), flagged=False)

    def anew(self) -> None:
        """As after a start."""
        self.shipper = TextShipper(self.store, self.mark, self.database, send=self._send)

    async def sent(self) -> None:
        while await self.shipper.once():
            pass

    @property
    def ids(self) -> list[str]:
        return [kept.id for kept in self.store.all()]


async def in_table(database: Database) -> list[str]:
    return sorted(json.loads(line)["id"] for line in [each async for each in SharedTexts(database).all()])


def on(address: str, work: Callable[[Database], Awaitable[Done]]) -> Done:
    async def opened() -> Done:
        database = database_of(address)
        try:
            await upgrade(database)
            return await work(database)
        finally:
            await database.aclose()

    return asyncio.run(opened())


def test_texts_are_there_once_though_sent_twice(tmp_path: Path, address: str) -> None:
    on(address, upgrade)

    async def work() -> None:
        one = Replica(tmp_path / "one", address)
        for number in range(20):
            one.keep(f"exc-{number:02}")
        await one.sent()
        assert TextFollower(one.store, one.mark).waiting() == 0
        one.keep("exc-20")
        assert TextFollower(one.store, one.mark).waiting() > 0
        one.mark.unlink()  # as if it had been killed before it could remember
        one.anew()
        await one.sent()
        assert await in_table(one.database) == one.ids == [f"exc-{number:02}" for number in range(21)]
        kept = await SharedTexts(one.database).find("exc-07")
        assert kept is not None
        assert one.archive.open(kept, "TEXTS_KEY")["prompt"]["texts"] == [{"place": "here", "text": "a secret"}]
        assert await SharedTexts(one.database).find("exc-99") is None
        await one.database.aclose()

    asyncio.run(work())


def test_a_folder_that_was_emptied_is_read_from_its_beginning(tmp_path: Path, address: str) -> None:
    on(address, upgrade)

    async def work() -> None:
        one = Replica(tmp_path / "one", address)
        for name in "abc":
            one.keep(name)
        await one.sent()
        for file in one.store.files():
            file.unlink()
        one.keep("d")
        assert TextFollower(one.store, one.mark).waiting() > 0
        await one.sent()
        assert await in_table(one.database) == ["a", "b", "c", "d"]
        await one.database.aclose()

    asyncio.run(work())


def test_an_erasure_is_honoured_by_all_and_by_what_comes_later(tmp_path: Path, address: str) -> None:
    on(address, upgrade)

    async def work() -> None:
        one, other, bare = (Replica(tmp_path / name, address, send=name != "bare") for name in ("one", "other", "bare"))
        for replica, ids in ((one, "ab"), (other, "cd"), (bare, "ef")):
            for name, tenant in zip(ids, ("red", "blue"), strict=True):
                replica.keep(name, tenant)
        await one.sent()
        await bare.sent()  # the other one waits on its disk
        assert await in_table(one.database) == ["a", "b"]
        shared, now = SharedTexts(one.database), time.time()
        assert await shared.erase(asked((), ("red",), None, now), "test", now) == (1, True)
        assert await shared.erase([Erasure("late")], "test", now) == (0, True)
        other.keep("late", "blue")  # its exchange was running
        other.keep("g", "red")  # what the tenant says later is not meant
        for replica in (one, other, bare):
            await replica.sent()
        assert (one.ids, other.ids, bare.ids) == (["b"], ["d", "g"], ["f"])
        assert await in_table(one.database) == ["b", "d", "g"]
        for replica in (one, other, bare):
            await replica.database.aclose()

    asyncio.run(work())


def test_texts_that_come_back_from_a_backup_go_again(tmp_path: Path, address: str) -> None:
    on(address, upgrade)

    async def work() -> None:
        one = Replica(tmp_path / "one", address)
        one.keep("a", "red")
        (file,) = one.store.files()
        backup = file.read_bytes()
        await one.sent()
        await SharedTexts(one.database).erase([Erasure("a")], "test", time.time())
        await one.sent()
        assert one.ids == []
        file.write_bytes(backup)
        one.anew()
        await one.sent()
        assert (one.ids, await in_table(one.database)) == ([], [])
        await one.database.aclose()

    asyncio.run(work())


def test_texts_go_from_the_database_when_their_time_is_over(tmp_path: Path, address: str) -> None:
    on(address, upgrade)

    async def work() -> None:
        one = Replica(tmp_path / "one", address)
        one.keep("a")
        await one.sent()
        shared, (kept,) = SharedTexts(one.database), list(one.store.all())
        assert await shared.expire(kept.until - 1) == 0
        assert await shared.expire(kept.until) == 1
        assert await in_table(one.database) == []
        await one.database.aclose()

    asyncio.run(work())


def test_who_erases_while_others_send_misses_nothing(tmp_path: Path, server: Postgres) -> None:
    """Either the text is there and is erased, or it is on the way and does not arrive."""
    address = prepared(server)

    async def work() -> None:
        replicas = [Replica(tmp_path / str(number), address) for number in range(3)]
        for number, replica in enumerate(replicas):
            for each in range(30):
                replica.keep(f"{number}-{each}")

        async def erasing() -> None:
            database = database_of(address)
            for each in range(30):
                await SharedTexts(database).erase([Erasure(f"{number}-{each}") for number in range(3)], "test", time.time())
            await database.aclose()

        await asyncio.gather(erasing(), *(replica.sent() for replica in replicas))
        assert await in_table(replicas[0].database) == []
        for replica in replicas:
            await replica.sent()
            assert replica.ids == []
            await replica.database.aclose()

    asyncio.run(work())


@contextmanager
def proxy_with(database: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **more: Any) -> Iterator[Stack]:
    monkeypatch.setenv("TEXTS_KEY", KEY)
    folder.mkdir(exist_ok=True)
    chosen = Settings(audit=str(folder / "audit.jsonl"), audit_ship="database", audit_ship_texts=True, database=database, **more)
    with fake_model(scenes=SCENES) as model:
        upstream, metrics = VLLM(UpstreamSettings(model.url, retries=0)), Metrics()
        built = create(chosen, policy_of(POLICY), upstream, audit=ledger_of(chosen), metrics=metrics)
        with serving(built, MemorySink(), metrics) as proxy:
            yield proxy


def audit(folder: Path, database: str, *words: str) -> Result:
    """The command, on a machine that has nothing but the address of the database."""
    folder.mkdir(exist_ok=True)
    environ = {"AUDIT": str(folder / "audit.jsonl"), "AUDIT_SHIP": "database", "DATABASE": database, "AUDIT_SHIP_TEXTS": "true"}
    every = {f"SLUICEGATE_{name}": value for name, value in environ.items()} | {"TEXTS_KEY": KEY, "COLUMNS": "200"}
    return CliRunner().invoke(app, ["audit", *words], env=every)


def counted(address: str, table: Any) -> int:
    async def read(database: Database) -> int:
        async with database.reading() as connection:
            return int(await connection.scalar(select(func.count()).select_from(table)) or 0)

    return on(address, read)


def metric(proxy: Stack, series: str) -> float:
    page = proxy.client.get(f"{proxy.root}/metrics").text
    return float(page.partition(f"\nsluicegate_{series} ")[2].partition("\n")[0])


def test_a_database_killed_in_between_loses_no_text_and_brings_back_none(
    tmp_path: Path,
    server: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, one, desk = prepared(server), tmp_path / "one", tmp_path / "desk"
    with proxy_with(address, one, monkeypatch) as proxy, ThreadPoolExecutor(4) as pool:
        first = proxy.ask("first").headers["x-request-id"]
        wait_until(lambda: counted(address, TEXTS) == 1)
        assert json.loads(audit(desk, address, "text", first, "--key-env", "TEXTS_KEY", "--json").stdout)["id"] == first
        server.kill()
        asked_ids = [pool.submit(lambda: proxy.ask("hello").headers["x-request-id"]) for _ in range(40)]
        ids = [each.result() for each in asked_ids]
        wait_until(lambda: metric(proxy, 'ledger_waiting{unit="text_bytes"}') > 1000)
        refused = audit(desk, address, "erase", "--id", ids[0])
        assert (refused.exit_code, "nothing was erased" in refused.stderr) == (1, True)
        server.start()
        done = audit(desk, address, "erase", "--id", ids[0], "--id", first)  # perhaps before the one has arrived
        assert done.exit_code == 0, done.stderr
        wait_until(lambda: counted(address, TEXTS) == 39 and metric(proxy, 'ledger_waiting{unit="text_bytes"}') == 0)
        store = TextStore(one / "texts")
        wait_until(lambda: len(list(store.all())) == 39)
        assert not {first, ids[0]} & {kept.id for kept in store.all()}
        gone = audit(desk, address, "text", first, "--key-env", "TEXTS_KEY")
        assert (gone.exit_code, "or they were erased" in gone.stderr) == (1, True)
    assert counted(address, ERASURES) == 2
    exported = audit(desk, address, "export", "--texts", str(tmp_path / "exported"))
    (tmp_path / "all.jsonl").write_text(exported.stdout, "utf-8")
    assert {kept.id for kept in TextStore(tmp_path / "exported").all()} == set(ids[1:])
    proof = audit(desk, address, "verify", str(tmp_path / "all.jsonl"), "--texts", str(tmp_path / "exported"))
    assert (proof.exit_code, "texts of 39 exchanges are as they were sealed" in proof.stdout) == (0, True), proof.stdout
    assert verify([one / "audit.jsonl"]).proven
    told = [json.loads(line) for line in exported.stdout.splitlines()]
    assert [line["action"] for line in told if line["event"] == "administered"].count("texts.erase") >= 1  # sent from the desk


def test_where_nothing_may_wait_no_exchange_begins_without_the_database(
    tmp_path: Path,
    server: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = prepared(server)
    with proxy_with(address, tmp_path / "one", monkeypatch, audit_without_database="refuse") as proxy:
        wait_until(lambda: proxy.ask("hello").status_code == 200)
        wait_until(lambda: metric(proxy, "ledger_refusing") == 0)
        server.kill()
        wait_until(lambda: proxy.ask("hello").status_code == 500)
        assert proxy.ask("hello").json()["error"]["code"] == "not_recorded"
        wait_until(lambda: metric(proxy, "ledger_refusing") == 1)
        server.start()
        wait_until(lambda: proxy.ask("hello").status_code == 200)


def test_a_desk_sends_what_it_has_put_on_record(tmp_path: Path) -> None:
    address = str(tmp_path / "gate.db")
    settings = Settings(audit=str(tmp_path / "audit.jsonl"), audit_ship="database", database=address)
    shipper = shipper_of(settings)
    assert shipper is not None
    audit_log = ledger_of(settings)
    audit_log.shut()
    asyncio.run(send_last(shipper))
    assert shipper_of(Settings(audit="off", database=address)) is None
    assert os.path.exists(address)


def test_what_a_person_asks_for_narrows_down() -> None:
    now = 100.0
    assert asked(("a", "b"), (), None, now) == [Erasure("a"), Erasure("b")]
    assert asked((), ("red",), None, now) == [Erasure("", "red", now)]
    assert asked(("a",), ("red",), 5.0, now) == [Erasure("a", "red", 5.0)]
    assert asked((), (), 5.0, now) == [Erasure("", "", 5.0)]
    assert asked((), ("red",), 500.0, now) == [Erasure("", "red", now)]
    (sealed,) = [kept_at(99.0, "red")]
    assert [one.means(sealed) for one in (Erasure("x"), Erasure("", "red", 99.0), Erasure("", "red", 99.5))] == [
        False,
        False,
        True,
    ]


def kept_at(at: float, tenant: str) -> Kept:
    from proxy.records.textstore import SealedTexts

    return Kept(SealedTexts("exc", "k", b"w", {}), at, at + 1, "p", tenant)
