"""`sluicegate demo`: the proxy in front of the embedded model, to look around without a GPU or a model server."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from proxy.cli import serve
from proxy.cli.announced import announce
from proxy.cli.listening import address, listen, serve_one
from proxy.cli.paint import console, painted

if TYPE_CHECKING:
    from fastapi import FastAPI

    from policies.bind import Builder
    from policies.policy import Policy
    from proxy.settings import Settings
    from proxy.upstream.script import Script

POLICY = Path(__file__).with_name("tour.yaml")
USUAL_PORT = 8080
AT_ONCE = {"pace": 0.0, "first_after": 0.0}

CURL = """\
curl -N {url}/chat/completions -H 'Content-Type: application/json' \\
  -d '{{"model": "deepseek-r1", "stream": true, "messages": [{{"role": "user", "content": "{prompt}"}}]}}'
"""
PYTHON = """\
from openai import OpenAI

client = OpenAI(base_url="{url}", api_key="not needed here")
reply = client.chat.completions.create(
    model="deepseek-r1",
    messages=[{{"role": "user", "content": "{prompt}"}}],
)
print(reply.choices[0].message.content)
"""


def demo(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on (8080, or a free one).", show_default=False)
    ] = None,
    policy: Annotated[str, typer.Option(help="Another policy: a file, or default, strict, observe.", show_default=False)] = "",
    show: Annotated[bool, typer.Option("--show", help="Play a guided tour in the terminal, and leave.")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Play without the pauses that a model makes.")] = False,
) -> None:
    """Run the proxy in front of an embedded model that plays scripts, and print what to paste.

    Example: sluicegate demo --show
    """
    from proxy.settings import Settings

    if show and policy:
        raise typer.BadParameter("the tour has a policy of its own; leave --policy out", param_hint="--show")
    with tempfile.TemporaryDirectory(prefix="sluicegate-demo-") as folder:
        audit = str(Path(folder) / "audit.jsonl")
        level = "error" if show else "info"
        settings = Settings(
            policy=policy or str(POLICY),
            port=0 if show else _port(port),
            audit=audit,
            log_level=level,
            drain_seconds=1,
            database="",
        )
        serve.check_traces(settings)
        builder = serve.builder_of(settings)
        chosen = serve.policy_of(settings, builder)
        if show:
            from proxy.cli.tour import play

            play(settings, house(settings, chosen, builder, fast))
        else:
            _serve(settings, chosen, builder, fast)


def house(settings: Settings, policy: Policy, builder: Builder, fast: bool = False) -> FastAPI:
    """The same application as `serve` builds, in front of the embedded model."""
    from proxy.app import create
    from proxy.records.audit import Audit, sink
    from proxy.telemetry.logs import configure
    from proxy.upstream.rehearsal import Rehearsal
    from proxy.upstream.script import load_script

    configure(settings.log_level, settings.log_format)
    script = _unpaced(load_script("tour")) if fast else load_script("tour")
    return create(settings, policy, Rehearsal(script), builder=builder, audit=Audit(sink(settings.audit)))


def _unpaced(script: Script) -> Script:
    scenes = tuple(scene.model_copy(update=AT_ONCE) for scene in script.scenes)
    return script.model_copy(update={"scenes": scenes, "otherwise": script.otherwise.model_copy(update=AT_ONCE)})


def _port(asked: int | None) -> int:
    if asked is not None:
        return asked
    try:
        socket.create_server(("127.0.0.1", USUAL_PORT)).close()
    except OSError:
        return 0
    return USUAL_PORT


def _serve(settings: Settings, policy: Policy, builder: Builder, fast: bool) -> None:
    with listen(settings) as listening:
        where = address(settings, listening)
        app = house(settings, policy, builder, fast)
        announce(settings, policy, where)
        _examples(f"{where}/v1")
        serve_one(app, settings, listening)


def _examples(url: str) -> None:
    from proxy.cli.tour import STOPS

    out, first = console(), STOPS[0].prompt
    out.print(painted(("In another terminal:", "bold"), "\n"))
    out.print(CURL.format(url=url, prompt=first))
    out.print(painted(("or with the openai package:", "bold"), "\n"))
    out.print(PYTHON.format(url=url, prompt=first))
    out.print(painted(("Other things to say:", "bold"), "\n"))
    for stop in STOPS[1:]:
        out.print(painted("  ", (stop.prompt, "cyan"), f"  {stop.title}"))
    out.print("\nCtrl-C ends it. The same as a guided tour: sluicegate demo --show\n")
