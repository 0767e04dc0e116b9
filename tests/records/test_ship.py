"""The ledger in the database: each line once, whatever is killed, turned or sent again."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from typer.testing import CliRunner

from proxy.app import create
from proxy.cli.main import app
from proxy.records.audit import Audit, FileSink, MemorySink
from proxy.records.chain import unsealed
from proxy.records.ledger import ledger_of
from proxy.records.ship import Shipper
from proxy.records.spool import Follower, Position, Spool
from proxy.records.verify import verify
from proxy.settings import Settings
from proxy.state.database import Database
from proxy.state.tables import LEDGER
from proxy.telemetry.metrics import Metrics
from proxy.upstream.vllm import VLLM, UpstreamSettings
from tests.fake_model import fake_model
from tests.records.databases import database_of, prepared, wait_until
from tests.records.written_ledger import exchange
from tests.services import Postgres
from tests.stack import Stack, policy_of, serving

POLICY = "name: open\nguards_nothing: true\n"
SCENES = [{"think": "Hm.\n", "say": "Fine."}]


async def shipped(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list((await connection.execute(select(LEDGER.c.line).order_by(LEDGER.c.writer, LEDGER.c.seq))).scalars())


def in_database(address: str) -> list[str]:
    async def read() -> list[str]:
        database = database_of(address)
        try:
            return await shipped(database)
        finally:
            await database.aclose()

    return asyncio.run(read())


def in_files(*paths: Path) -> list[str]:
    return [line for path in paths for line in path.read_text("utf-8").splitlines()]


async def all_sent(shipper: Shipper) -> None:
    assert shipper.leads()
    while await shipper.once():
        pass


def test_lines_are_there_once_though_sent_twice_and_turned(tmp_path: Path, address: str) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(FileSink(path))

    async def work() -> None:
        first = Shipper(path, database_of(address))
        exchange(audit, "exc-1")
        await all_sent(first)
        exchange(audit, "exc-2")
        path.rename(tmp_path / "audit.jsonl.1")  # before they were sent
        exchange(audit, "exc-3")
        os.utime(tmp_path / "audit.jsonl.1", (1, 1))  # nobody writes to it any more
        await all_sent(first)
        await first.aclose()
        (tmp_path / "audit.jsonl.shipped").unlink()  # as if it had been killed before it could remember
        second = Shipper(path, database_of(address))
        await all_sent(second)
        assert sorted(await shipped(second._database)) == sorted(in_files(tmp_path / "audit.jsonl.1", path))
        await second.aclose()

    asyncio.run(work())


def test_one_worker_sends_and_another_takes_over(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    exchange(Audit(FileSink(path)), "exc-1")
    address = str(tmp_path / "gate.db")

    async def work() -> None:
        one, other = Shipper(path, database_of(address)), Shipper(path, database_of(address))
        assert (one.leads(), other.leads(), one.leads()) == (True, False, True)
        await one.aclose()
        assert other.leads()
        await other.aclose()

    asyncio.run(work())


def test_what_waits_is_known_and_a_line_is_never_half_read(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit, spool, follower = Audit(FileSink(path)), Spool(path, 10**6), Follower(path)
    assert spool.look() == (0, 0)
    exchange(audit, "exc-1")
    assert spool.look() == (path.stat().st_size, 3)
    with path.open("ab") as file:
        file.write(b'{"event":"opened"')
    lines, position = follower.read(Position())
    assert len(lines) == 3
    follower.remember(position)
    assert follower.read(follower.position()) == ([], position)
    assert spool.look()[0] == len(b'{"event":"opened"')
    exchange(audit, "exc-2")
    assert not spool.full
    assert Spool(path, 5).look()[0] > 5


@contextmanager
def proxy_with(database: str, folder: Path, **more: Any) -> Iterator[Stack]:
    chosen = Settings(audit=str(folder / "audit.jsonl"), audit_ship="database", database=database, **more)
    with fake_model(scenes=SCENES) as model:
        upstream, metrics = VLLM(UpstreamSettings(model.url, retries=0)), Metrics()
        built = create(chosen, policy_of(POLICY), upstream, audit=ledger_of(chosen), metrics=metrics)
        with serving(built, MemorySink(), metrics) as proxy:
            yield proxy


def count(address: str) -> int:
    async def read() -> int:
        database = database_of(address)
        try:
            async with database.reading() as connection:
                return int(await connection.scalar(select(func.count()).select_from(LEDGER)) or 0)
        finally:
            await database.aclose()

    return asyncio.run(read())


def test_postgres_killed_under_load_loses_nothing_and_doubles_nothing(tmp_path: Path, server: Postgres) -> None:
    address, path = prepared(server), tmp_path / "audit.jsonl"
    with proxy_with(address, tmp_path) as proxy, ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(lambda: proxy.ask("hello").status_code) for _ in range(150)]
        wait_until(lambda: count(address) > 20)
        server.kill()
        asked += [pool.submit(lambda: proxy.ask("hello").status_code) for _ in range(150)]
        assert {each.result() for each in asked} == {200}
        server.start()
        asked = [pool.submit(lambda: proxy.ask("hello").status_code) for _ in range(50)]
        assert {each.result() for each in asked} == {200}
        wait_until(lambda: count(address) == len(in_files(path)))
    assert sorted(in_database(address)) == sorted(in_files(path))  # the last line of the writer too
    exported = tmp_path / "exported.jsonl"
    exported.write_text(CliRunner().invoke(app, ["audit", "export", "--database", address]).stdout, "utf-8")
    for each in (path, exported):
        report = verify([each])
        assert (report.proven, report.exchanges, report.unfinished) == (True, 350, [])


def test_a_spool_that_is_full_refuses_until_there_is_room(tmp_path: Path, server: Postgres) -> None:
    address = prepared(server)
    with proxy_with(address, tmp_path, audit_spool_bytes=1 << 16) as proxy:
        assert proxy.ask("hello").status_code == 200
        server.kill()
        codes: list[int] = []

        def refused() -> bool:
            codes.extend(proxy.ask("hello").status_code for _ in range(10))
            return codes[-1] == 500

        wait_until(refused)
        assert set(codes) == {200, 500}
        assert proxy.ask("hello").json()["error"]["code"] == "not_recorded"
        page = proxy.client.get(f"{proxy.root}/metrics").text
        assert float(page.partition('sluicegate_ledger_waiting{unit="bytes"} ')[2].partition("\n")[0]) > 1 << 16
        server.start()
        wait_until(lambda: proxy.ask("hello").status_code == 200)
    assert sorted(in_database(address)) == sorted(in_files(tmp_path / "audit.jsonl"))


@given(st.lists(st.sampled_from(["write", "turn", "send", "killed"]), max_size=25))
@settings(max_examples=60, deadline=None)
def test_every_line_is_read_in_the_order_of_its_writer(steps: list[str]) -> None:
    """However files are turned, and whenever the one who reads them is killed before it could remember."""
    with tempfile.TemporaryDirectory() as folder:
        path, seen, turned = Path(folder) / "audit.jsonl", list[bytes](), 0
        audit, position = Audit(FileSink(path)), Position()
        follower = Follower(path)
        for step in [*steps, "write", *["send"] * 30]:
            if step == "write":
                exchange(audit, "exc")
            elif step == "turn" and path.exists():
                turned += 1
                os.utime(path.rename(path.with_name(f"audit.jsonl.{turned}")), (turned, turned))
            elif step == "send":
                lines, position = follower.read(position)
                seen += lines
                follower.remember(position)
            elif step == "killed":
                seen += follower.read(position)[0]
                position = follower.position()
        assert follower.waiting() == (0, 0)
        numbers = [found.link.seq for line in seen if (found := unsealed(line)) is not None]
        assert sorted(set(numbers)) == list(range(audit.seq))
        assert list(dict.fromkeys(numbers)) == list(range(audit.seq))
