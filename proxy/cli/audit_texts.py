"""`sluicegate audit text` and `erase`: reads texts that a policy kept, for those who have the key, and erases them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.cli.audit_record import on_record, shared
from proxy.cli.paint import console, painted, visible
from proxy.cli.stored import DatabaseOption, SettingsOption, in_database, operator, refuse, settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.records.erasures import Erasure
    from proxy.records.textstore import Kept
    from proxy.settings import Settings
    from proxy.state.database import Database

TextsOption = Annotated[
    Path | None,
    typer.Option("--texts", help="The folder in which they are (by the settings).", metavar="FOLDER", show_default=False),
]


def text(
    exchange: Annotated[str, typer.Argument(help="The exchange's id.", metavar="ID")],
    key_env: Annotated[
        str, typer.Option(help="The environment variable with the key, as the policy names it.", metavar="NAME")
    ] = "SLUICEGATE_KEY_TEXTS",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    texts: TextsOption = None,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Show what was said in an exchange whose policy kept it. That somebody looked goes on the ledger, first.

    Example: sluicegate audit text exc-0123 --key-env SLUICEGATE_KEY_TEXTS
    """
    from proxy.records.archive import Archive
    from proxy.records.record import AuditError

    chosen = settings_of(database, settings)
    archive = Archive(_folder(chosen, texts), os.environ)
    try:
        kept = (None if texts else _shared_text(chosen, exchange)) or archive.find(exchange)
        if kept is None:
            refuse([f"no texts of {exchange} are kept: its policy keeps none, or they were erased"])
        opened = archive.open(kept, key_env)
    except (OSError, AuditError) as error:
        refuse([str(error)])
    on_record(chosen, "texts.read", exchange, {})
    if as_json:
        typer.echo(json.dumps({"id": kept.id, "policy": kept.policy, "tenant": kept.tenant, "texts": opened}, ensure_ascii=False))
        return
    out = console()
    for channel, said in opened.items():
        for one in said["texts"]:
            out.print(painted((f"{channel}  ", "bold"), (visible(one["place"]), "dim")))
            for line in one["text"].splitlines():
                out.print(f"    {visible(line)}")
        if said["left_out"]:
            out.print(painted((f"    and {said['left_out']} characters that were not kept", "dim")))


def _shared_text(settings: Settings, exchange: str) -> Kept | None:
    """Texts in the database, where they are sent there."""

    async def found(database: Database) -> Kept | None:
        from proxy.records.shared_texts import SharedTexts
        from proxy.state.migrate import ready

        await ready(database)
        return await SharedTexts(database).find(exchange)

    return in_database(settings, found) if settings.audit_ship_texts else None


def erase(
    exchange: Annotated[
        list[str] | None, typer.Option("--id", help="Of this exchange; several times for several.", show_default=False)
    ] = None,
    tenant: Annotated[list[str] | None, typer.Option(help="Of all exchanges of this tenant.", show_default=False)] = None,
    before: Annotated[str, typer.Option(help="Of all before this time: 2026-11-21, or 7d ago.", show_default=False)] = "",
    texts: TextsOption = None,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Erase texts of exchanges; several options narrow it down. The ledger stays as it is, and is proven as before.

    Where the ledger is sent to a database, they are erased there and, within seconds, on all replicas that run; on others as soon
    as these are back.
    What is erased goes on the ledger first: ids, tenants or a time, and who did it.

    Example: sluicegate audit erase --tenant acme --before 7d
    """
    from proxy.records.erasures import asked, together
    from proxy.records.textstore import TextStore

    if not (exchange or tenant or before):
        refuse(["say which: --id, --tenant or --before"], code=2)
    chosen = settings_of(database, settings)
    store, erasures = TextStore(_folder(chosen, texts)), asked(exchange or (), tenant or (), _moment(before), time.time())
    details: dict[str, Any] = {"ids": exchange or [], "tenants": tenant or [], "before": before}
    on_record(chosen, "texts.erase", "texts", {name: value for name, value in details.items() if value})
    everywhere = not texts and shared(chosen)
    count = in_database(chosen, lambda one: _everywhere(one, erasures)) if everywhere else 0
    try:
        here = store.erase(together(erasures).means)
    except OSError as error:
        refuse([f"{error.filename or store.folder}: {error.strerror}"])
    if everywhere:
        say = f"the texts of {count} exchange{'s' * (count != 1)} are erased in the database, of {here} here; replicas follow"
    else:
        say = f"the texts of {here} exchange{'s' * (here != 1)} are erased"
    console().print(painted(("✓ ", "green"), say))


async def _everywhere(database: Database, erasures: Sequence[Erasure]) -> int:
    from proxy.records.shared_texts import SharedTexts, UnfinishedError
    from proxy.state.database import GONE, DatabaseError, reason
    from proxy.state.migrate import ready

    try:
        await ready(database)
        return (await SharedTexts(database).erase(erasures, operator(), time.time()))[0]
    except UnfinishedError as error:
        raise DatabaseError(f"{error}: say it again") from error
    except GONE as error:
        raise DatabaseError(f"{reason(error)}: nothing was erased") from error


def _moment(before: str) -> float | None:
    from datetime import UTC, datetime

    from proxy.records.story import when

    try:
        return datetime.fromisoformat(when(before, datetime.now(UTC))).timestamp() if before else None
    except ValueError as error:
        refuse([f"--before: {error}"], code=2)


def _folder(settings: Settings, texts: Path | None) -> Path:
    from proxy.records.archive import texts_folder

    folder = texts or texts_folder(settings.audit, settings.audit_texts)
    if folder is None:
        refuse([f"the ledger goes to {settings.audit}: name the folder of texts with --texts or audit_texts"], code=2)
    return folder
