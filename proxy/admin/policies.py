"""`/admin/v1/policies`: policies in the store, their versions, and which is in force."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from policies.mistakes import LoadError
from proxy.access.roles import Right
from proxy.admin.bounded import bounded
from proxy.admin.desk import Desk, desk_for
from proxy.admin.shapes import Body
from proxy.errors import ApiError
from proxy.house import House
from proxy.reload.examined import between, examined, pair, previous
from proxy.reload.version import MOST_TEXT, Version
from proxy.state.place import place

if TYPE_CHECKING:
    from proxy.reload.store import PolicyStore

log = logging.getLogger("sluicegate")
Done = TypeVar("Done")
MOST_VERSION = (1 << 31) - 1
"""What its column holds."""


class NewVersion(Body):
    """A policy to be pushed."""

    text: str = Field(max_length=MOST_TEXT, description="The policy, as its file would be.")
    message: str = Field("", max_length=500, description="What the change is for.")
    activate: bool = Field(True, description="Put it in force at once.")


class Chosen(Body):
    """A version of a policy."""

    version: int = Field(ge=1, le=MOST_VERSION)


class RollbackTo(Body):
    """Where to go back to."""

    version: int | None = Field(None, ge=1, le=MOST_VERSION, description="Left out: the version before the one in force.")


class VersionShown(BaseModel):
    """A version, without its text. `created`, and `activated`, when it was last put in force, are in Unix seconds."""

    name: str
    version: int
    digest: str
    author: str
    created: int
    active: bool
    message: str
    activated: int | None


class VersionWhole(VersionShown):
    """A version with its text."""

    text: str


class VersionList(BaseModel):
    """Versions, newest first."""

    data: list[VersionShown]


class DifferenceShown(BaseModel):
    """One place that is different: added, removed or changed."""

    kind: str
    place: str
    before: Any
    after: Any


class DifferenceList(BaseModel):
    """What is different between two versions, by rule, inheritance resolved."""

    before: int
    after: int
    data: list[DifferenceShown]


def policies_router(house: House) -> APIRouter:
    """The routes about policies. As with keys, annotations are not put off."""
    router = APIRouter(prefix="/policies", tags=["policies"], route_class=bounded(house))
    Reader = Annotated[Desk, Depends(desk_for(house, Right.READ_POLICIES))]  # noqa: N806  # a type
    Writer = Annotated[Desk, Depends(desk_for(house, Right.WRITE_POLICIES))]  # noqa: N806  # a type
    Number = Annotated[int, Query(ge=0, le=MOST_VERSION)]  # noqa: N806  # a type
    Which = Annotated[int, Path(ge=0, le=MOST_VERSION)]  # noqa: N806  # a type

    @router.get("", summary="All versions of all policies in the store")
    async def listed(_: Reader) -> VersionList:
        async with _store(house) as store:
            return VersionList(data=[_shown(one) for one in await store.history()])

    @router.post("", status_code=201, summary="Push a policy: a new version under its own name, checked and tested first")
    async def push(desk: Writer, body: NewVersion) -> VersionShown:
        policy = await _sound(lambda: examined(body.text, "text"))
        desk.record("policy.push", policy.name, {"digest": policy.digest, "message": body.message, "activate": body.activate})
        async with _store(house) as store:
            return _shown(await store.push(policy.name, body.text, policy.digest, desk.who, body.message, activate=body.activate))

    @router.get("/{name}", summary="A policy's versions")
    async def versions(_: Reader, name: str) -> VersionList:
        async with _store(house) as store:
            return VersionList(data=[_shown(one) for one in await store.history(name)])

    @router.get("/{name}/versions/{version}", summary="A version with its text; 0 is the one in force")
    async def whole(_: Reader, name: str, version: Which) -> VersionWhole:
        async with _store(house) as store:
            return VersionWhole(**asdict(await store.version(name, version)))

    @router.get("/{name}/diff", summary="What is different between two versions; left out: the one in force, and the one before")
    async def diff(_: Reader, name: str, before: Number = 0, after: Number = 0) -> DifferenceList:
        async with _store(house) as store:
            first, second = _earlier(lambda versions: pair(versions, name, before, after), await store.history(name))
            old, new = await store.version(name, first), await store.version(name, second)
        found = await _sound(lambda: between(old, new))
        shown = [DifferenceShown(kind=one.kind, place=one.place, before=one.before, after=one.after) for one in found]
        return DifferenceList(before=old.version, after=new.version, data=shown)

    @router.post("/{name}/activate", summary="Put a version in force, checked and tested first")
    async def activate(desk: Writer, name: str, body: Chosen) -> VersionShown:
        return await _put(house, desk, name, body.version, "policy.activate")

    @router.post("/{name}/rollback", summary="Go back to an earlier version; the later ones stay in the history")
    async def rollback(desk: Writer, name: str, body: RollbackTo) -> VersionShown:
        version = body.version
        if version is None:
            async with _store(house) as store:
                versions = await store.history(name)
            version = _earlier(lambda each: previous(each, name), versions)
        return await _put(house, desk, name, version, "policy.rollback")

    return router


async def _put(house: House, desk: Desk, name: str, version: int, action: str) -> VersionShown:
    async with _store(house) as store:
        held = await store.version(name, version)
    await _sound(lambda: examined(held.text, f"store:{name}@{version}", name))
    desk.record(action, name, {"version": version, "digest": held.digest})
    async with _store(house) as store:
        return _shown(await store.activate(name, version, desk.who, action))


def _earlier(chosen: Callable[[Sequence[Version]], Done], versions: Sequence[Version]) -> Done:
    """What is chosen among the versions. Raises `ApiError` 409 where there is no earlier one."""
    try:
        return chosen(versions)
    except ValueError as error:
        raise ApiError(409, f"{str(error)[:1].upper()}{str(error)[1:]}.", code="no_earlier_version") from None


async def _sound(work: Callable[[], Done]) -> Done:
    """What `work` gives, done in a thread. Raises `ApiError` 400 with the mistakes of a policy."""
    try:
        return await asyncio.to_thread(work)
    except LoadError as error:
        told = "\n".join(str(mistake) for mistake in error.mistakes[:50])
        raise ApiError(400, f"The policy has mistakes:\n{told}", code="invalid_policy", param="text") from None


@asynccontextmanager
async def _store(house: House) -> AsyncIterator["PolicyStore"]:
    """The store, on a connection of its own. Raises `ApiError`: 404 for what is not there, 503 without an answer."""
    where = place(house.settings.database)
    if where is None:
        raise ApiError(503, "There is no database to keep policies in.", code="database_unavailable")
    from proxy.reload.store import NoVersionError, PolicyStore
    from proxy.state.database import GONE, Database

    database = Database(where)
    try:
        yield PolicyStore(database, told=partial(house.notices.tell, "policies"))
    except NoVersionError as error:
        raise ApiError(404, f"{str(error)[:1].upper()}{str(error)[1:]}.", code="not_found") from None
    except GONE as error:
        log.error("admin: the database does not answer: %s", type(error).__name__)
        raise ApiError(503, "The database does not answer.", code="database_unavailable") from None
    finally:
        await database.aclose()


def _shown(one: Version) -> VersionShown:
    form = asdict(one)
    form.pop("text")
    return VersionShown(**form)
