from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.records.audit import Administered, Audit, Closed, FileSink, Opened
from proxy.records.story import Question, stories, when
from tests.records.written_ledger import MAIL, WORD, exchange

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    audit = Audit(FileSink(path))
    exchange(audit, "exc-1", at=0.0, tenant="red", policy="strict")
    audit.open(Opened("exc-2", 100.0, "default", "d", "/v1/chat/completions", key="k7"))
    audit.close(Closed("exc-2", 101.0, "prompt_blocked", 400, (WORD, MAIL)))
    audit.administered(Administered(150.0, "adm-1", "operator", "revoke", "k7"))
    audit.open(Opened("exc-3", 200.0, "default", "d", "/v1/chat/completions"))
    return path


def ids(path: Path, **asked: str) -> list[str]:
    question = Question(**{name: value if name in ("since", "until") else frozenset({value}) for name, value in asked.items()})  # type: ignore[arg-type]  # by name
    return [story.get("id", "administered") for story in stories([path], question)]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["exc-1", "exc-2", "administered", "exc-3"]),
        ({"ids": "exc-2"}, ["exc-2"]),
        ({"policies": "strict"}, ["exc-1"]),
        ({"tenants": "red"}, ["exc-1"]),
        ({"keys": "k7"}, ["exc-2"]),
        ({"outcomes": "unfinished"}, ["exc-3"]),
        ({"rules": "mail"}, ["exc-1", "exc-2"]),
        ({"actions": "block"}, ["exc-2"]),
        ({"rules": "mail", "actions": "block"}, []),
        ({"channels": "prompt"}, ["exc-2"]),
        ({"since": "1970-01-01T00:01", "until": "1970-01-01T00:03"}, ["exc-2", "administered"]),
    ],
)
def test_a_question_is_about_some(ledger: Path, asked: dict[str, str], found: list[str]) -> None:
    times = {name: when(value, NOON) for name, value in asked.items() if name in ("since", "until")}
    assert ids(ledger, **{**asked, **times}) == found


def test_an_exchange_is_told_once_with_both_its_ends(ledger: Path) -> None:
    story = next(iter(stories([ledger], Question())))
    assert (story["at"], story["closed_at"]) == ("1970-01-01T00:00:00.000+00:00", "1970-01-01T00:00:01.000+00:00")
    assert (story["outcome"], story["tenant"], story["status"]) == ("answered", "red", 200)
    assert not {"event", "seq", "writer", "prev", "hash"} & story.keys()


def test_times_are_written_in_several_ways() -> None:
    assert when("90m", NOON) == "2026-11-21T10:30:00.000+00:00"
    assert when("7d", NOON) == "2026-11-14T12:00:00.000+00:00"
    assert when("2026-11-21", NOON) == "2026-11-21T00:00:00.000+00:00"
    assert when("2026-11-21T13:00+01:00", NOON) == "2026-11-21T12:00:00.000+00:00"
    with pytest.raises(ValueError, match="write a time like"):
        when("yesterday", NOON)
    for beyond in ("99999999999d", "900000w", "0001-01-01T00:00+14:00"):
        with pytest.raises(ValueError, match="write a time like"):
            when(beyond, NOON)
