"""`sluicegate policy replay`: what would change if another policy were in force.

What judges is imported inside the command, so that `--help` answers at once.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from proxy.cli.paint import console, painted, visible
from proxy.cli.stored import DatabaseOption, Json, SettingsOption, refuse, settings_of, table

if TYPE_CHECKING:
    from policies.bind import Builder
    from proxy.cli.replay_cases import Source
    from proxy.prompt.profile import Profile
    from proxy.routes.route import Bench
    from proxy.settings import Settings
    from proxy.shadow.cases import Case
    from proxy.shadow.compared import Compared, Run, Sums

RESULTS = ("agree", "only_live", "only_shadow", "other_action")
HEADS = ("rule", "both alike", "baseline only", "candidate only", "other action")


def replay(
    prompts: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE…]", help="JSON lines (prompt, text and channel, or messages), or a prompt on each line; - for a pipe."
        ),
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
    something would. Exit code 2: a policy or a file has a mistake. Exit code 130: interrupted; what was judged is told.

    Example: sluicegate policy replay --candidate stricter.yaml --baseline default prompts.jsonl --show 5
    """
    if not candidate or not (prompts or recorded):
        refuse(["say which policy (--candidate) and what to judge: files of prompts, or --recorded"], code=2)
    from classifiers.registry import Registry
    from policies.bind import Builder
    from proxy.cli.replay_cases import FOREVER, Wanted, moment
    from proxy.cli.replay_cases import recorded as kept_here
    from proxy.shadow.cases import CaseError
    from proxy.shadow.compared import Run

    chosen, builder = settings_of(database, settings), Builder(Registry())
    run = Run(keep=show, quiet=as_json)
    try:
        benches = _bench(chosen, baseline or chosen.policy, builder), _bench(chosen, candidate, builder)
        sources = _sources(prompts or [])
        if recorded:
            variable = key_env or benches[0].policy.record.key_env or benches[1].policy.record.key_env
            wanted = Wanted(frozenset(exchange or ()), moment(since, 0.0), moment(until, FOREVER))
            sources.append(kept_here(chosen, texts, variable, wanted))
        total = min(most, sum(source.count() for source in sources))
        if not total:
            refuse([f"there is nothing to judge: {'; '.join(source.shown for source in sources)}"], code=2)
        _run(_judge(benches, sources, _profile(chosen), total, run), run)
    except CaseError as error:
        refuse([str(error)], code=2)
    finally:
        builder.close()
    _finish(run, benches, [one for source in sources for one in source.left_out], total, as_json=as_json)


def _run(judging: Coroutine[Any, Any, None], run: Run) -> None:
    try:
        asyncio.run(judging)
    except KeyboardInterrupt:  # what was judged so far is told
        run.interrupted = True


def _finish(run: Run, benches: tuple[Bench, Bench], left_out: Sequence[str], total: int, *, as_json: bool) -> NoReturn:
    """Tells what came of it and leaves."""
    sums = run.sums
    if as_json:
        _print_json(run, len(left_out))
    elif sums.whole.total():
        _print(sums, run.changed, benches)
    err = console(sys.stderr)
    if left_out:
        err.print(painted(("! ", "yellow"), f"{len(left_out)} left out: {visible(left_out[0])}"))
    if run.interrupted:
        err.print(painted(("! ", "yellow"), f"interrupted: {sums.whole.total()} of {total} were judged"))
        raise typer.Exit(130)
    if not sums.whole.total():
        refuse(["there was nothing that could be judged"], code=2)
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


def _sources(files: Sequence[Path]) -> list[Source]:
    from proxy.cli.replay_cases import INPUT, Piped, Prompts

    return [Piped() if str(file) == INPUT else Prompts(file) for file in files]


async def _judge(benches: tuple[Bench, Bench], sources: Sequence[Source], profile: Profile | None, total: int, run: Run) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from proxy.shadow.compared import compare
    from proxy.shadow.judged import Setting, judged

    err = console(sys.stderr)
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=run.quiet or not err.is_terminal) as progress:
        task = progress.add_task("", total=total)
        for case in islice(chain.from_iterable(source.cases() for source in sources), total):
            setting = Setting(profile, gates=case.gates)
            live, shadow = [await judged(one, case.request(one.policy), case.batches(), setting) for one in benches]
            found = compare(live, shadow)
            run.sums.add(found)
            if found.differs and len(run.changed) < run.keep:
                run.changed.append((case, found))
            progress.advance(task)
            await asyncio.sleep(0)  # where an interruption is heard


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


def _print_json(run: Run, left_out: int) -> None:
    sums = run.sums
    names = sorted({name for name, _ in sums.rules})
    form = {
        "judged": sums.whole.total(),
        **{name: sums.whole[name] for name in ("same", "stricter", "milder")},
        "rules": {name: {result: sums.rules[name, result] for result in RESULTS} for name in names},
        "actions": [{"baseline": old, "candidate": new, "count": count} for (old, new), count in sorted(sums.actions.items())],
        "changed": [{"case": case.name, "begins": case.short, **found.told()} for case, found in run.changed],
        "left_out": left_out,
        "interrupted": run.interrupted,
    }
    typer.echo(json.dumps(form, indent=2, ensure_ascii=False))
