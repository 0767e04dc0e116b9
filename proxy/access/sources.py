"""Where keys come from: the database, or a file. Each fills a ring of its own, over and over, behind the requests' backs."""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from policies.mistakes import LoadError
from proxy.access.file import load_keys
from proxy.access.keyring import Keyring
from proxy.access.keys import PEPPER_VARIABLE, Hashing
from proxy.state.notices import Told, nobody
from proxy.state.place import Place

if TYPE_CHECKING:
    from proxy.access.store import KeyStore
    from proxy.state.database import Database

log = logging.getLogger("sluicegate")

LONGEST = 10.0
"""Seconds that one look at the database may take."""

USED_EVERY = 30.0
"""Seconds between two notes of which keys were used today."""


class Source(Protocol):
    """Keys that are kept up to date. `kind` is `database` or `file`."""

    kind: str
    ring: Keyring

    @property
    def demands(self) -> bool | None:
        """Whether callers need a key because of this source; None as long as that is not known."""
        ...

    @property
    def age(self) -> float:
        """Seconds since the ring was known to be in step; 0 for a source of which the last good state counts."""
        ...

    async def refresh(self) -> None:
        """Takes in what has changed. Raises nothing that a source outside can cause: it is logged, and the age tells."""
        ...

    async def aclose(self) -> None:
        """Lets go of what is held open."""
        ...


class FileSource:
    """Keys from a file, read anew whenever it changes. A file with a mistake changes nothing: the last good one counts."""

    kind = "file"
    demands = True
    age = 0.0

    def __init__(self, path: Path, hashing: Hashing) -> None:
        self.ring = Keyring(hashing)
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    async def refresh(self) -> None:
        try:
            status = self._path.stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
        except OSError:
            seen = (0, 0, 0)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            found = await asyncio.to_thread(load_keys, self._path)
        except LoadError as error:
            for mistake in error.mistakes:
                log.error("keys: %s", mistake)
            log.error("keys: %s is not taken in; the keys before it stay in force", self._path)
            return
        self.ring.learn(found.tenants.values(), found.keys, found.admins)
        self.ring.keep(one.id for one in (*found.keys, *found.admins))
        log.info("keys: %d from %s", len(self.ring), self._path)

    async def aclose(self) -> None:
        return


class DatabaseSource:
    """Keys from the database: its version number is asked for, and the rows behind it where it has grown.

    `told` is called after each change that is made through its store.

    An embedded database that is not there yet is waited for: it comes with the first key. After an outage connections are made
    anew.
    """

    kind = "database"

    def __init__(self, place: Place, hashing: Hashing, told: Told = nobody) -> None:
        self.ring, self._told = Keyring(hashing), told
        self.store: KeyStore | None = None
        self._place, self._there = place, place.exists
        self._database: Database | None = None
        self._version = 0
        self._file: tuple[int, int] | None = None
        self._in_step: float | None = None
        self._has_keys = False
        self._failing = False
        self._used: dict[str, str] = {}
        self._noted = time.monotonic()
        self._turn = asyncio.Lock()

    @property
    def demands(self) -> bool | None:
        if self._has_keys:
            return True
        return False if self._in_step is not None or not self._there else None

    @property
    def age(self) -> float:
        if self._in_step is None:
            return float("inf") if self._there else 0.0
        return time.monotonic() - self._in_step

    async def refresh(self) -> None:
        if not self._there and not self._place.exists:
            return
        began = time.monotonic()
        try:
            async with asyncio.timeout(LONGEST), self._turn:
                await self._let_go_of_another_file()
                store = self.store or await self._open()
                await self._follow(store)
                self._in_step = began
                await self._note_used(store)
        except Exception as error:  # whatever it is: a watch that ended would leave the keys as they are for ever
            if not self._failing:
                log.error("keys: not in step with %s: %s: %s", self._place.shown, type(error).__name__, _first_line(error))
            self._failing = True
            return
        finally:
            self._there = True  # only now: until a new database is read all stays as it was
        if self._failing:
            log.info("keys: in step again with %s", self._place.shown)
        self._failing = False

    async def _open(self) -> KeyStore:
        # SQLAlchemy and Alembic take half a second to import: not on the loop, and only where there is a database.
        store = await asyncio.to_thread(importlib.import_module, "proxy.access.store")
        migrate = await asyncio.to_thread(importlib.import_module, "proxy.state.migrate")
        database = self._database = self._database or migrate.Database(self._place)
        await migrate.ready(database)
        self._file = self._file_now()
        self.store = store.KeyStore(database, told=self._told)
        return self.store

    async def _let_go_of_another_file(self) -> None:
        """Where a copy was put back in an embedded database's place, what is open here is a file without a name: nobody's changes
        come there any more. Raises `OSError` while there is none."""
        if self._file is None or self._file_now() == self._file:
            return
        database, self._database, self.store, self._version = self._database, None, None, -1
        if database is not None:
            await database.aclose()
        log.warning("keys: %s is another file than before; it is read as a whole", self._place.shown)

    def _file_now(self) -> tuple[int, int] | None:
        if self._place.file is None:
            return None
        status = self._place.file.stat()
        return (status.st_dev, status.st_ino)

    async def _follow(self, store: KeyStore) -> None:
        change = await store.since(self._version)
        if change is None:
            return
        self.ring.learn(change.tenants, change.keys, change.admins)
        if change.whole:
            self.ring.keep(one.id for one in (*change.keys, *change.admins))
        self._version, self._has_keys = change.version, self._has_keys or bool(change.keys)
        dumb = sum(not self.ring.hashing.knows(key.hash) for key in self.ring)
        if dumb:
            log.error(
                "keys: %d were made with a pepper (%s) that is not in the environment; they open nothing", dumb, PEPPER_VARIABLE
            )

    async def _note_used(self, store: KeyStore) -> None:
        if time.monotonic() - self._noted < USED_EVERY:
            return
        self._noted, today = time.monotonic(), datetime.now(UTC).date().isoformat()
        new = [id for id in self.ring.used if self._used.get(id) != today]  # noqa: A001
        self.ring.used.clear()
        if new:
            await store.used(new, today)
            self._used = {**{id: day for id, day in self._used.items() if day == today}, **dict.fromkeys(new, today)}  # noqa: A001

    async def aclose(self) -> None:
        if self._database is not None:
            await self._database.aclose()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:300]
