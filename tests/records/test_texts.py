"""Texts that a policy keeps: sealed, found again with the key only, gone when they are erased; and a ledger that holds."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.record import Recording
from proxy.records.archive import Archive, Whose
from proxy.records.copies import Copies
from proxy.records.record import AuditError
from proxy.records.sealing import Sealer, SealError
from proxy.records.textstore import Kept, SealedTexts, TextStore

KEY = base64.b64encode(bytes(range(32))).decode()
ENVIRON = {"TEXTS_KEY": KEY, "OTHER_KEY": bytes(range(1, 33)).hex(), "SHORT": "abc", "ZEROS": "00" * 32}
ALL = Recording("all", key_env="TEXTS_KEY")


def copies(recording: Recording = ALL, **texts: str) -> Copies:
    made = Copies(recording)
    for channel, text in texts.items():
        made.add(channel, "here", text)
    return made


def keep(archive: Archive, name: str, text: str = "a secret", tenant: str = "", recording: Recording = ALL) -> None:
    archive.keep(Whose(name, "default", tenant), copies(recording, prompt=text), flagged=False)


def test_what_is_kept_is_read_with_the_key_and_only_so(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "texts", ENVIRON)
    hashes = archive.keep(Whose("exc-1", "default", "red"), copies(prompt="my secret", answer="yes"), flagged=False)
    assert set(hashes) == {"prompt", "answer"}
    (file,) = (tmp_path / "texts").iterdir()
    assert (file.stat().st_mode & 0o777, (tmp_path / "texts").stat().st_mode & 0o777) == (0o600, 0o700)
    assert b"secret" not in file.read_bytes()
    (kept,) = archive.all()
    assert kept.sealed.hashes() == hashes
    assert archive.open(kept, "TEXTS_KEY")["prompt"] == {"texts": [{"place": "here", "text": "my secret"}], "left_out": 0}
    with pytest.raises(AuditError, match="sealed with the key"):
        archive.open(kept, "OTHER_KEY")


@pytest.mark.parametrize(
    ("variable", "said"),
    [("NONE", "NONE .record.key_env. is not set: put 32 random bytes"), ("SHORT", "holds no key"), ("ZEROS", "holds no key")],
)
def test_without_a_good_key_nothing_is_kept(tmp_path: Path, variable: str, said: str) -> None:
    with pytest.raises(AuditError, match=said):
        keep(Archive(tmp_path, ENVIRON), "exc-1", recording=Recording("all", key_env=variable))
    with pytest.raises(AuditError, match="no place for them"):
        keep(Archive(None, ENVIRON), "exc-1")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "texts").write_text("a file, where a folder should be")
    with pytest.raises(AuditError, match="could not be kept"):
        keep(Archive(tmp_path / "texts", ENVIRON), "exc-1")


def test_only_what_the_policy_names_is_kept_and_not_without_end(tmp_path: Path) -> None:
    archive = Archive(tmp_path, ENVIRON)
    recording = Recording("flagged", frozenset({"answer"}), key_env="TEXTS_KEY", most_chars=5)
    whose = Whose("exc-1", "default", "")
    assert archive.keep(whose, copies(recording, answer="harmless"), flagged=False) == {}
    assert set(archive.keep(whose, copies(recording, prompt="x", answer="abcdefgh"), flagged=True)) == {"answer"}
    (kept,) = archive.all()
    assert archive.open(kept, "TEXTS_KEY") == {"answer": {"texts": [{"place": "here", "text": "abcde"}], "left_out": 3}}


def test_erasing_leaves_nothing_of_the_text_and_the_rest_alone(tmp_path: Path) -> None:
    archive = Archive(tmp_path, ENVIRON)
    for name, tenant in (("exc-1", "red"), ("exc-2", "blue"), ("exc-3", "red")):
        keep(archive, name, tenant=tenant)
    assert archive.store is not None
    (file,) = tmp_path.iterdir()
    before = file.read_bytes()
    wrapped = [json.loads(line)["wrapped"] for line in before.splitlines() if line.strip()]
    assert archive.store.erase(lambda kept: kept.tenant == "red") == 2
    after = file.read_bytes()
    assert len(after) == len(before)
    assert [key.encode() in after for key in wrapped] == [False, True, False]
    assert [kept.id for kept in archive.all()] == ["exc-2"]
    assert archive.store.find("exc-1") is None
    keep(archive, "exc-4")  # others went on appending meanwhile
    assert [kept.id for kept in archive.all()] == ["exc-2", "exc-4"]


def test_texts_go_when_their_time_is_over(tmp_path: Path) -> None:
    store, now = TextStore(tmp_path), time.time()
    sealed = Sealer(bytes(range(32))).seal("exc-1", {"prompt": b"x"})
    for age, keep_days in ((10, 30), (10, 5), (1, 30)):
        at = now - age * 86400
        store.keep(Kept(sealed, at, at + keep_days * 86400, "p", ""))
    assert store.expire(now) == 1
    assert len(list(store.all())) == 2
    assert store.expire(now + 25 * 86400) == 1
    assert len(list(tmp_path.iterdir())) == 1  # a day of which nothing is left


def test_a_line_that_was_cut_short_does_not_spoil_the_next(tmp_path: Path) -> None:
    archive = Archive(tmp_path, ENVIRON)
    keep(archive, "exc-1")
    (file,) = tmp_path.iterdir()
    with file.open("ab") as cut:
        cut.write(b'{"id":"exc-2","at":17')
    keep(archive, "exc-3")
    assert [kept.id for kept in archive.all()] == ["exc-1", "exc-3"]
    whole = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join((whole[1], whole[-1][:-40], b"", whole[-1], b"")))  # half of it, with key and tenant
    assert archive.store is not None
    assert archive.store.erase(lambda kept: kept.id == "exc-3") == 2
    assert [kept.id for kept in archive.all()] == ["exc-1"]
    assert file.read_bytes().count(b"exc-3") == 0


def test_names_are_no_marks(tmp_path: Path) -> None:
    """Of a tenant that is called like a field."""
    archive, strange = Archive(tmp_path, ENVIRON), 'a,"key":"b'
    keep(archive, "exc-1", tenant=strange)
    keep(archive, "exc-2")
    assert archive.store is not None
    assert archive.store.find("exc-1") is not None
    assert archive.store.erase(lambda kept: kept.tenant == strange) == 1
    assert [kept.id for kept in archive.all()] == ["exc-2"]


@given(text=st.binary(max_size=200), at=st.integers(min_value=0), bit=st.integers(0, 7))
@settings(max_examples=100, deadline=None)
def test_a_sealed_text_opens_unchanged_or_not_at_all(text: bytes, at: int, bit: int) -> None:
    sealer = Sealer(bytes(range(32)))
    sealed = sealer.seal("exc-1", {"prompt": text, "answer": b"other"})
    assert sealer.open(sealed) == {"prompt": text, "answer": b"other"}
    broken = bytearray(sealed.channels["prompt"])
    broken[at % len(broken)] ^= 1 << bit
    for bad in (
        SealedTexts("exc-1", sealed.key, sealed.wrapped, {"prompt": bytes(broken)}),
        SealedTexts("exc-2", sealed.key, sealed.wrapped, sealed.channels),
        SealedTexts("exc-1", sealed.key, sealed.wrapped, {"prompt": sealed.channels["answer"]}),
    ):
        with pytest.raises(SealError):
            sealer.open(bad)
