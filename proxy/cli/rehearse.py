"""`sluicegate rehearse`: the rehearsal model as a server."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from proxy.upstream.shapes import DIALECTS, Dialect


def rehearse(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    dialect: Annotated[str, typer.Option(help=f"How to write on the wire: {', '.join(DIALECTS)}.")] = "vllm",
    script: Annotated[str, typer.Option(help="A script: a YAML file, or the name of a shipped one.")] = "tour",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    api_key: Annotated[str, typer.Option(help="Bearer token that /v1 wants.", envvar="SLUICEGATE_REHEARSE_KEY")] = "",
) -> None:
    """Serve a scripted model that streams like DeepSeek-R1, to try the proxy without a GPU."""
    import uvicorn

    from proxy.upstream.rehearse import rehearse_app
    from proxy.upstream.script import ScriptError, load_script, shipped

    if dialect not in DIALECTS:
        raise typer.BadParameter(f"{dialect!r} is none of {', '.join(DIALECTS)}", param_hint="--dialect")
    try:
        loaded = load_script(script)
    except ScriptError as error:
        raise typer.BadParameter(str(error), param_hint="--script") from None
    typer.echo(f"Rehearsing {loaded.name!r} as {dialect} (shipped scripts: {', '.join(shipped())})", err=True)
    app = rehearse_app(loaded, cast(Dialect, dialect), api_key=api_key)
    uvicorn.run(app, host=host, port=port, log_level="info", access_log=False, lifespan="off")
