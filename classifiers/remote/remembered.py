"""Verdicts that are remembered: by this process, and behind it by all processes that share theirs.

A verdict is found by all that it depends on: the program's version, the kind of classifier, every option of its rule (the server,
its model and the judge's policy among them), the tenant, the side and the texts. Whoever changes one of them asks anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from classifiers.remote.cache import Cache

V = TypeVar("V")
Name = tuple[str, ...]


class Verdicts(Protocol):
    """Verdicts that processes share. They are kept under a keyed hash of their names, which hold texts; no text is kept."""

    async def get(self, names: Sequence[Name]) -> Sequence[bytes | None]:
        """What is known, in the order of the names; None where nothing is. Ends soon and raises nothing."""
        ...

    def put(self, name: Name, verdict: bytes) -> None:
        """Shares a verdict. Returns at once and raises nothing."""
        ...


class Form(Protocol[V]):
    """How verdicts of a kind are written."""

    def write(self, verdict: V) -> bytes:
        """The verdict, without any text."""
        ...

    def read(self, written: bytes, name: Name) -> V | None:
        """The verdict; None where these bytes are none for what the name asks about. Raises nothing."""
        ...


class Remembered(Generic[V]):
    """The verdicts of one classifier, at most `room` of them in this process; with no room none are shared either."""

    def __init__(self, room: int, whose: Name, form: Form[V], shared: Verdicts | None = None) -> None:
        self._cache: Cache[V] = Cache(room)
        self._whose, self._form = whose, form
        self._shared = shared if room else None

    async def get(self, names: Sequence[Name]) -> list[V | None]:
        """What is known, in the order of the names: here first, then among those who share."""
        keys = [self._cache.key(*name) for name in names]
        found = [self._cache.get(key) for key in keys]
        missing = [at for at, verdict in enumerate(found) if verdict is None]
        if self._shared is None or not missing:
            return found
        answers = await self._shared.get([self._whose + names[at] for at in missing])
        for at, written in zip(missing, answers, strict=True):
            verdict = None if written is None else self._form.read(written, names[at])
            if verdict is not None:
                found[at] = verdict
                self._cache.put(keys[at], verdict)
        return found

    def put(self, name: Name, verdict: V) -> None:
        """Remembers what the server said."""
        self._cache.put(self._cache.key(*name), verdict)
        if self._shared is not None:
            self._shared.put(self._whose + name, self._form.write(verdict))


def whose(kind: str, options: BaseModel) -> Name:
    """What all verdicts of one classifier have in common."""
    return version("sluicegate"), kind, hashlib.sha256(options.model_dump_json().encode("utf-8", "surrogatepass")).hexdigest()
