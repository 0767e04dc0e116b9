"""`sluicegate policy push | history | diff | text | activate | rollback`: policies in the database, and their versions.

What reads the database is imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from proxy.cli.paint import console, mistake_lines, painted, visible
from proxy.cli.stored import DatabaseOption, Json, SettingsOption, in_database, operator, refuse, settings_of, table

if TYPE_CHECKING:
    from policies.compare import Difference
    from policies.policy import Policy
    from proxy.reload.store import PolicyStore
    from proxy.reload.version import Version
    from proxy.settings import Settings
    from proxy.state.database import Database

Done = TypeVar("Done")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The policy's name in the store.")]
Message = Annotated[str, typer.Option("--message", "-m", help="What the change is for.", show_default=False)]
MARKS = {"added": ("+ ", "green"), "removed": ("- ", "red"), "changed": ("~ ", "yellow")}


def push(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")],
    message: Message = "",
    activate_it: Annotated[bool, typer.Option("--activate/--no-activate", help="Put it in force at once.")] = True,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
    as_json: Json = False,
) -> None:
    """Put a policy into the store, as a new version under its own name. It is checked and tested first.

    Servers with --policy store:NAME, or with policy_store, have it within a second, if it is good there too.
    Exit code 1: the policy has a mistake, one of its tests fails, or the database cannot be used.

    Example: sluicegate policy push support-desk.yaml --message "Mask order numbers"
    """
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        refuse([f"cannot read {file}: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"], code=2)
    policy = _examined(text, str(file))
    chosen = settings_of(database, settings)
    made = _in_store(
        chosen, lambda store: store.push(policy.name, text, policy.digest, operator(), message, activate=activate_it), make=True
    )
    _tell(made, "is in force" if made.active else "is kept; put it in force with sluicegate policy activate", as_json)


def history(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="A policy's name; all without it.", show_default=False)] = "",
    database: DatabaseOption = None,
    settings: SettingsOption = None,
    as_json: Json = False,
) -> None:
    """List the versions in the store, newest first: when, by whom, what for, and which is in force.

    Example: sluicegate policy history support-desk
    """
    found = _in_store(settings_of(database, settings), lambda store: store.history(name))
    if as_json:
        typer.echo(json.dumps([_form(one) for one in found], indent=2, ensure_ascii=False))
        return
    rows = [
        (one.name, one.version, "in force" if one.active else "", one.digest[:12], _when(one), one.author, one.message)
        for one in found
    ]
    table(
        ("name", "version", "", "digest", "created", "by", "message"),
        rows,
        paint=lambda cell: "green" * (cell.strip() == "in force"),
    )


def diff(
    name: Name,
    old: Annotated[int, typer.Argument(metavar="[OLD]", help="A version; the one before NEW.", show_default=False)] = 0,
    new: Annotated[int, typer.Argument(metavar="[NEW]", help="A version; the one in force.", show_default=False)] = 0,
    lines: Annotated[bool, typer.Option("--lines", help="As lines of text, not by rule.")] = False,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
    as_json: Json = False,
) -> None:
    """Show what is different between two versions, rule by rule, inheritance resolved.

    Exit code 0: nothing is. Exit code 1: something is, or a version is not there.

    Example: sluicegate policy diff support-desk 3 4
    """
    from policies.mistakes import LoadError
    from proxy.reload.examined import between, lines_between, pair

    async def both(store: PolicyStore) -> tuple[Version, Version]:
        first, second = pair(await store.history(name), name, old, new)
        return await store.version(name, first), await store.version(name, second)

    try:
        before, after = _in_store(settings_of(database, settings), both)
    except ValueError as error:
        refuse([f"{error}, like sluicegate policy diff {name} 1 2"])
    if lines:
        for line in lines_between(before, after):
            console().print(painted((visible(line), {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], ""))))
        raise typer.Exit(1 if before.text != after.text else 0)
    try:
        found = between(before, after)
    except LoadError as error:
        refuse([*(str(one) for one in error.mistakes), "compare them with --lines"])
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2, ensure_ascii=False))
    else:
        print_differences(found)
    raise typer.Exit(1 if found else 0)


def text(
    name: Name,
    version: Annotated[int, typer.Argument(metavar="[VERSION]", help="A version; the one in force.", show_default=False)] = 0,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Print a version as it was pushed.

    Example: sluicegate policy text support-desk 3 > support-desk.yaml
    """
    typer.echo(_in_store(settings_of(database, settings), lambda store: store.version(name, version)).text, nl=False)


def activate(
    name: Name,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="The version to put in force.")],
    database: DatabaseOption = None,
    settings: SettingsOption = None,
    as_json: Json = False,
) -> None:
    """Put a version in force. It is checked and tested first.

    Example: sluicegate policy activate support-desk 4
    """
    _put(settings_of(database, settings), name, version, "policy.activate", as_json)


def rollback(
    name: Name,
    version: Annotated[
        int, typer.Argument(metavar="[VERSION]", help="A version; the last before that was in force.", show_default=False)
    ] = 0,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
    as_json: Json = False,
) -> None:
    """Go back to an earlier version. Nothing is lost: the later ones stay in the history.

    Example: sluicegate policy rollback support-desk
    """
    from proxy.reload.examined import previous

    chosen = settings_of(database, settings)
    if not version:
        try:
            version = previous(_in_store(chosen, lambda store: store.history(name)), name)
        except ValueError as error:
            refuse([str(error)])
    _put(chosen, name, version, "policy.rollback", as_json)


COMMANDS = (push, history, diff, text, activate, rollback)


def print_differences(found: Sequence[Difference]) -> None:
    """One line for each; for what was changed, what it was and what it is; for lists, what went and what came."""
    out = console()
    if not found:
        out.print("no difference in meaning")
    for one in found:
        mark, style = MARKS[one.kind]
        if one.kind != "changed":
            value = one.before if one.kind == "removed" else one.after
            out.print(painted((mark, style), (visible(one.place), "bold"), ": ", (_short(value), style)))
            continue
        before, after = _apart(one.before, one.after)
        out.print(painted((mark, style), (visible(one.place), "bold"), ": ", (before, "red"), " → ", (after, "green")))


def _apart(before: Any, after: Any) -> tuple[str, str]:
    if not (isinstance(before, list) and isinstance(after, list)):
        return _short(before), _short(after)
    went, came = [one for one in before if one not in after], [one for one in after if one not in before]
    if not went and not came:
        return _short(before), _short(after)  # another order
    return "without " + _short(went) if went else "", "with " + _short(came) if came else "nothing more"


def _short(value: Any) -> str:
    shown = visible(json.dumps(_said(value), ensure_ascii=False))
    return shown if len(shown) <= 300 else shown[:299] + "…"


def _said(value: Any) -> Any:
    """Without what says nothing."""
    if isinstance(value, dict):
        return {key: _said(one) for key, one in value.items() if one is not None}
    return [_said(one) for one in value] if isinstance(value, list) else value


def _put(settings: Settings, name: str, version: int, action: str, as_json: bool) -> None:
    held = _in_store(settings, lambda store: store.version(name, version))
    _examined(held.text, f"store:{name}@{version}", name)
    _tell(_in_store(settings, lambda store: store.activate(name, version, operator(), action)), "is in force", as_json)


def _examined(text: str, shown: str, name: str = "") -> Policy:
    from policies.mistakes import LoadError
    from proxy.reload.examined import examined

    try:
        return examined(text, shown, name)
    except LoadError as error:
        out = console()
        for mistake in error.mistakes:
            for line in mistake_lines(mistake):
                out.print(line)
        refuse([f"{shown} is not taken: {len(error.mistakes)} mistake{'s' * (len(error.mistakes) != 1)}"])


def _in_store(settings: Settings, work: Callable[[PolicyStore], Awaitable[Done]], *, make: bool = False) -> Done:
    from proxy.reload.store import NoVersionError, PolicyStore
    from proxy.state.migrate import ready
    from proxy.state.sharing import teller

    async def done(database: Database) -> Done:
        await ready(database)
        return await work(PolicyStore(database, told=teller(settings, os.environ, "policies")))

    try:
        return in_database(settings, done, make=make)
    except NoVersionError as error:
        refuse([str(error)])


def _tell(made: Version, what: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_form(made), indent=2, ensure_ascii=False))
    else:
        console().print(painted(("✓ ", "green"), f"{made.name} version {made.version} {what}, digest {made.digest[:12]}"))


def _form(one: Version) -> dict[str, Any]:
    form = asdict(one)
    form.pop("text")
    return form


def _when(one: Version) -> str:
    return datetime.fromtimestamp(one.created, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
