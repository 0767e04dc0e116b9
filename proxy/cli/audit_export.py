"""`sluicegate audit export`: the ledger of all replicas out of the database, line by line as it stands in their files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli.audit_record import readable
from proxy.cli.stored import DatabaseOption, SettingsOption, in_database, settings_of

if TYPE_CHECKING:
    from proxy.state.database import Database


def export(
    texts: Annotated[
        Path | None,
        typer.Option(help="Put the sealed texts that were sent there into this folder.", metavar="FOLDER", show_default=False),
    ] = None,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Print the ledger that was sent to the database, for verify and show.

    Example: sluicegate audit export > all.jsonl && sluicegate audit verify all.jsonl --heads heads.jsonl
    """
    chosen = settings_of(database, settings)
    with readable():
        if texts is not None:
            in_database(chosen, lambda one: _stored(one, texts))
        in_database(chosen, _printed)


async def _stored(database: Database, folder: Path) -> None:
    from proxy.records.shared_texts import SharedTexts
    from proxy.records.textstore import TextStore, kept_of
    from proxy.state.migrate import ready

    await ready(database)
    store = TextStore(folder)
    there = {kept.id for kept in store.all()}
    async for line in SharedTexts(database).all():
        kept = kept_of(line)
        if kept is not None and kept.id not in there:
            store.keep(kept)


async def _printed(database: Database) -> None:
    from sqlalchemy import select

    from proxy.state.migrate import ready
    from proxy.state.tables import LEDGER

    await ready(database)
    wanted = select(LEDGER.c.line).order_by(LEDGER.c.writer, LEDGER.c.seq)
    async with database.reading() as connection:  # one statement sees one moment: no line without the one before
        async for line in await connection.stream_scalars(wanted):
            sys.stdout.write(f"{line}\n")
