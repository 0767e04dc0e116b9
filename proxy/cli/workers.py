"""Several processes that share a port."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from uvicorn import Config
from uvicorn.supervisors import Multiprocess

LOOK_EVERY = 0.5
"""Seconds between two looks of a worker at its supervisor."""


class Workers(Multiprocess):
    """The processes. SIGHUP means to each of them that it looks at its policies; uvicorn would start all of them anew.

    `config` makes the application with a factory. Workers whose supervisor is gone, however it went, drain and end.
    """

    def __init__(self, config: Config, sockets: list[socket.socket]) -> None:
        factory: Any = config.app  # as its setting `factory` says
        config.app = partial(under, os.getpid(), factory)
        super().__init__(config, sockets)

    def handle_hup(self) -> None:
        for process in self.processes:
            if process.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGHUP)


def under(supervisor: int, factory: Callable[[], Any]) -> Any:
    """Makes the application in a process of its own, which ends as by SIGTERM once its parent is not `supervisor` any more."""
    threading.Thread(target=_look, args=(supervisor,), name="supervisor", daemon=True).start()
    return factory()


def _look(supervisor: int) -> None:
    # Linux could send the signal by itself (PR_SET_PDEATHSIG), but only if the parent dies later than that is asked for.
    while os.getppid() == supervisor:
        time.sleep(LOOK_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
