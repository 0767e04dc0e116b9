"""`sluicegate keys …`: who may come in.

What reads the database is imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.cli.keys_asked import expiry_of, id_of_key, known_policies, limits_of, moment_of, name_of, role_of, route_names
from proxy.cli.keys_shown import print_entry, print_made, record, row, words
from proxy.cli.paint import console, painted, visible
from proxy.cli.stored import (
    DatabaseOption,
    Json,
    SettingsOption,
    hashing_of,
    in_store,
    operator,
    refuse,
    settings_of,
    shown_place,
    table,
)

if TYPE_CHECKING:
    from proxy.access.held import AdminKey, CallerKey
    from proxy.access.keys import Key

app = typer.Typer(
    name="keys",
    help="Make, list, rotate and revoke keys. Servers hear of it within a second; none needs a restart.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The key's public id, as `keys list` shows it, or the key itself.")]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit", help="A bound, like requests_per_minute=60; as often as needed.", metavar="NAME=N", show_default=False
    ),
]
COLOURS = {"active": "green", "expired": "yellow", "revoked": "red"}


@app.command()
def create(
    tenant: Annotated[str, typer.Option(help="Whom the key belongs to.")] = "default",
    name: Annotated[str, typer.Option(help="What it is for, in your words.", show_default=False)] = "",
    route: Annotated[
        list[str] | None, typer.Option(help="A model that it may use (all); as often as needed.", show_default=False)
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            help="A policy that it may pick by header (the route's, no choice); the first is usual.", show_default=False
        ),
    ] = None,
    limit: Limit = None,
    expires: Annotated[str, typer.Option(help="A span from now (90d), a date or time, or never.")] = "never",
    admin: Annotated[bool, typer.Option("--admin", help="An administrator's key, for the admin API.")] = False,
    role: Annotated[
        str, typer.Option(help="Of an administrator: operator, policy_editor, reviewer or auditor.", show_default=False)
    ] = "",
    for_file: Annotated[bool, typer.Option("--for-file", help="Keep nothing; print what belongs into a keys file.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Take policies that this machine does not have.")] = False,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
    as_json: Json = False,
) -> None:
    """Make a key. It is shown once: what is kept is a hash.

    Exit code 2: something that was asked for is wrong. Exit code 1: the database cannot be used.

    Example: sluicegate keys create --tenant acme --name "ci" --limit requests_per_minute=60 --expires 90d
    """
    from proxy.access.held import AdminKey, CallerKey
    from proxy.access.keys import new_key

    chosen = settings_of(database, settings)
    if not force:
        known_policies(chosen, policy or [])
    key = new_key(admin=admin)
    life: dict[str, Any] = {"name": name_of(name, "--name"), "created": round(time.time()), "expires": expiry_of(expires)}
    hashed = hashing_of().hash(key.text)
    held: CallerKey | AdminKey
    if admin:
        held = AdminKey(key.id, hashed, **life, role=role_of(role, tenant, route, policy, limit))
    else:
        if role:
            refuse(["--role belongs to --admin"], code=2)
        shape: dict[str, Any] = {
            "routes": None if route is None else tuple(route_names(route)),
            "limits": limits_of(limit or []),
        }
        held = CallerKey(key.id, hashed, **life, tenant=tenant, policies=tuple(policy or ()), **shape)
    if for_file:
        print_entry(key, held)
        return
    in_store(
        chosen,
        lambda store: store.add_admin(held, operator()) if isinstance(held, AdminKey) else store.add_key(held, operator()),
        make=True,
    )
    print_made(key, held, as_json, shown_place(chosen))


@app.command("list")
def list_(
    tenant: Annotated[str, typer.Option(help="Only this tenant's.", show_default=False)] = "",
    every: Annotated[bool, typer.Option("--all", help="Revoked and expired ones too.")] = False,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
    as_json: Json = False,
) -> None:
    """List keys, administrators' keys after the others.

    Example: sluicegate keys list --tenant acme
    """
    chosen = settings_of(database, settings)

    async def read(store: Any) -> list[CallerKey | AdminKey]:
        if tenant:
            await store.tenant(tenant)  # a slip of the pen is not a tenant without keys
        return [*await store.keys(tenant), *([] if tenant else await store.admins())]

    keys = [key for key in in_store(chosen, read) if every or key.standing(time.time()) == "active"]
    if as_json:
        typer.echo(json.dumps([record(key) for key in keys], indent=2))
        return
    heads = ("ID", "TENANT", "NAME", "STANDING", "EXPIRES", "ROUTES", "POLICIES", "LIMITS", "LAST USED")
    table(heads, [row(key) for key in keys], paint=lambda cell: COLOURS.get(cell, ""))


@app.command()
def show(id: Id, database: DatabaseOption = None, settings: SettingsOption = None, as_json: Json = False) -> None:  # noqa: A002
    """Show all that is kept of a key.

    Example: sluicegate keys show k3fh7wq2mzpx
    """
    key = in_store(settings_of(database, settings), lambda store: store.key(id_of_key(id)))
    if as_json:
        typer.echo(json.dumps(record(key), indent=2))
        return
    for field, word in words(key).items():
        console().print(painted((f"{field:<13}", "dim"), (visible(word), COLOURS.get(word, ""))))


@app.command()
def rotate(
    id: Id,  # noqa: A002
    overlap: Annotated[str, typer.Option(help="How long the secret before opens too: 24h, 30m, 0.")] = "24h",
    database: DatabaseOption = None,
    settings: SettingsOption = None,
    as_json: Json = False,
) -> None:
    """Give a key a new secret, shown once. Its id, limits and all else stay.

    Example: sluicegate keys rotate k3fh7wq2mzpx --overlap 1h
    """
    from proxy.access.held import AdminKey
    from proxy.access.keys import renewed
    from proxy.access.spans import span

    try:
        seconds = span(overlap)
    except ValueError as error:
        refuse([f"--overlap: {error}"], code=2)
    hashing = hashing_of()

    async def work(store: Any) -> tuple[Key, CallerKey | AdminKey]:
        key = renewed(id_of_key(id), admin=isinstance(await store.key(id_of_key(id)), AdminKey))
        return key, await store.rotate(key.id, hashing.hash(key.text), seconds, operator())

    chosen = settings_of(database, settings)
    key, held = in_store(chosen, work)
    print_made(key, held, as_json, shown_place(chosen))


@app.command()
def revoke(id: Id, database: DatabaseOption = None, settings: SettingsOption = None) -> None:  # noqa: A002
    """End a key for good. Every server refuses it within a second.

    Example: sluicegate keys revoke k3fh7wq2mzpx
    """
    key = in_store(settings_of(database, settings), lambda store: store.revoke(id_of_key(id), operator()))
    console().print(painted(("✓ ", "green"), f"{key.id} is revoked"))


@app.command()
def history(
    target: Annotated[
        str, typer.Argument(help="A key's id or a tenant's name (all).", metavar="ID|TENANT", show_default=False)
    ] = "",
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="How many, the newest first.")] = 100,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
    as_json: Json = False,
) -> None:
    """Show who did what to keys and tenants.

    Example: sluicegate keys history k3fh7wq2mzpx
    """
    from dataclasses import asdict

    from proxy.access.spans import shown

    deeds = in_store(settings_of(database, settings), lambda store: store.deeds(target, most))
    if as_json:
        typer.echo(json.dumps([asdict(deed) for deed in deeds], indent=2))
        return
    rows = [(shown(one.at), one.who, one.action, one.target, json.dumps(one.details, ensure_ascii=False)) for one in deeds]
    table(("AT", "WHO", "DID", "TO", "DETAILS"), rows)


@app.command()
def expire(
    id: Id,  # noqa: A002
    at: Annotated[str, typer.Argument(help="A span from now (30d), a date or time, or never.", metavar="WHEN")],
    database: DatabaseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Set when a key expires.

    Example: sluicegate keys expire k3fh7wq2mzpx 2027-01-31
    """
    from proxy.access.spans import shown

    moment = moment_of(at)
    key = in_store(settings_of(database, settings), lambda store: store.set_key(id_of_key(id), operator(), expires=moment))
    console().print(painted(("✓ ", "green"), f"{key.id} expires: {shown(key.expires)}"))


@app.command("limit")
def limit_(
    id: Id,  # noqa: A002
    limit: Annotated[list[str] | None, typer.Argument(help="Bounds; none takes them all away.", metavar="NAME=N…")] = None,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Set a key's limits, in place of those it had.

    Example: sluicegate keys limit k3fh7wq2mzpx requests_per_minute=60 streams=4
    """
    from proxy.access.written import given

    limits = given(limits_of(limit or []))
    key = in_store(settings_of(database, settings), lambda store: store.set_key(id_of_key(id), operator(), limits=limits))
    bounds = " ".join(f"{name}={value}" for name, value in limits.items())
    console().print(painted(("✓ ", "green"), f"{key.id}: {bounds or 'no limits of its own'}"))
