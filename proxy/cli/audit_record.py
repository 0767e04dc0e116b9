"""What is done about the ledger from the command line is on the ledger itself, before it is done."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from proxy.cli.stored import operator, refuse

if TYPE_CHECKING:
    from proxy.settings import Settings


def shared(settings: Settings) -> bool:
    """Whether the ledger is in a database that all replicas share."""
    return settings.audit_ship == "database"


def on_record(settings: Settings, action: str, target: str, details: dict[str, Any]) -> None:
    """Nobody reads or erases a text without a line on the ledger. Where that goes on to the database, so does this line: from a
    machine on which no server runs nobody else would send it."""
    from proxy.records.ledger import ledger_of, send_last, shipper_of
    from proxy.records.record import Administered, AuditError

    try:
        audit = ledger_of(settings)
        audit.administered(Administered(time.time(), operator(), "operator", action, target, details))
        audit.shut()
    except AuditError as error:
        refuse([f"{error}: nothing was done"])
    shipper = shipper_of(settings)
    if shipper is not None:
        asyncio.run(send_last(shipper))


@contextmanager
def readable() -> Iterator[None]:
    """Tells which file cannot be read, with exit code 2. Whoever reads our output may stop when they like."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _unheard()
        raise typer.Exit(0) from None
    except (OSError, EOFError) as error:
        name = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        refuse([f"{name}{getattr(error, 'strerror', None) or error}"], code=2)


@contextmanager
def unheard() -> Iterator[None]:
    """What is told here may be heard by nobody; the exit code is what counts."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _unheard()


def _unheard() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has seen enough
