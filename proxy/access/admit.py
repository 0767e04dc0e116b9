"""Who may come in: keys are checked here, against memory, before anything of a request is read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from proxy.access.caller import NOBODY, Caller
from proxy.access.held import AdminKey
from proxy.access.keys import hashing
from proxy.access.sources import DatabaseSource, FileSource, Source
from proxy.errors import ApiError, unauthorized
from proxy.settings import Settings
from proxy.state.notices import ByTheClock, Ear, Notices
from proxy.state.place import place

Headers = Iterable[tuple[bytes, bytes]]
Refusal = Literal["missing", "unknown", "expired", "unavailable", "route", "policy", "role"]

RETRY_AFTER = "5"


class News(Protocol):
    """Who wants to know what happens at the door."""

    def refused(self, reason: Refusal) -> None:
        """Somebody was not let in."""
        ...

    def watched(self, kind: str, age: float, keys: int) -> None:
        """A source was looked at: how many seconds its keys are behind, and how many there are."""
        ...


class Door:
    """Checks keys. Without configured keys everybody is `NOBODY`, as far as the setting `api_key` lets in.

    `sources` are looked at in the background, while `watched` runs: by the clock, and when `notices` say so.
    """

    def __init__(
        self, settings: Settings, sources: Sequence[Source] = (), news: News | None = None, notices: Notices | None = None
    ) -> None:
        self._notices = notices or ByTheClock()
        self._settings, self._most_age = settings, settings.keys_stale_seconds
        self.sources, self._news = tuple(sources), news

    # ---- callers

    def admit(self, headers: Headers) -> Caller:
        """Who asks. Raises `ApiError` 401 without a good key, and 503 where nobody can tell which keys are good."""
        sent = _credentials(headers)
        word = _presented(sent)
        if self._settings.api_key is not None and self._settings.admits(f"Bearer {word}"):
            return NOBODY
        stale = [source for source in self.sources if source.age > self._most_age]
        if not stale and not self._demanded():
            if self._settings.api_key is None:
                return NOBODY
            raise self._refused("unknown" if word else "missing", unauthorized())
        return self._known(word, stale)

    def _known(self, word: str, stale: Sequence[Source]) -> Caller:
        if not word:
            raise self._refused("missing", unauthorized())
        now, expired = time.time(), False
        for source in self.sources:
            if source in stale:
                continue
            found = source.ring.caller(word, now)
            if isinstance(found, Caller):
                return found
            expired |= found == "expired"
        if expired:
            raise self._refused("expired", _expired())
        raise self._refused("unavailable", _unavailable()) if stale else self._refused("unknown", unauthorized())

    def _demanded(self) -> bool:
        return self._settings.keys == "required" or any(source.demands is not False for source in self.sources)

    def route(self, caller: Caller, name: str) -> None:
        """Raises `ApiError` 403 where the caller may not use the model of this public name; the empty name is everybody's."""
        if name and not caller.may_use(name):
            message = "This key may not use the model that is asked for; GET /v1/models lists those that it may."
            raise self._refused("route", ApiError(403, message, code="model_not_allowed", param="model"))

    def policy(self, caller: Caller, headers: Headers, usual: str) -> str:
        """The name of the policy that is in force for the caller; `usual` is the route's. Raises `ApiError` 403."""
        wanted = next((value.decode("latin-1").strip() for name, value in headers if name == b"x-sluicegate-policy"), "")
        if not wanted:
            return caller.policies[0] if caller.policies else usual
        if wanted not in (caller.policies or (usual,)):
            message = "This key may not choose the policy that the header x-sluicegate-policy names."
            raise self._refused("policy", ApiError(403, message, code="policy_not_allowed"))
        return wanted

    @property
    def in_step(self) -> bool:
        """Whether it can be told which keys are good."""
        return all(source.age <= self._most_age for source in self.sources)

    # ---- administrators

    @property
    def policies(self) -> frozenset[str]:
        """The names of policies that keys name."""
        return frozenset(name for source in self.sources for key in source.ring for name in key.policies)

    @property
    def has_admins(self) -> bool:
        """Whether there is any administrator's key."""
        return any(source.ring.has_admins for source in self.sources)

    def admin(self, headers: Headers) -> AdminKey:
        """Which administrator asks. Raises `ApiError` as `admit` does."""
        word = _presented(_credentials(headers))
        now, stale, expired = time.time(), False, False
        for source in self.sources:
            if source.age > self._most_age:
                stale = True
                continue
            found = source.ring.admin(word, now)
            if isinstance(found, AdminKey):
                return found
            expired |= found == "expired"
        if expired:
            raise self._refused("expired", _expired())
        raise self._refused("unavailable", _unavailable()) if stale else self._refused("unknown", unauthorized())

    def not_permitted(self) -> ApiError:
        """403 for an administrator whose role has not the right."""
        return self._refused("role", ApiError(403, "The role of this key does not permit that.", code="role_not_allowed"))

    # ---- keeping up

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Looks at all sources now, and again and again while the block runs."""
        for source in self.sources:
            await self._look(source)
        tasks = [
            asyncio.create_task(self._watch(source, self._notices.ear("keys")), name=f"keys-{source.kind}")
            for source in self.sources
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for source in self.sources:
                await source.aclose()

    async def _watch(self, source: Source, ear: Ear) -> None:
        while True:
            await ear.within(self._settings.keys_refresh_seconds)
            await self._look(source)

    async def _look(self, source: Source) -> None:
        await source.refresh()
        if self._news is not None:
            self._news.watched(source.kind, source.age, len(source.ring))

    def _refused(self, reason: Refusal, error: ApiError) -> ApiError:
        if self._news is not None:
            self._news.refused(reason)
        return error


def door_of(settings: Settings, environ: Mapping[str, str], news: News | None = None, notices: Notices | None = None) -> Door:
    """The door that the settings ask for. Nothing is opened yet. Raises `ValueError` where the pepper or the address is wrong."""
    channel = notices or ByTheClock()
    how, where = hashing(environ), place(settings.database)
    sources: list[Source] = []
    if settings.keys_file:
        sources.append(FileSource(Path(settings.keys_file), how))
    if where is not None:
        sources.append(DatabaseSource(where, how, partial(channel.tell, "keys")))
    return Door(settings, sources, news, channel)


def _credentials(headers: Headers) -> Mapping[bytes, str]:
    found: dict[bytes, str] = {}
    for name, value in headers:
        if name in (b"authorization", b"api-key", b"x-api-key"):
            found.setdefault(name, value.decode("latin-1").strip())
    return found


def _presented(sent: Mapping[bytes, str]) -> str:
    """The key that a request carries: the bearer token of `Authorization`, else `api-key`, else `x-api-key`."""
    if b"authorization" in sent:
        scheme, _, token = sent[b"authorization"].partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""
    return sent.get(b"api-key") or sent.get(b"x-api-key") or ""


def _expired() -> ApiError:
    return ApiError(401, "The API key has expired.", code="invalid_api_key", headers={"www-authenticate": "Bearer"})


def _unavailable() -> ApiError:
    message = "Which keys are good cannot be told at the moment."
    return ApiError(503, message, code="keys_unavailable", headers={"retry-after": RETRY_AFTER})
