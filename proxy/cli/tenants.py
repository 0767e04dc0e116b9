"""`sluicegate tenants …`: whom keys belong to."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.cli.keys import Limit
from proxy.cli.keys_asked import limits_of, name_of
from proxy.cli.paint import console, painted
from proxy.cli.stored import DatabaseOption, Json, SettingsOption, in_store, operator, refuse, settings_of, table

if TYPE_CHECKING:
    from proxy.access.held import Tenant

app = typer.Typer(
    name="tenants",
    help="Make, list, limit and close tenants: whom keys belong to. Their limits hold for all their keys together.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The tenant's name.")]


@app.command()
def create(
    name: Name,
    note: Annotated[str, typer.Option(help="What you want to remember about it.", show_default=False)] = "",
    limit: Limit = None,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Make a tenant.

    Example: sluicegate tenants create acme --limit tokens_per_day=5000000
    """
    from proxy.access.held import Tenant
    from proxy.access.written import TENANT

    if re.fullmatch(TENANT, name) is None:
        refuse([f"'{name}' is no tenant's name: letters, digits, and . _ @ - within, at most 64"], code=2)
    tenant = Tenant(name, limits_of(limit or []), name_of(note, "--note"))
    in_store(settings_of(database, settings), lambda store: store.add_tenant(tenant, operator()), make=True)
    console().print(painted(("✓ ", "green"), f"{name}; next: sluicegate keys create --tenant {name}"))


@app.command("list")
def list_(database: DatabaseOption = None, settings: SettingsOption = None, as_json: Json = False) -> None:
    """List all tenants.

    Example: sluicegate tenants list
    """
    from proxy.access.spans import shown

    tenants = in_store(settings_of(database, settings), lambda store: store.tenants())
    if as_json:
        typer.echo(json.dumps([_record(tenant) for tenant in tenants], indent=2))
        return
    rows = [(one.name, shown(one.closed, "open"), _limits(one), one.note) for one in tenants]
    table(("NAME", "CLOSED", "LIMITS", "NOTE"), rows)


@app.command("limit")
def limit_(
    name: Name,
    limit: Annotated[list[str] | None, typer.Argument(help="Bounds; none takes them all away.", metavar="NAME=N…")] = None,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
) -> None:
    """Set a tenant's limits, in place of those it had.

    Example: sluicegate tenants limit acme requests_per_minute=600 streams=20
    """
    from proxy.access.written import given

    limits = given(limits_of(limit or []))
    tenant = in_store(settings_of(database, settings), lambda store: store.set_tenant(name, operator(), limits=limits))
    console().print(painted(("✓ ", "green"), f"{tenant.name}: {_limits(tenant) or 'no limits'}"))


@app.command()
def close(name: Name, database: DatabaseOption = None, settings: SettingsOption = None) -> None:
    """Close a tenant and revoke its keys, for good.

    Example: sluicegate tenants close acme
    """
    count = in_store(settings_of(database, settings), lambda store: store.close_tenant(name, operator()))
    console().print(painted(("✓ ", "green"), f"{name} is closed; {count} key{'s' * (count != 1)} revoked"))


def _limits(tenant: Tenant) -> str:
    from proxy.access.written import given

    return " ".join(f"{bound}={value}" for bound, value in given(tenant.limits).items())


def _record(tenant: Tenant) -> dict[str, Any]:
    from proxy.access.written import given

    limits = given(tenant.limits)
    return {"name": tenant.name, "note": tenant.note, "limits": limits, "created": tenant.created, "closed": tenant.closed}
