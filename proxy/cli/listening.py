"""The socket, and uvicorn on it."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING, Any

from proxy.cli.stored import refuse

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from proxy.settings import Settings


def listen(settings: Settings) -> socket.socket:
    """The bound socket. Leaves with exit code 1 where the address cannot be had."""
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, settings.port), family=family, backlog=2048, dualstack_ipv6=host == "::")
    except OSError as error:
        refuse([f"cannot listen on {settings.host} port {settings.port}: {error.strerror}"])


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
