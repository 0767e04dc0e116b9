"""The ledger's commands among others: pipes that end early, a ledger from standard input, and what a crash leaves."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from proxy.cli.main import app
from proxy.records.audit import Audit, FileSink
from proxy.records.record import Opened
from tests.cli.running import COMMAND, environ
from tests.records.written_ledger import exchange


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """More than a pipe holds."""
    path = tmp_path / "audit.jsonl"
    audit = Audit(FileSink(path))
    for number in range(3000):
        exchange(audit, f"exc-{number}")
    return path


def piped(*words: str) -> tuple[int, bytes]:
    """The command, whose output nobody reads to the end: its exit code, and what it says of that."""
    with subprocess.Popen([*COMMAND, "audit", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ()) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        return process.wait(60), process.stderr.read()


@pytest.mark.parametrize("how", ["pretty", "json", "csv"])
def test_whoever_reads_may_stop(ledger: Path, how: str) -> None:
    assert piped("show", str(ledger), "--format", how) == (0, b"")


def test_the_proof_counts_though_nobody_reads_it(ledger: Path) -> None:
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(line.replace(b"default", b"defaulT") for line in lines))
    assert piped("verify", str(ledger)) == (1, b"")
    assert piped("verify", str(ledger), "--json") == (1, b"")


@pytest.mark.parametrize("command", ["show", "verify"])
def test_a_ledger_comes_through_a_pipe(ledger: Path, command: str) -> None:
    with ledger.open("rb") as file:
        words = [*COMMAND, "audit", command, "-"]
        cat = subprocess.Popen(
            [sys.executable, "-c", "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"],
            stdin=file,
            stdout=subprocess.PIPE,
        )
        done = subprocess.run(words, stdin=cat.stdout, capture_output=True, text=True, env=environ(), timeout=60, check=False)
        assert cat.stdout is not None
        cat.stdout.close()
        assert cat.wait(60) == 0
    assert done.returncode == 0, done.stderr
    assert "exc-2999" in done.stdout if command == "show" else "3000 exchanges" in done.stdout


def verified(path: Path) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, "audit", "verify", path.name],
        cwd=path.parent,
        capture_output=True,
        text=True,
        env=environ(),
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_what_a_crash_leaves_is_told_once(tmp_path: Path) -> None:
    """An exchange without its end is no fault. Half a line is one, until the next writer has taken note of it."""
    path = tmp_path / "audit.jsonl"
    audit = Audit(FileSink(path))
    exchange(audit, "exc-1")
    audit.open(Opened("exc-open", 1.0, "default", "d", "/v1"))
    code, said = verified(path)
    assert (code, "audit.jsonl:4: unfinished: exc-open: the process died, or still runs" in said) == (0, True), said
    with path.open("ab") as file:
        file.write(b'{"event":"closed","id":"exc-open","at"')
    code, said = verified(path)
    assert (code, [line for line in said.splitlines() if ": cut: " in line or ": foreign: " in line]) == (
        1,
        ["audit.jsonl:5: cut: the file ends within a line, after 38 bytes: a crash, a full disk, or somebody cut it"],
    )
    exchange(Audit(FileSink(path)), "exc-2")
    code, said = verified(path)
    assert (code, "2 writers" in said, "exc-open" in said) == (0, True, True), said


def test_a_compressed_file_that_is_broken_is_named(ledger: Path) -> None:
    whole = gzip.compress(ledger.read_bytes())
    for broken in (whole[:5000], whole[:3000] + b"something else" + whole[3000:]):
        path = ledger.with_name("audit.jsonl.1.gz")
        path.write_bytes(broken)
        for command in ("verify", "show"):
            words = [*COMMAND, "audit", command, path.name]
            done = subprocess.run(words, cwd=path.parent, capture_output=True, text=True, env=environ(), timeout=60, check=False)
            assert (done.returncode, done.stderr.startswith("error: audit.jsonl.1.gz: ")) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--action", "blok"), "--action: 'blok' is none; did you mean block?"),
        (("--outcome", "answerd"), "--outcome: 'answerd' is none; did you mean answered?"),
        (("--channel", "promt"), "--channel: 'promt' is none; did you mean prompt?"),
        (("--outcome", "zzz"), "--outcome: 'zzz' is none: answer_blocked, answered"),
    ],
)
def test_a_word_that_no_record_has_is_told(ledger: Path, words: tuple[str, str], said: str) -> None:
    done = CliRunner().invoke(app, ["audit", "show", str(ledger), *words])
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr


def test_two_writers_in_one_file_are_two_chains(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    one, other = Audit(FileSink(path)), Audit(FileSink(path))
    for number in range(10):
        exchange((one, other)[number % 2], f"exc-{number}")
    os.sync()
    assert verified(path)[0] == 0
