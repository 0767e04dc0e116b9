"""`sluicegate serve`: the proxy in front of a model server."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from proxy.cli.paint import console, painted, visible

if TYPE_CHECKING:
    import uvicorn
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
        _refuse([NO_UPSTREAM])
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
            _refuse([f"--set {word}: write it as NAME=VALUE"])
        pairs[name.strip().replace("-", "_")] = value.strip()
    return pairs


def _settings(flags: Mapping[str, Any], file: Path | None) -> Settings:
    from proxy.settings import SettingsError, load

    try:
        return load(flags, os.environ, file)
    except SettingsError as error:
        _refuse(error.mistakes)


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
        _refuse([str(error)])
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
        _refuse([str(mistake) for mistake in error.mistakes])
    except KeyError as error:
        _refuse([f"policy_name: {error.args[0]}"])


def routes_of(settings: Settings, policy: Policy, builder: Builder) -> RoutesFile | None:
    """The routes file; None where there is none. Tells every mistake and leaves with exit code 2 where it does not load."""
    if not settings.routes:
        return None
    from policies.mistakes import LoadError
    from proxy.cli.wiring import routes_file

    try:
        return routes_file(settings, policy, builder)
    except LoadError as error:
        _refuse([str(mistake) for mistake in error.mistakes])


def refuse_uncounted(settings: Settings, routes: RoutesFile | None) -> None:
    """Leaves with exit code 2 where there are limits that several processes could not count together."""
    if settings.redis_url or settings.workers * settings.replicas == 1:
        return
    from proxy.access.gates import NEEDS_REDIS, limited

    limits = {name: one.limits.meant() for name, one in routes.written.routes.items()} if routes else {}
    if places := limited(settings, limits):
        _refuse([f"{place}: {NEEDS_REDIS}" for place in places])


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
        _refuse([str(mistake) for mistake in error.mistakes])
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
        _refuse([f"{error}{hint}"])
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
        _refuse([str(error)])


def listen(settings: Settings) -> socket.socket:
    """The bound socket. Leaves with exit code 1 where the address cannot be had."""
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, settings.port), family=family, backlog=2048, dualstack_ipv6=host == "::")
    except OSError as error:
        _refuse([f"cannot listen on {settings.host} port {settings.port}: {error.strerror}"], code=1)


def address(settings: Settings, listening: socket.socket) -> str:
    """The address a client on this machine writes."""
    host = settings.host.strip("[]")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # read, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


def config(app: Any, settings: Settings, *, factory: bool = False) -> uvicorn.Config:
    """How uvicorn runs us. `app` is the application, or with `factory` what makes it."""
    import uvicorn

    from proxy.wire.patience import PatientProtocol

    return uvicorn.Config(
        app,
        factory=factory,
        workers=settings.workers,
        loop="uvloop",
        http=PatientProtocol,
        ws="none",
        lifespan="on",
        log_config=None,  # ours, see telemetry.logs
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever talks to us may write any X-Forwarded-For
        timeout_keep_alive=75,  # longer than the minute for which load balancers keep idle connections
        timeout_graceful_shutdown=settings.drain_seconds,
    )


def serve_one(app: FastAPI, settings: Settings, listening: socket.socket) -> None:
    """Serves in this process. SIGTERM ends it as Ctrl-C does: drained, cleaned up, exit code 0."""
    import uvicorn

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        uvicorn.Server(config(app, settings)).run([listening])
    except KeyboardInterrupt:
        return  # uvicorn drains first, then raises what it caught


def _many(settings: Settings, listening: socket.socket) -> None:
    """Serves in several processes, each with its own house; their metrics meet in a folder."""
    from proxy.cli.workers import Workers
    from proxy.telemetry.logs import configure

    configure(settings.log_level, settings.log_format)
    with tempfile.TemporaryDirectory(prefix="sluicegate-metrics-") as folder:
        os.environ.setdefault(MULTIPROCESS_FOLDER, folder)  # read by the workers when they import the metrics
        Workers(config(partial(house, settings), settings, factory=True), [listening]).run()


def announce(settings: Settings, policy: Policy, where: str, keys: str = "none") -> None:
    """Says where we listen and what is in force: one line in a pipe, a few in a terminal. Audit on stdout: on stderr."""
    out = console(sys.stderr if settings.audit in ("stdout", "-") else sys.stdout)
    digest, rules = policy.digest[:12], len(policy.rules)
    if not out.is_terminal:
        out.print(
            f"sluicegate listens on {where} policy={policy.name} digest={digest} rules={rules} "
            f"upstream={settings.upstream or settings.routes or 'rehearsal'} audit={settings.audit} "
            f"keys={keys.split()[0].rstrip(',')} workers={settings.workers}"
        )
    else:
        out.print(painted("\n  ", ("Sluicegate", "bold"), " listens on ", (f"{where}/v1", "bold cyan")))
        for name, value in (
            ("policy", f"{policy.name}  {digest}  {rules} rule{'s' if rules != 1 else ''}"),
            ("upstream", settings.upstream or settings.routes or "the embedded rehearsal model"),
            ("audit", settings.audit),
            ("keys", _who_comes_in(settings, keys)),
        ):
            out.print(painted((f"  {name:<9}", "dim"), visible(value)))
        out.print()
    for warning in _warnings(settings, policy):
        console(sys.stderr).print(painted(("warning: ", "yellow"), warning))


def _who_comes_in(settings: Settings, keys: str) -> str:
    from proxy.settings import is_loopback

    if keys != "none":
        return keys
    if settings.api_key is not None:
        return "one, shared by all callers (api_key)"
    return "none: whoever is on this machine may ask" if is_loopback(settings.host) else "none: whoever reaches it may ask"


def _warnings(settings: Settings, policy: Policy) -> list[str]:
    from proxy.settings import is_loopback

    warnings = []
    if settings.audit == "off":
        warnings.append("the audit log is off: nothing is kept of what this gate decides")
    if not policy.rules:
        warnings.append(f"the policy '{policy.name}' has no rules: everything passes")
    demanded = settings.api_key or settings.keys == "required" or settings.keys_file
    if not demanded and not is_loopback(settings.host):
        warnings.append(f"anybody who reaches {settings.host} may use the model (allow_anonymous)")
    return warnings


def _refuse(lines: Iterable[str], code: int = 2) -> NoReturn:
    """Tells what is wrong and leaves. 2: what was asked for is wrong; 1: the machine does not allow it."""
    err = console(sys.stderr)
    for line in lines:
        err.print(painted(("error: ", "bold red"), visible(line)))
    raise typer.Exit(code)
