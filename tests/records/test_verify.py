"""Law 10: a chain per writer, its heads anchored outside, proves that nothing was changed afterwards."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from proxy.records.audit import Audit, AuditError, FileSink
from proxy.records.verify import Report, read_heads, verify
from tests.records.written_ledger import exchange, two_workers


def kinds(report: Report) -> set[str]:
    return {fault.kind for fault in report.faults}


def check(path: Path, heads: Path | None = None) -> Report:
    return verify([path], read_heads(heads) if heads else ())


@pytest.fixture(scope="module")
def written() -> Iterator[tuple[bytes, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        path, heads = two_workers(Path(folder))
        yield path.read_bytes(), heads


def changed(text: bytes, heads: Path) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.jsonl"
        path.write_bytes(text)
        return check(path, heads)


LAW = settings(max_examples=150, deadline=None)


def test_what_was_written_is_proven(written: tuple[bytes, Path]) -> None:
    report = changed(*written)
    assert (report.proven, report.notes, report.unfinished) == (True, [], [])
    assert (report.lines, report.writers, report.exchanges, report.heads) == (16, 2, 6, 2)


@given(data=st.data())
@LAW
def test_any_byte_that_is_changed_is_found(written: tuple[bytes, Path], data: st.DataObject) -> None:
    text = bytearray(written[0])
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= data.draw(st.integers(1, 255))
    assert not changed(bytes(text), written[1]).proven


@given(data=st.data())
@LAW
def test_any_cut_is_found(written: tuple[bytes, Path], data: st.DataObject) -> None:
    text = written[0]
    begin = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(begin + 1, len(text)))
    assert not changed(text[:begin] + text[end:], written[1]).proven


@given(data=st.data())
@LAW
def test_any_line_that_is_deleted_doubled_or_moved_is_found(written: tuple[bytes, Path], data: st.DataObject) -> None:
    lines = written[0].splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 1))
    how = data.draw(st.sampled_from(["delete", "double", "swap"]))
    if how == "delete":
        others = lines[:at] + lines[at + 1 :]
    elif how == "double":
        others = [*lines]
        others.insert(data.draw(st.integers(0, len(lines))), lines[at])
    else:
        other = data.draw(st.integers(0, len(lines) - 1))
        others = [*lines]
        others[at], others[other] = others[other], others[at]
        assume(per_writer(others) != per_writer(lines))  # between writers no order is promised
    assert not changed(b"".join(others), written[1]).proven


def per_writer(lines: list[bytes]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for line in lines:
        found.setdefault(json.loads(line)["writer"], []).append(line)
    return found


@pytest.mark.parametrize(("keep", "heads", "found"), [(-1, True, {"cut"}), (-1, False, set()), (2, True, {"cut"})])
def test_a_tail_cut_off_shows_against_the_heads_alone(
    written: tuple[bytes, Path], keep: int, heads: bool, found: set[str]
) -> None:
    lines = written[0].splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.jsonl"
        path.write_bytes(b"".join(lines[:keep]))
        assert kinds(check(path, written[1] if heads else None)) == found


def test_a_chain_that_was_written_anew_shows_against_the_heads(tmp_path: Path) -> None:
    path, heads = two_workers(tmp_path)
    writers = {json.loads(line)["writer"] for line in path.read_text("utf-8").splitlines()}
    forged = tmp_path / "forged.jsonl"
    for writer in sorted(writers):
        audit = Audit(FileSink(forged))
        audit._chain.writer = writer  # a forger may name itself as it likes
        for number in range(3):
            exchange(audit, f"other-{number}")
        audit.shut()
    assert check(forged).proven
    assert "rewritten" in kinds(check(forged, heads))


def test_a_fault_names_its_place(tmp_path: Path) -> None:
    path, _ = two_workers(tmp_path)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    lines[4] = lines[4].replace('"status":200', '"status":400').replace('"model":"r1"', '"model":"r2"')
    path.write_text("".join(lines[:6] + lines[7:]), "utf-8")
    found = {(fault.kind, fault.line) for fault in check(path).faults}
    assert ("changed", 5) in found
    assert "missing" in {kind for kind, _ in found}
    assert all(fault.file == str(path) for fault in check(path).faults)


def test_a_new_writer_shows_that_the_one_before_lost_its_tail(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for name in ("first", "second"):
        audit = Audit(FileSink(path))
        exchange(audit, name)
        exchange(audit, name + "-2")
    assert check(path).proven
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3] + lines[5:]))
    assert kinds(check(path)) == {"cut"}


def test_rotated_files_are_one_chain_in_any_order(tmp_path: Path) -> None:
    path, parts = tmp_path / "audit.jsonl", []
    audit = Audit(FileSink(path), FileSink(tmp_path / "heads"))
    for number in range(3):
        exchange(audit, f"exc-{number}")
        if number < 2:
            parts.append(path.rename(tmp_path / f"audit.jsonl.{2 - number}"))
    audit.shut()
    packed = tmp_path / "audit.jsonl.2.gz"
    packed.write_bytes(gzip.compress(parts[0].read_bytes()))
    heads = list(read_heads(tmp_path / "heads"))
    for files in ([path, parts[1], packed], [packed, path, parts[1]]):
        report = verify(files, heads)
        assert (report.faults, report.notes, report.exchanges) == ([], [], 3)
    assert kinds(verify([path, packed], heads)) == {"missing"}
    alone = verify([path], heads)
    assert alone.proven
    assert "in an earlier file" in alone.notes[0]
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))  # the line that says a file was turned
    assert kinds(verify([path], heads)) == {"missing"}


def test_a_line_that_did_not_fit_is_no_fault_when_its_writer_says_so(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(FileSink(path))
    exchange(audit, "exc-1")
    with path.open("ab") as file:  # as a power cut leaves it
        file.write(b'{"event":"opened","id":"exc-')
    assert "cut" in kinds(check(path))
    audit = Audit(FileSink(path))
    exchange(audit, "exc-2")
    assert check(path).proven
    with path.open("ab") as file:
        file.write(b"something else\n")
    assert kinds(check(path)) == {"foreign"}


def test_lines_of_older_versions_may_stand_in_front(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    old = b'{"event":"opened","id":"exc-0","at":"2026-01-01T00:00:00.000+00:00"}\n'
    path.write_bytes(old)
    exchange(Audit(FileSink(path)), "exc-1")
    report = check(path)
    assert report.proven
    assert "1 lines of a version that had no chain" in report.notes[0]
    path.write_bytes(path.read_bytes() + old)
    assert kinds(check(path)) == {"foreign"}


KILLED = """
import sys
from pathlib import Path
from proxy.records.audit import Audit, FileSink
from tests.records.written_ledger import exchange
audit = Audit(FileSink(Path(sys.argv[1])), FileSink(Path(sys.argv[1] + ".heads")))
number = 0
while True:
    exchange(audit, f"{sys.argv[2]}-{number}")
    audit.anchor(audit.head())
    number += 1
    print(number, flush=True)
"""


def test_processes_that_are_killed_leave_a_ledger_that_holds(tmp_path: Path) -> None:
    """Two writers at a time, killed between any two lines, three times over."""
    path, done = tmp_path / "audit.jsonl", 0
    for turn in range(3):
        workers = [
            subprocess.Popen([sys.executable, "-c", KILLED, str(path), f"{turn}{name}"], stdout=subprocess.PIPE) for name in "ab"
        ]
        for worker in workers:
            assert worker.stdout is not None
            for _ in range(20):
                assert worker.stdout.readline()
        for worker in workers:
            worker.kill()
        for worker in workers:
            assert worker.stdout is not None
            done += 20 + len(worker.stdout.read().splitlines())
            worker.stdout.close()
            worker.wait()
    report = verify([path], read_heads(Path(f"{path}.heads")))
    assert report.faults == []
    assert report.writers == 6
    assert report.exchanges - len(report.unfinished) >= done
    assert len(report.unfinished) <= 6
    assert not any(each.ended for each in report.unfinished)


def test_a_disk_that_is_full_leaves_a_ledger_that_holds(tmp_path: Path) -> None:
    path, count = tmp_path / "audit.jsonl", 0

    class Small(FileSink):
        def write(self, line: bytes) -> None:
            nonlocal count
            count += 1
            if count % 3 == 0:
                raise OSError("no space left on device")
            super().write(line)

    audit, failed = Audit(Small(path)), 0
    for number in range(20):
        try:
            exchange(audit, f"exc-{number}")
        except AuditError:
            failed += 1
    assert failed > 5
    assert check(path).proven
