"""The ledger of one worker process: made as the settings say, and looked after while the process runs."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from proxy.records.archive import Archive, texts_folder
from proxy.records.audit import Audit
from proxy.records.record import AuditError
from proxy.records.ship import Shipper, shipping, watching
from proxy.records.ship_texts import TextShipper
from proxy.records.sinks import anchor, sink
from proxy.records.spool import Contact, Spool
from proxy.records.textspool import TextFollower
from proxy.records.textstore import TextStore
from proxy.settings import Settings
from proxy.state.place import place

log = logging.getLogger("sluicegate")

LAST_SECONDS = 3.0
"""Given at the end for lines that wait."""

ANCHOR_EVERY = 1000
"""Lines after which the head is anchored, whatever the time."""

LOOK_EVERY = 1.0
"""Seconds between two looks at how long the chain has become."""

ERASE_EVERY = 3600.0
"""Seconds between two looks for texts that were kept long enough."""


class News(Protocol):
    """Who hears how the ledger is doing."""

    def anchored(self, lines: int, anchored: int, failed: int) -> None:
        """A writer has so many lines, of which so many are anchored; so many heads could not be written."""
        ...

    def expired(self, failed: int) -> None:
        """So many times old texts could not be erased."""
        ...

    def waiting(self, size: int, lines: int, texts: int) -> None:
        """So many bytes and lines wait to be sent on, and so many bytes of sealed texts."""
        ...

    def unshipped(self, failed: int) -> None:
        """So many tries to send lines on have failed."""
        ...

    def refusing(self, full: bool) -> None:
        """Whether new exchanges are refused, since no more may wait."""
        ...


def ledger_of(settings: Settings) -> Audit:
    """The ledger that the settings ask for. Raises `AuditError` where it, or the place for its heads, cannot be written."""
    heads = anchor(settings.audit_heads) if settings.audit_heads else None
    archive = Archive(texts_folder(settings.audit, settings.audit_texts), os.environ)
    room = _spool(settings, archive) if settings.audit_ship == "database" else None
    return Audit(sink(settings.audit, fsync=settings.audit_fsync), heads, room, archive)


def _spool(settings: Settings, archive: Archive) -> Spool:
    path, store = Path(settings.audit), archive.store
    sent = store is not None and settings.audit_ship_texts
    texts = TextFollower(store, _texts_mark(path)) if sent and store is not None else None
    return Spool(path, settings.audit_spool_bytes, texts, _contact(settings))


def _texts_mark(path: Path) -> Path:
    return path.with_name(path.name + ".shipped.texts")


def _contact(settings: Settings) -> Contact | None:
    return Contact(Path(settings.audit)) if settings.audit_without_database == "refuse" else None


@asynccontextmanager
async def tended(audit: Audit, settings: Settings, news: News) -> AsyncIterator[None]:
    """Anchors heads, erases old texts and sends lines on again and again while the block runs, and ends the ledger with it."""
    work = [_anchoring(audit, settings.audit_heads_seconds, news), _expiring(audit, news)]
    shipper = shipper_of(settings) if isinstance(audit.room, Spool) else None
    if shipper is not None and isinstance(audit.room, Spool):
        work += [shipping(shipper, news), watching(audit.room, news)]
    tasks = [asyncio.create_task(each, name="ledger") for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            audit.shut()
        except AuditError:
            log.exception("audit")
        if shipper is not None:
            await send_last(shipper)


def shipper_of(settings: Settings) -> Shipper | None:
    """Who sends this ledger's lines and texts to the database; None where there is none, or the settings want it not."""
    from proxy.state.database import Database

    where = place(settings.database)
    if where is None or settings.audit_ship != "database":
        return None
    path, folder, database = Path(settings.audit), texts_folder(settings.audit, settings.audit_texts), Database(where)
    mark, send = _texts_mark(path), settings.audit_ship_texts
    texts = None if folder is None else TextShipper(TextStore(folder), mark, database, send=send)
    return Shipper(path, database, texts, _contact(settings))


async def send_last(shipper: Shipper) -> None:
    """Sends what is left, if that goes quickly; else it waits for the next start."""
    try:
        async with asyncio.timeout(LAST_SECONDS):
            while shipper.leads() and await shipper.once():
                pass
    except Exception as error:  # whatever the driver raises: the lines are on the disk
        log.warning("lines of the ledger wait on the disk for the next start: %s", type(error).__name__)
    await shipper.aclose()


async def _anchoring(audit: Audit, every: float, news: News) -> None:
    failed, due = 0, 0.0
    while True:
        head, now = audit.head(), time.monotonic()
        if head is not None and (now >= due or head.seq - audit.anchored >= ANCHOR_EVERY):
            await asyncio.to_thread(audit.anchor, head)  # the other place may be slow, and exchanges do not wait for it
            due = now + every
        news.anchored(audit.seq, audit.anchored + 1, audit.unanchored)
        if audit.unanchored > failed:
            failed = audit.unanchored
            log.error("the head of the ledger could not be anchored (audit_heads); tried again in %g s", every)
        await asyncio.sleep(min(every, LOOK_EVERY))


async def _expiring(audit: Audit, news: News) -> None:
    failed = 0
    while True:
        try:
            if erased := await asyncio.to_thread(audit.archive.expire):
                log.info("texts of %d exchanges were erased: their time was over", erased)
        except OSError as error:
            failed += 1
            log.error("old texts could not be erased: %s", type(error).__name__)
        news.expired(failed)
        await asyncio.sleep(ERASE_EVERY)
