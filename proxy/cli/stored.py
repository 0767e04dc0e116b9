"""What commands about keys share: the database that the settings name, and how its troubles are told."""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from proxy.cli.paint import console, painted, visible

if TYPE_CHECKING:
    from proxy.access.keys import Hashing
    from proxy.access.store import KeyStore
    from proxy.settings import Settings
    from proxy.state.database import Database

Done = TypeVar("Done")

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database", help="An SQLite file or a PostgreSQL address (by the settings).", metavar="FILE|URL", show_default=False
    ),
]
SettingsOption = Annotated[Path | None, typer.Option("--settings", help="A settings file, as for serve.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]


def settings_of(database: str | None, file: Path | None) -> Settings:
    """The settings. Tells every mistake and leaves with exit code 2 where there are any."""
    from proxy.settings import SettingsError, load

    try:
        return load({"database": database}, os.environ, file)
    except SettingsError as error:
        refuse(error.mistakes, code=2)


def hashing_of() -> Hashing:
    """How keys are hashed here. Leaves with exit code 2 where the pepper is wrong."""
    from proxy.access.keys import hashing

    try:
        return hashing(os.environ)
    except ValueError as error:
        refuse([str(error)], code=2)


def in_store(settings: Settings, work: Callable[[KeyStore], Awaitable[Done]], *, make: bool = False) -> Done:
    """Runs `work` on the keys of the database. With `make` an embedded one is made where there is none.

    Tells what is wrong and leaves with exit code 1 where the database cannot be used, or has not what is asked for.
    """
    from proxy.access.store import KeyStore, NotThereError
    from proxy.state.migrate import ready
    from proxy.state.sharing import teller

    async def done(database: Database) -> Done:
        await ready(database)
        return await work(KeyStore(database, told=teller(settings, os.environ, "keys")))

    try:
        return in_database(settings, done, make=make)
    except NotThereError as error:
        make_it = "; make it with sluicegate tenants create" if str(error).startswith("there is no tenant") else ""
        refuse([f"{error}{make_it}"])


def in_database(settings: Settings, work: Callable[[Database], Awaitable[Done]], *, make: bool = False) -> Done:
    """The same with the database itself."""
    from proxy.state.database import GONE, Database, DatabaseError, reason
    from proxy.state.place import place

    where = place(settings.database)
    if where is None:
        refuse(["there is no database (the setting database is empty): name one with --database"], code=2)
    if not where.exists and not make:
        made = "it is made with the first key or policy (sluicegate keys create, policy push)"
        refuse([f"there is no database {where.shown} yet: {made}"])

    async def opened() -> Done:
        database = Database(where)
        try:
            return await work(database)
        finally:
            await database.aclose()

    try:
        return asyncio.run(opened())
    except DatabaseError as error:
        refuse([str(error)])
    except GONE as error:
        refuse([f"the database {where.shown} does not answer: {reason(error)}"])


def keys_in_force(settings: Settings) -> str:
    """Whether callers need a key, in words, for the start of a server.

    Brings an embedded database up to date. Leaves with exit code 1 where the schema of another is old, or it does not answer, and
    with exit code 2 where the keys file has a mistake.
    """
    hashing_of()
    known = _keys_of_file(settings) + _keys_of_database(settings)
    if known:
        return f"{known} of callers"
    return "required, there are none" if settings.keys == "required" or settings.keys_file else "none"


def _keys_of_file(settings: Settings) -> int:
    from policies.mistakes import LoadError

    if not settings.keys_file:
        return 0
    from proxy.access.file import load_keys

    try:
        return len(load_keys(Path(settings.keys_file)).keys)
    except LoadError as error:
        refuse([str(mistake) for mistake in error.mistakes], code=2)


def _keys_of_database(settings: Settings) -> int:
    from proxy.state.place import place

    where = place(settings.database)
    if where is None or not where.exists:
        return 0
    return len(in_store(settings, lambda store: store.keys()))


def shown_place(settings: Settings) -> str:
    """Where the database is, without its password."""
    from proxy.state.place import place

    where = place(settings.database)
    return where.shown if where is not None else "no database"


def operator() -> str:
    """Who sits at this command line, for the record."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user without a name
        return f"cli:uid {os.getuid()}"


def table(heads: Iterable[str], rows: Iterable[Iterable[Any]], *, paint: Callable[[str], str] = lambda _: "") -> None:
    """Columns as wide as what is in them; `paint` gives a word's style."""
    lines = [[visible(str(cell)) for cell in row] for row in rows]
    columns = list(heads)
    widths = [max(len(head), *(len(line[at]) for line in lines)) if lines else len(head) for at, head in enumerate(columns)]
    out = console()
    out.print(painted(("  ".join(head.ljust(width) for head, width in zip(columns, widths, strict=True)).rstrip(), "bold")))
    for line in lines:
        padded = [cell.ljust(width) + "  " for cell, width in zip(line[:-1], widths, strict=False)]
        cells = [(text, paint(cell)) for text, cell in zip([*padded, *line[-1:]], line, strict=True)]
        out.print(painted(*cells))


def refuse(lines: Iterable[str], code: int = 1) -> NoReturn:
    """Tells what is wrong and leaves."""
    err = console(sys.stderr)
    for line in lines:
        err.print(painted(("error: ", "bold red"), visible(line)))
    raise typer.Exit(code)
