"""Where the database is: what an operator writes, and what it means. Imports no database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

EMBEDDED = "sqlite+aiosqlite"
SHARED = "postgresql+asyncpg"
_POSTGRES = frozenset({"postgres", "postgresql", SHARED})
_SQLITE = frozenset({"sqlite", EMBEDDED})
_SSL = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:@/]+)(?::(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-5][0-9]{3}))?")
_ADDRESS = "a PostgreSQL address has a host and a database: postgresql://user:password@host:5432/sluicegate"


@dataclass(frozen=True, slots=True)
class Place:
    """A database. `file` is the embedded database's, None for a server's. `shown` has no password. `server` is a server's address
    as its own driver reads it: several hosts, sockets, files with certificates."""

    url: str
    shown: str
    file: Path | None = None
    server: str = ""

    @property
    def exists(self) -> bool:
        """Whether there may be something to read: a server always counts, a file once it is there."""
        return self.file is None or self.file.exists()


def place(written: str) -> Place | None:
    """The place that the setting `database` means: a file, an SQLite or a PostgreSQL address; None for the empty word.

    Raises `ValueError` with a text that says what can be written.
    """
    if not written:
        return None
    if "://" not in written:
        return _embedded(Path(written))
    scheme = written.partition("://")[0].lower()
    if scheme in _SQLITE:
        path = re.sub(r"^[^:]+:///", "", written)
        if not path or path.startswith(("/:", ":")) or "://" in path:
            raise ValueError("an SQLite address names a file: sqlite:///folder/file.db, with four strokes from the root")
        return _embedded(Path(path))
    if scheme in _POSTGRES:
        return _server(written)
    raise ValueError("write a file, like sluicegate.db, or an address, like postgresql://user:password@host/sluicegate")


def _embedded(file: Path) -> Place:
    file = file.absolute()
    return Place(f"{EMBEDDED}:///{file}", str(file), file)


def _server(written: str) -> Place:
    parts = urlsplit(written)
    hosts = parts.netloc.rpartition("@")[2]
    said = parse_qs(parts.query)
    if parts.fragment or not all(_HOST.fullmatch(host) for host in hosts.split(",") if hosts):
        raise ValueError(f"{_ADDRESS}; signs like / ? # @ in a password are written %2F %3F %23 %40")
    if not (hosts or "host" in said) or not parts.path.strip("/"):
        raise ValueError(_ADDRESS)
    if wrong := set(said.get("sslmode", [])) - _SSL:
        raise ValueError(f"sslmode={min(wrong)}: there are {', '.join(sorted(_SSL))}")
    query = re.sub(r"(^|&)sslmode=", r"\1ssl=", parts.query)  # libpq's name for what asyncpg calls ssl
    url = urlunsplit((SHARED, parts.netloc, parts.path, query, ""))
    kept = [("sslmode" if name == "ssl" else name, value) for name, value in parse_qsl(parts.query) if name != "connect_timeout"]
    server = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(kept), ""))
    return Place(url, f"postgresql://{hosts or said['host'][0]}{parts.path}", server=server)
