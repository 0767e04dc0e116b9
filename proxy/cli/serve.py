"""`sluicegate serve`: the proxy in front of a model server."""

from __future__ import annotations

import gc
import os
import socket
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proxy.cli.announced import announce
from proxy.cli.listening import address, config, listen, serve_one
from proxy.cli.stored import refuse

if TYPE_CHECKING:
    from fastapi import FastAPI

    from policies.bind import Builder
    from policies.policy import Policy
    from proxy.routes.load import RoutesFile
    from proxy.settings import Settings

MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def _flag(text: str, *names: str, metavar: str | None = None) -> Any:
    return typer.Option(*names, help=text, metavar=metavar, show_default=False)


def serve(
    policy: Annotated[str | None, _flag("A policy file, a folder of them, or a name: default, strict, observe.")] = None,
    policy_name: Annotated[str | None, _flag("Which policy of the folder.")] = None,
    upstream: Annotated[str | None, _flag("Address of the model server, like http://127.0.0.1:8000/v1.", metavar="URL")] = None,
    model: Annotated[str | None, _flag("The one model to ask it for.")] = None,
    profile: Annotated[str | None, _flag("What the model needs: a profile's name or file (by the model's name).")] = None,
    routes: Annotated[str | None, _flag("A routes file: several models, several model servers.", metavar="FILE")] = None,
    host: Annotated[str | None, _flag("Address to listen on (127.0.0.1).")] = None,
    port: Annotated[str | None, _flag("Port to listen on; 0 takes a free one (8080).")] = None,
    workers: Annotated[str | None, _flag("Processes that share the port (1).")] = None,
    audit: Annotated[str | None, _flag("Where the audit log goes: a path, stdout, stderr, off.")] = None,
    allow_anonymous: Annotated[bool | None, _flag("Listen beyond this machine without a key.", "--allow-anonymous")] = None,
    log_level: Annotated[str | None, _flag("debug, info, warning or error (info).")] = None,
    settings: Annotated[Path | None, _flag("A settings file, YAML or TOML.", metavar="FILE")] = None,
    more: Annotated[
        list[str] | None, _flag("Any other setting; docs/settings.md lists them.", "--set", metavar="NAME=VALUE")
    ] = None,
) -> None:
    """Judge every prompt and every word of reply between clients and a model server.

    Exit code 2: a setting or the policy has a mistake; all of them are told.

    Example: sluicegate serve --policy default --upstream http://127.0.0.1:8000/v1 --port 8080
    """
    flags = {
        "policy": policy,
        "policy_name": policy_name,
        "upstream": upstream,
        "model": model,
        "profile": profile,
        "routes": routes,
        "host": host,
        "port": port,
        "workers": workers,
        "audit": audit,
        "allow_anonymous": allow_anonymous,
        "log_level": log_level,
    }
    chosen = _settings({**_pairs(more or []), **{name: value for name, value in flags.items() if value is not None}}, settings)
    if not chosen.upstream and not chosen.routes:
        refuse([NO_UPSTREAM], code=2)
    builder = builder_of(chosen)
    rules = policy_of(chosen, builder)
    routed = routes_of(chosen, rules, builder)
    refuse_uncounted(chosen, routed)
    run(chosen, rules, builder, routed)


NO_UPSTREAM = (
    "--upstream is missing: say where the model server is, like http://127.0.0.1:8000/v1, or name a file with --routes "
    "(without any: sluicegate demo)"
)


def _pairs(words: list[str]) -> dict[str, str]:
    pairs = dict[str, str]()
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            refuse([f"--set {word}: write it as NAME=VALUE"], code=2)
        pairs[name.strip().replace("-", "_")] = value.strip()
    return pairs


def _settings(flags: Mapping[str, Any], file: Path | None) -> Settings:
    from proxy.settings import SettingsError, load

    try:
        return load(flags, os.environ, file)
    except SettingsError as error:
        refuse(error.mistakes, code=2)


def builder_of(settings: Settings, *, alone: bool = False) -> Builder:
    """What builds classifiers: those that a policy was checked with judge afterwards. With `alone` they share no verdicts.

    Leaves with exit code 2 where the secret of shared verdicts is not to be had.
    """
    from classifiers.registry import Registry
    from policies.bind import Builder
    from proxy.state.sharing import verdicts_of

    try:
        verdicts = None if alone else verdicts_of(settings, os.environ)
    except ValueError as error:
        refuse([str(error)], code=2)
    return Builder(Registry(), threads=settings.classifier_threads or None, verdicts=verdicts)


def policy_of(settings: Settings, builder: Builder) -> Policy:
    """The policy in force. Tells every mistake and leaves with exit code 2 where it does not load."""
    from policies.load import chosen, load_all
    from policies.mistakes import LoadError

    try:
        if settings.policy_store or settings.policy.startswith("store:"):
            from proxy.reload.candidate import gathered
            from proxy.reload.shelf import stored_now

            return gathered(settings.model_copy(update={"routes": ""}), builder, stored_now(settings)).usual
        return chosen(load_all(settings.policy, builder.registry, builder), settings.policy_name)
    except LoadError as error:
        refuse([str(mistake) for mistake in error.mistakes], code=2)
    except KeyError as error:
        refuse([f"policy_name: {error.args[0]}"], code=2)


def routes_of(settings: Settings, policy: Policy, builder: Builder) -> RoutesFile | None:
    """The routes file; None where there is none. Tells every mistake and leaves with exit code 2 where it does not load."""
    if not settings.routes:
        return None
    from policies.mistakes import LoadError
    from proxy.cli.wiring import routes_file

    try:
        return routes_file(settings, policy, builder)
    except LoadError as error:
        refuse([str(mistake) for mistake in error.mistakes], code=2)


def refuse_uncounted(settings: Settings, routes: RoutesFile | None) -> None:
    """Leaves with exit code 2 where there are limits that several processes could not count together."""
    if settings.redis_url or settings.workers * settings.replicas == 1:
        return
    from proxy.access.gates import NEEDS_REDIS, limited

    limits = {name: one.limits.meant() for name, one in routes.written.routes.items()} if routes else {}
    if places := limited(settings, limits):
        refuse([f"{place}: {NEEDS_REDIS}" for place in places], code=2)


def house(
    settings: Settings, policy: Policy | None = None, builder: Builder | None = None, routes: RoutesFile | None = None
) -> FastAPI:
    """The application of one worker process, wired to its servers. Raises `AuditError` where the audit cannot be written."""
    from policies.mistakes import LoadError
    from proxy.app import assemble, create
    from proxy.cli import wiring
    from proxy.records.ledger import ledger_of
    from proxy.telemetry.logs import configure, take_over
    from proxy.telemetry.metrics import Metrics

    configure(settings.log_level, settings.log_format)
    take_over()
    metrics, builder = Metrics(), builder or builder_of(settings)
    policy = policy or policy_of(settings, builder)
    routes = routes or routes_of(settings, policy, builder)
    audit = ledger_of(settings)
    try:
        if routes is None:
            app = create(
                settings, policy, wiring.single(settings, metrics), builder=builder, audit=audit, metrics=metrics, follows=True
            )
        else:
            built = wiring.several(settings, routes, builder, metrics)
            app = assemble(settings, built.routes, builder, checks=built.checks, audit=audit, metrics=metrics, follows=True)
    except LoadError as error:  # of a profile, or a key that is not in the environment
        refuse([str(mistake) for mistake in error.mistakes], code=2)
    quiet_collector()
    return app


def quiet_collector() -> None:
    """What is built now lives as long as the process: the garbage collector need not look at it again and again.

    Per token next to nothing cyclic is made; with Python's own thresholds the collector took a fifth of a busy worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def run(settings: Settings, policy: Policy, builder: Builder, routes: RoutesFile | None = None) -> None:
    """Listens and serves until a signal comes; running exchanges get `drain_seconds` then."""
    from proxy.cli.stored import keys_in_force
    from proxy.records.audit import AuditError
    from proxy.records.ledger import ledger_of

    check_traces(settings)
    keys = keys_in_force(settings)  # an old schema, or a keys file with a mistake, is told before anything starts
    try:
        ledger = ledger_of(settings)  # a place that cannot be written is told before anything starts
        ledger.archive.check(policy.record)
        ledger.shut()
        listening = listen(settings)
    except AuditError as error:
        hint = ": choose another place with --audit PATH, --audit stdout or --audit stderr" if "opened" in str(error) else ""
        refuse([f"{error}{hint}"], code=2)
    with listening:
        announce(settings, policy, address(settings, listening), keys)
        if settings.workers > 1:
            _many(settings, listening)
        else:
            serve_one(house(settings, policy, builder, routes), settings, listening)


def check_traces(settings: Settings) -> None:
    """Leaves with exit code 2 where traces are asked for that cannot be had."""
    from proxy.telemetry.tracing import TracingError, check

    try:
        check(settings.traces, os.environ)
    except TracingError as error:
        refuse([str(error)], code=2)


def _many(settings: Settings, listening: socket.socket) -> None:
    """Serves in several processes, each with its own house; their metrics meet in a folder."""
    from proxy.cli.workers import Workers
    from proxy.telemetry.logs import configure

    configure(settings.log_level, settings.log_format)
    with tempfile.TemporaryDirectory(prefix="sluicegate-metrics-") as folder:
        os.environ.setdefault(MULTIPROCESS_FOLDER, folder)  # read by the workers when they import the metrics
        Workers(config(partial(house, settings), settings, factory=True), [listening]).run()
