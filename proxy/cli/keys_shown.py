"""How keys are shown on the command line."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import typer

from proxy.cli.paint import console, painted

if TYPE_CHECKING:
    from proxy.access.held import AdminKey, CallerKey
    from proxy.access.keys import Key


def record(key: CallerKey | AdminKey) -> dict[str, Any]:
    """A key as JSON has it, its hash left out."""
    from proxy.access.held import AdminKey
    from proxy.access.written import given

    own: dict[str, Any]
    if isinstance(key, AdminKey):
        own = {"role": key.role.value}
    else:
        routes = None if key.routes is None else list(key.routes)
        own = {"tenant": key.tenant, "routes": routes, "policies": list(key.policies), "limits": given(key.limits)}
    times = {name: getattr(key, name) for name in ("created", "expires", "revoked", "former_until", "last_used")}
    return {
        "id": key.id,
        "name": key.name,
        "standing": key.standing(time.time()),
        **own,
        **times,
    }


def words(key: CallerKey | AdminKey) -> dict[str, str]:
    """The same for people: times UTC, `-` for what there is not."""
    from proxy.access.spans import shown

    told = record(key)
    at = {name: shown(told[name], "-") for name in ("created", "revoked", "former_until")} | {"expires": shown(key.expires)}
    limits = " ".join(f"{name}={value}" for name, value in told.get("limits", {}).items())
    lists: dict[str, object] = {name: " ".join(told[name] or ()) for name in ("routes", "policies") if name in told}
    if "routes" in lists and told["routes"] is None:
        lists["routes"] = "all"
    every: dict[str, object] = {**told, **at, **lists, "limits": limits}
    return {name: str(value) if value else "-" for name, value in every.items()}


def row(key: CallerKey | AdminKey) -> list[str]:
    """A key as a line of the table."""
    told = words(key)
    whose = told.get("tenant") or f"admin: {told['role']}"
    last = [told.get(name, "-") for name in ("routes", "policies", "limits", "last_used")]
    return [key.id, whose, told["name"], told["standing"], told["expires"], *last]


def print_made(key: Key, held: CallerKey | AdminKey, as_json: bool, where: str) -> None:
    """The key, for the only time, and `where` its hash is kept. In a pipe it is the one line of standard output."""
    if as_json:
        typer.echo(json.dumps({**record(held), "key": key.text}, indent=2))
        return
    if not sys.stdout.isatty():
        typer.echo(key.text)  # a script reads the one line; the rest is for people
    out = console(sys.stdout if sys.stdout.isatty() else sys.stderr)
    if sys.stdout.isatty():
        out.print(painted("\n  ", (key.text, "bold cyan"), "\n"))
    out.print(painted(("  this is the only time that the key is shown; ", "yellow"), f"its id is {key.id}"))
    out.print(painted((f"  its hash is kept in {where}, for servers with this database", "dim")))


def print_entry(key: Key, held: CallerKey | AdminKey) -> None:
    """What belongs into a keys file on standard output, the key on standard error."""
    from datetime import UTC, datetime

    told = record(held)
    lines = [f"  {key.id}:", f"    hash: {held.hash}", f"    name: {json.dumps(held.name)}"]
    if held.expires is not None:
        lines.append(f'    expires: "{datetime.fromtimestamp(held.expires, UTC).strftime("%Y-%m-%dT%H:%M:%S")}"')
    lines += [
        f"    {name}: {json.dumps(told[name])}" for name in ("role", "tenant", "routes", "policies", "limits") if told.get(name)
    ]
    typer.echo("\n".join(["admin_keys:" if key.admin else "keys:", *lines]))
    err = console(sys.stderr)
    err.print(painted("\n  ", (key.text, "bold cyan"), "\n"))
    err.print(
        painted(
            ("  this is the only time that the key is shown; ", "yellow"),
            "the lines on standard output belong into the keys file",
        )
    )
