"""`sluicegate`: the command line. Each noun has its file; what is heavy is imported when its command runs."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from proxy.cli import demo, policy, rehearse, serve

app = typer.Typer(
    name="sluicegate",
    help="A guardrail proxy for DeepSeek-R1: no word of its reasoning or answer reaches a person before a policy has judged it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"sluicegate {version('sluicegate')}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Options before any command."""


app.command()(serve.serve)
app.command()(demo.demo)
app.command()(rehearse.rehearse)
app.add_typer(policy.app)


def main() -> None:
    """The console script."""
    app()
