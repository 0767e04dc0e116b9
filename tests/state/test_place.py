from __future__ import annotations

from pathlib import Path

import pytest

from proxy.settings import Settings
from proxy.state.place import place


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("/var/lib/gate.db", "sqlite+aiosqlite:////var/lib/gate.db"),
        ("sqlite:////var/lib/gate.db", "sqlite+aiosqlite:////var/lib/gate.db"),
        ("sqlite+aiosqlite:////var/lib/gate.db", "sqlite+aiosqlite:////var/lib/gate.db"),
        ("postgres://u:p@db:5433/gate", "postgresql+asyncpg://u:p@db:5433/gate"),
        ("postgresql+asyncpg://u@db/gate", "postgresql+asyncpg://u@db/gate"),
        ("postgresql://u@db/gate?sslmode=require", "postgresql+asyncpg://u@db/gate?ssl=require"),
    ],
)
def test_what_is_written_and_what_it_means(written: str, url: str) -> None:
    found = place(written)
    assert found is not None
    assert found.url == url


def test_a_name_is_a_file_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = place("gate.db")
    assert found is not None
    assert found.file == tmp_path / "gate.db"
    assert not found.exists
    (tmp_path / "gate.db").touch()
    assert found.exists


def test_nothing_is_no_database() -> None:
    assert place("") is None


def test_a_password_is_never_shown() -> None:
    found = place("postgresql://gate:hunter2@db:5432/gate")
    assert found is not None
    assert found.shown == "postgresql://db:5432/gate"
    assert "hunter2" not in repr(Settings(database="postgresql://gate:hunter2@db:5432/gate"))


def test_a_server_is_written_as_its_own_tools_write_it() -> None:
    found = place("postgresql://u:p@one:5432,two:5433/gate?target_session_attrs=primary&connect_timeout=3&ssl=require")
    assert found is not None
    assert found.server == "postgresql://u:p@one:5432,two:5433/gate?target_session_attrs=primary&sslmode=require"
    assert found.shown == "postgresql://one:5432,two:5433/gate"
    socket = place("postgresql:///gate?host=/run/postgresql&user=u")
    assert socket is not None
    assert socket.shown == "postgresql:///run/postgresql/gate"


@pytest.mark.parametrize("written", ["u:hun/ter2@db/gate", "u:hun#ter2@db/gate", "u@db:99999/gate", "u:hun?ter2@db/gate"])
def test_of_a_password_that_cannot_be_read_nothing_is_shown(written: str) -> None:
    with pytest.raises(ValueError, match="%23") as told:
        place(f"postgresql://{written}")
    assert "hun" not in str(told.value)


def test_a_way_of_tls_that_there_is_not_is_told() -> None:
    with pytest.raises(ValueError, match="verify-full"):
        place("postgresql://u@db/gate?sslmode=on")


@pytest.mark.parametrize(
    "wrong", ["mysql://a/b", "postgresql:///gate", "postgresql://db", "sqlite://", "sqlite:///:memory:", "x://"]
)
def test_what_is_no_address_is_told(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"sqlite:///|postgresql://"):
        place(wrong)
