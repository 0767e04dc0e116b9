"""`sluicegate policy replay`: what would change if another policy were in force.

What judges is imported inside the command, so that `--help` answers at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.cli.paint import console, painted, visible
from proxy.cli.stored import DatabaseOption, Json, SettingsOption, refuse, settings_of, table

if TYPE_CHECKING:
    from policies.bind import Builder
    from proxy.prompt.profile import Profile
    from proxy.records.textstore import Kept
    from proxy.routes.route import Bench
    from proxy.settings import Settings
    from proxy.shadow.cases import Case
    from proxy.shadow.compared import Compared, Sums

RESULTS = ("agree", "only_live", "only_shadow", "other_action")
HEADS = ("rule", "both alike", "baseline only", "candidate only", "other action")


def replay(
    prompts: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE…]", help="JSON lines (prompt, text and channel, or messages), or a prompt on each line."),
    ] = None,
    candidate: Annotated[
        str, typer.Option("--candidate", help="A policy file, a name of the library, or store:NAME or store:NAME@VERSION.")
    ] = "",
    baseline: Annotated[
        str, typer.Option("--baseline", help="What it is compared with, as for --candidate (the policy of the settings).")
    ] = "",
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Judge recorded exchanges, whose texts their policy kept, too.")
    ] = False,
    texts: Annotated[
        Path | None,
        typer.Option("--texts", help="The folder of their texts (by the settings).", metavar="FOLDER", show_default=False),
    ] = None,
    key_env: Annotated[
        str, typer.Option(help="The variable with the key of their texts (that of the baseline's record).", show_default=False)
    ] = "",
    exchange: Annotated[
        list[str] | None, typer.Option("--id", help="Of these exchanges only; as often as needed.", show_default=False)
    ] = None,
    since: Annotated[str, typer.Option(help="From this date or time on: 2026-11-21.", show_default=False)] = "",
    until: Annotated[str, typer.Option(help="Before this date or time.", show_default=False)] = "",
    most: Annotated[int, typer.Option(help="Judge so many at most.", min=1)] = 1_000_000,
    show: Annotated[int, typer.Option(help="Show so many of those that would change, with their first words.", min=0)] = 0,
    database: DatabaseOption = None,
    settings: SettingsOption = None,
    as_json: Json = False,
) -> None:
    """Judge prompts and recorded exchanges with two policies, and tell what would change, by rule and action.

    No model is asked: replies are judged where a file or a record has them. Exit code 0: nothing would change. Exit code 1:
    something would. Exit code 2: a policy or a file has a mistake.

    Example: sluicegate policy replay --candidate stricter.yaml --baseline default prompts.jsonl --show 5
    """
    if not candidate or not (prompts or recorded):
        refuse(["say which policy (--candidate) and what to judge: files of prompts, or --recorded"], code=2)
    from classifiers.registry import Registry
    from policies.bind import Builder
    from proxy.shadow.cases import CaseError

    chosen, builder = settings_of(database, settings), Builder(Registry())
    try:
        benches = _bench(chosen, baseline or chosen.policy, builder), _bench(chosen, candidate, builder)
        cases = _cases(prompts or [])
        if recorded:
            variable = key_env or benches[0].policy.record.key_env or benches[1].policy.record.key_env
            cases = _chained(cases, _recorded(chosen, texts, variable, exchange or [], since, until))
        sums, changed = asyncio.run(_judge(benches, islice(cases, most), _profile(chosen), keep=show, quiet=as_json))
    except CaseError as error:
        refuse([str(error)], code=2)
    finally:
        builder.close()
    if not sums.whole.total():
        refuse(["there was nothing to judge"], code=2)
    if as_json:
        _print_json(sums, changed)
    else:
        _print(sums, changed, benches)
    different = any(result != "agree" for _, result in sums.rules) or sums.whole["same"] < sums.whole.total()
    raise typer.Exit(1 if different else 0)


def _bench(settings: Settings, policy: str, builder: Builder) -> Bench:
    from policies.mistakes import LoadError
    from proxy.reload.candidate import from_store, gathered
    from proxy.reload.shelf import stored_now
    from proxy.routes.route import bench

    own = settings.model_copy(update={"policy": policy, "routes": "", "policy_store": False})
    if policy != settings.policy:
        own = own.model_copy(update={"policy_name": ""})
    try:
        return bench(gathered(own, builder, stored_now(own) if from_store(own) else {}).usual, builder)
    except LoadError as error:
        refuse([str(mistake) for mistake in error.mistakes], code=2)


def _profile(settings: Settings) -> Profile | None:
    """What the settings say of the model; None where they do not."""
    from proxy.prompt.profile import load_profile, profile_for

    return load_profile(settings.profile) if settings.profile else profile_for(settings.model)


def _cases(files: Sequence[Path]) -> Iterator[Case]:
    from proxy.shadow.cases import from_file

    for file in files:
        yield from from_file(file)


def _chained(one: Iterable[Case], other: Iterable[Case]) -> Iterator[Case]:
    yield from one
    yield from other


def _recorded(
    settings: Settings, texts: Path | None, variable: str, ids: Sequence[str], since: str, until: str
) -> Iterator[Case]:
    from proxy.records.archive import Archive, texts_folder
    from proxy.records.audit import AuditError
    from proxy.shadow.cases import CaseError
    from proxy.shadow.recorded import from_texts

    folder = texts or texts_folder(settings.audit, settings.audit_texts)
    if folder is None or not folder.is_dir():
        raise CaseError(f"there is no folder of texts{f' {folder}' if folder else ''}: name it with --texts")
    if not variable:
        raise CaseError(
            "neither policy says in record.key_env which variable holds the key of recorded texts: name it with --key-env"
        )
    archive, begin, end = Archive(folder, os.environ), _moment(since, 0.0), _moment(until, float("inf"))

    def meant(kept: Kept) -> bool:
        return (not ids or kept.id in ids) and begin <= kept.at < end

    try:
        for kept in filter(meant, archive.all()):
            yield from_texts(kept.id, archive.open(kept, variable))
    except (AuditError, OSError) as error:
        raise CaseError(str(error)) from None


def _moment(written: str, otherwise: float) -> float:
    from proxy.shadow.cases import CaseError

    if not written:
        return otherwise
    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        raise CaseError(f"'{written}' is no date or time: write 2026-11-21 or 2026-11-21T18:00:00+00:00") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


async def _judge(
    benches: tuple[Bench, Bench], cases: Iterable[Case], profile: Profile | None, *, keep: int, quiet: bool
) -> tuple[Sums, list[tuple[Case, Compared]]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from proxy.shadow.compared import Sums, compare
    from proxy.shadow.judged import Setting, judged

    sums, changed = Sums(), list[tuple[Any, Any]]()
    err = console(sys.stderr)
    every = list(cases)
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=quiet or not err.is_terminal) as progress:
        task = progress.add_task("", total=len(every))
        for case in every:
            setting = Setting(profile, gates=case.gates)
            live, shadow = [await judged(one, case.request(one.policy), case.batches(), setting) for one in benches]
            found = compare(live, shadow)
            sums.add(found)
            if found.differs and len(changed) < max(keep, 0):
                changed.append((case, found))
            progress.advance(task)
    return sums, changed


def _print(sums: Sums, changed: Sequence[tuple[Case, Compared]], benches: tuple[Bench, Bench]) -> None:
    out = console()
    named = " → ".join(f"{one.policy.name} {one.policy.digest[:12]}" for one in benches)
    whole = ", ".join(f"{sums.whole[name]} {name}" for name in ("same", "stricter", "milder"))
    out.print(painted((visible(named), "bold"), f": {sums.whole.total()} judged: {whole}"))
    names = sorted({name for name, _ in sums.rules})
    if names:
        out.print()
        table(HEADS, [(name, *(sums.rules[name, result] or "" for result in RESULTS)) for name in names])
    moved = {pair: count for pair, count in sorted(sums.actions.items()) if pair[0] != pair[1]}
    if moved:
        out.print()
        table(("baseline", "candidate", "how many"), [(*pair, count) for pair, count in moved.items()])
    if changed:
        out.print()
    for case, found in changed:
        how = ", ".join(f"{name}: {result.replace('_', ' ')}" for name, result in found.rules.items() if result != "agree")
        how = how.replace("only live", "baseline only").replace("only shadow", "candidate only")
        actions = f"{found.live.action.word} → {found.shadow.action.word}"
        out.print(
            painted((f"{visible(case.name)} ", "dim"), (actions, "yellow"), f" ({visible(how)}) ", (visible(case.short), "dim"))
        )


def _print_json(sums: Sums, changed: Sequence[tuple[Case, Compared]]) -> None:
    names = sorted({name for name, _ in sums.rules})
    form = {
        "judged": sums.whole.total(),
        **{name: sums.whole[name] for name in ("same", "stricter", "milder")},
        "rules": {name: {result: sums.rules[name, result] for result in RESULTS} for name in names},
        "actions": [{"baseline": old, "candidate": new, "count": count} for (old, new), count in sorted(sums.actions.items())],
        "changed": [{"case": case.name, "begins": case.short, **found.told()} for case, found in changed],
    }
    typer.echo(json.dumps(form, indent=2, ensure_ascii=False))
