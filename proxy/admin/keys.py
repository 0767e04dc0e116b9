"""`/admin/v1/keys`: callers' keys."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from policies.mistakes import nearest
from proxy.access.held import AdminKey, CallerKey
from proxy.access.keys import Key, new_key, renewed
from proxy.access.roles import Right
from proxy.access.spans import span
from proxy.admin.bounded import bounded
from proxy.admin.desk import Desk, desk_for
from proxy.admin.shapes import KeyChange, KeyList, KeyMade, KeyShown, NewKey, Rotation, key_shown
from proxy.errors import ApiError
from proxy.house import House


def keys_router(house: House) -> APIRouter:
    """The routes about keys. Their annotations name what is local, so they are not put off (`annotations` from the future)."""
    router = APIRouter(prefix="/keys", tags=["keys"], route_class=bounded(house))
    Reader = Annotated[Desk, Depends(desk_for(house, Right.READ_KEYS))]  # noqa: N806  # a type
    Writer = Annotated[Desk, Depends(desk_for(house, Right.WRITE_KEYS))]  # noqa: N806  # a type
    hashing = next((source.ring.hashing for source in house.door.sources), None)

    @router.get("", summary="All keys, administrators' keys too")
    async def listed(desk: Reader, tenant: Annotated[str, Query(max_length=64)] = "") -> KeyList:
        async with desk.store() as store:
            keys: list[CallerKey | AdminKey] = [*await store.keys(tenant), *([] if tenant else await store.admins())]
        return KeyList(data=[key_shown(key) for key in keys])

    @router.post("", status_code=201, summary="Make a key for a caller; the answer is the only time that it is seen")
    async def create(desk: Writer, body: NewKey) -> KeyMade:
        await _known_names(house, body.routes, body.policies)
        key = new_key()
        assert hashing is not None  # noqa: S101  # without a source nobody is an administrator
        routes = None if body.routes is None else tuple(body.routes)
        life: dict[str, Any] = {"name": body.name, "created": round(time.time()), "expires": body.expiry()}
        shape: dict[str, Any] = {"tenant": body.tenant, "routes": routes, "policies": tuple(body.policies)}
        held = CallerKey(key.id, hashing.hash(key.text), **life, **shape, limits=body.limits.meant())
        desk.record("key.create", key.id, body.model_dump(exclude_unset=True))
        async with desk.store() as store:
            await store.add_key(held, desk.who)
        return _made(held, key)

    @router.get("/{id}", summary="One key")
    async def shown(desk: Reader, id: str) -> KeyShown:  # noqa: A002  # its name
        async with desk.store() as store:
            return key_shown(await store.key(id))

    @router.patch("/{id}", summary="Change a key's name, routes, policies, limits or expiry")
    async def change(desk: Writer, id: str, body: KeyChange) -> KeyShown:  # noqa: A002
        await _known_names(house, body.routes, body.policies or [])
        values = body.model_dump(exclude_unset=True)
        if "limits" in values:
            values["limits"] = {} if body.limits is None else body.limits.model_dump(exclude_none=True)
        if "expires" in values:
            values["expires"] = body.expiry()
        missing = [name for name in ("name", "policies") if name in values and values[name] is None]
        if missing:
            raise ApiError(400, f"{missing[0]} must not be null.", code="invalid_value", param=missing[0])
        desk.record("key.change", id, values)
        async with desk.store() as store:
            await _a_callers(store, id)
            return key_shown(await store.set_key(id, desk.who, **values))

    @router.post("/{id}/rotate", summary="Give a key a new secret; the one before opens for a while longer")
    async def rotate(desk: Writer, id: str, body: Rotation = Rotation()) -> KeyMade:  # noqa: A002, B008  # frozen
        key = renewed(id)
        assert hashing is not None  # noqa: S101
        desk.record("key.rotate", id, {"overlap": body.overlap})
        async with desk.store() as store:
            await _a_callers(store, id)
            return _made(await store.rotate(id, hashing.hash(key.text), span(body.overlap), desk.who), key)

    @router.post("/{id}/revoke", summary="Revoke a key, for good")
    async def revoke(desk: Writer, id: str) -> KeyShown:  # noqa: A002
        desk.record("key.revoke", id)
        async with desk.store() as store:
            await _a_callers(store, id)
            return key_shown(await store.revoke(id, desk.who))

    return router


async def _a_callers(store: Any, id: str) -> None:  # noqa: A002
    """Administrators' keys are made and changed on the command line only: nobody gives themselves another role from afar."""
    if not isinstance(await store.key(id), CallerKey):
        raise ApiError(403, "Administrators' keys are changed on the command line: sluicegate keys.", code="role_not_allowed")


def _made(held: Any, key: Key) -> KeyMade:
    return KeyMade(**key_shown(held).model_dump(), key=key.text)


async def _known_names(house: House, routes: list[str] | None, policies: list[str]) -> None:
    """Raises `ApiError` 400 where a name leads nowhere."""
    known = frozenset(house.routes.junctions)
    if not house.routes.any_name:
        _known("routes", "route", routes or [], known)
    if policies:
        _known("policies", "policy", policies, await asyncio.to_thread(house.choices.names))


def _known(param: str, noun: str, names: list[str], known: frozenset[str]) -> None:
    for name in names:
        if name not in known:
            near = nearest(name, known)
            meant = f"; did you mean '{near}'?" if near else "."
            raise ApiError(400, f"There is no {noun} '{name}'{meant}", code="invalid_value", param=param)
