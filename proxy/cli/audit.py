"""`sluicegate audit`: proves that the ledger is as it was written, and reads it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from proxy.cli import audit_export, audit_texts
from proxy.cli.audit_record import readable, unheard
from proxy.cli.paint import console, painted, visible
from proxy.cli.stored import SettingsOption, refuse, settings_of

if TYPE_CHECKING:
    from proxy.records.rows import Row
    from proxy.records.verify import Report

app = typer.Typer(
    name="audit", help="Prove that the ledger is as it was written, and read it.", no_args_is_help=True, add_completion=False
)
app.command()(audit_texts.text)
app.command()(audit_texts.erase)
app.command()(audit_export.export)

MOST_SHOWN = 50
LONG = 32 << 20
"""Bytes from which on a progress bar is shown."""

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Files of the ledger, rotated and compressed ones too; - is standard input (by the settings).",
        show_default=False,
        metavar="FILE...",
    ),
]


def _option(text: str, *names: str) -> object:
    return typer.Option(*names, help=text, show_default=False, metavar="WORD")


@app.command()
def verify(
    files: Files = None,
    heads: Annotated[
        list[Path] | None,
        typer.Option(help="Where heads were anchored: proves the ends too.", metavar="FILE", show_default=False),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(help="The folder of texts that policies kept: proves them too.", metavar="FOLDER", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    settings: SettingsOption = None,
) -> None:
    """Find any record that was changed, is missing, doubled, out of order, or cut off.

    Exit code 1: something is wrong, all of it is told. 2: a file cannot be read. Exchanges that were opened and not closed are
    told too; they are no fault of the ledger: the process died, or still runs.

    Example: sluicegate audit verify audit.jsonl* --heads /mnt/elsewhere/heads.jsonl
    """
    import json

    from proxy.records.kept_proof import KeptProof
    from proxy.records.textstore import TextStore
    from proxy.records.verify import as_json as plain
    from proxy.records.verify import read_heads
    from proxy.records.verify import verify as proven

    paths, anchors = _files(files, settings), heads or []
    with readable(), _progress(paths, as_json) as tell:
        kept = KeptProof(TextStore(texts)) if texts else None

        def met(row: Row) -> None:
            tell(row)
            if kept is not None:
                kept.meet(row)

        report = proven(paths, (head for path in anchors for head in read_heads(path)), met)
        if kept is not None:
            report.faults += kept.faults
            report.notes.append(f"texts of {kept.proven} exchanges are as they were sealed")
            report.notes += [f"texts of {kept.unknown} exchanges are kept that no line here has closed"] if kept.unknown else []
    with unheard():
        if as_json:
            typer.echo(json.dumps(plain(report), ensure_ascii=False))
        else:
            _tell(report, bool(anchors))
    raise typer.Exit(0 if report.proven else 1)


def _tell(report: Report, anchored: bool) -> None:
    out = console()
    for fault in report.faults[:MOST_SHOWN]:
        place = f"{fault.file}:{fault.line}: " if fault.line else f"{fault.file}: " if fault.file else ""
        out.print(painted((visible(place), "bold"), (f"{fault.kind}: ", "red"), visible(fault.text)))
    hidden = len(report.faults) - MOST_SHOWN + report.more_faults
    if hidden > 0:
        out.print(painted(f"and {hidden} more" + ("" if report.more_faults else "; --json shows all")))
    for each in report.unfinished[:MOST_SHOWN]:
        why = "its writer ended without closing it" if each.ended else "the process died, or still runs"
        out.print(
            painted((f"{visible(each.file)}:{each.line}: ", "bold"), ("unfinished: ", "yellow"), f"{visible(each.id)}: {why}")
        )
    if len(report.unfinished) > MOST_SHOWN:
        out.print(painted(f"and {len(report.unfinished) - MOST_SHOWN} more unfinished"))
    for note in report.notes:
        out.print(painted(("note: ", "blue"), visible(note)))
    counted = f"{report.lines} lines of {report.writers} writers in {report.files} files, {report.exchanges} exchanges"
    if report.proven:
        ends = f", {report.heads} anchored heads" if anchored else "; their ends are not proven without --heads"
        out.print(painted(("✓ ", "green"), f"{counted}: as they were written{ends}"))
    else:
        count = len(report.faults) + report.more_faults
        out.print(painted(("✗ ", "red"), f"{counted}: {count} fault{'s' * (count != 1)}"))


@app.command()
def show(
    files: Files = None,
    since: Annotated[str, _option("From this time on: 2026-11-21, 2026-11-21T13:00, or 90m, 24h, 7d ago.")] = "",
    until: Annotated[str, _option("Before this time.")] = "",
    exchange: Annotated[list[str] | None, _option("This exchange.", "--id")] = None,
    policy: Annotated[list[str] | None, _option("Under this policy.")] = None,
    rule: Annotated[list[str] | None, _option("In which this rule said something.")] = None,
    action: Annotated[list[str] | None, _option("In which a rule did this: flag, redact, block …")] = None,
    channel: Annotated[list[str] | None, _option("In which a rule said something of this channel.")] = None,
    tenant: Annotated[list[str] | None, _option("Of this tenant.")] = None,
    key: Annotated[list[str] | None, _option("With this key, by its public id.")] = None,
    outcome: Annotated[list[str] | None, _option("That ended so: answered, prompt_blocked …, unfinished.")] = None,
    how: Annotated[Literal["pretty", "json", "csv"], typer.Option("--format", help="How they are shown.")] = "pretty",
    settings: SettingsOption = None,
) -> None:
    """Show exchanges, each once, by the time they ended. Options may be given several times: any of them will do.

    Example: sluicegate audit show --since 24h --action block --format csv
    """
    from proxy.cli.audit_shown import show_csv, show_json, show_pretty
    from proxy.records.story import Question, stories

    begin, end = _time("--since", since), _time("--until", until)
    for option, given in (("--outcome", outcome), ("--action", action), ("--channel", channel)):
        _known(option, given or ())
    words = (exchange, policy, tenant, key, outcome, rule, action, channel)
    question = Question(begin, end, *(frozenset(each or ()) for each in words))
    shown = {"pretty": show_pretty, "json": show_json, "csv": show_csv}[how]
    with readable():
        count = shown(stories(_files(files, settings), question))
    if not count and how == "pretty":
        console(sys.stderr).print("No exchange is like that.")


def _known(option: str, words: Iterable[str]) -> None:
    """Leaves with exit code 2 where a word is none that a record has."""
    from typing import get_args

    from classifiers.finding import Channel
    from policies.mistakes import nearest
    from proxy.cli.audit_shown import ORDER
    from proxy.records.record import Outcome

    known = {"--outcome": (*get_args(Outcome), "unfinished"), "--action": ORDER, "--channel": tuple(Channel)}[option]
    for word in words:
        if word not in known:
            near = nearest(word, known)
            refuse(
                [f"{option}: '{word}' is none" + (f"; did you mean {near}?" if near else f": {', '.join(sorted(known))}")], code=2
            )


def _time(name: str, written: str) -> str:
    from proxy.records.story import when

    try:
        return when(written, datetime.now(UTC)) if written else ""
    except ValueError as error:
        refuse([f"{name}: {error}"], code=2)


def _files(files: list[Path] | None, settings: Path | None) -> list[Path]:
    if files:
        return files
    where = settings_of(None, settings).audit
    if where in ("stdout", "-", "stderr", "off"):
        refuse([f"the ledger goes to {where} (the setting audit): name the files in which it was kept"], code=2)
    return [Path(where)]


@contextmanager
def _progress(paths: list[Path], quiet: bool) -> Iterator[Callable[[Row], None]]:
    """A bar on a terminal, for files that take a while."""
    total = sum(path.stat().st_size for path in paths if path.is_file())
    err = console(sys.stderr)
    if quiet or total < LONG or not err.is_terminal:
        yield lambda row: None
        return
    from rich.progress import Progress

    with Progress(console=err, transient=True) as bar:
        task, done, file, count = bar.add_task("verifying", total=total), 0, "", 0

        def tell(row: Row) -> None:
            nonlocal done, file, count
            if row.file != file:
                done, file = done + (Path(file).stat().st_size if file else 0), row.file
            count += 1
            if count % 5000 == 0:
                bar.update(task, completed=done + row.read)

        yield tell
