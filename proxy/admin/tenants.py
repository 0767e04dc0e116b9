"""`/admin/v1/tenants`: whom keys belong to."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from proxy.access.held import Tenant
from proxy.access.roles import Right
from proxy.admin.bounded import bounded
from proxy.admin.desk import Desk, desk_for
from proxy.admin.shapes import NewTenant, TenantChange, TenantList, TenantShown, tenant_shown
from proxy.house import House


def tenants_router(house: House) -> APIRouter:
    """The routes about tenants. As with keys, annotations are not put off."""
    router = APIRouter(prefix="/tenants", tags=["tenants"], route_class=bounded(house))
    Reader = Annotated[Desk, Depends(desk_for(house, Right.READ_KEYS))]  # noqa: N806  # a type
    Writer = Annotated[Desk, Depends(desk_for(house, Right.WRITE_KEYS))]  # noqa: N806  # a type

    @router.get("", summary="All tenants")
    async def listed(desk: Reader) -> TenantList:
        async with desk.store() as store:
            return TenantList(data=[tenant_shown(tenant) for tenant in await store.tenants()])

    @router.post("", status_code=201, summary="Make a tenant")
    async def create(desk: Writer, body: NewTenant) -> TenantShown:
        desk.record("tenant.create", body.name, body.model_dump(exclude_unset=True))
        async with desk.store() as store:
            await store.add_tenant(Tenant(body.name, body.limits.meant(), body.note), desk.who)
            return tenant_shown(await store.tenant(body.name))

    @router.get("/{name}", summary="One tenant")
    async def shown(desk: Reader, name: str) -> TenantShown:
        async with desk.store() as store:
            return tenant_shown(await store.tenant(name))

    @router.patch("/{name}", summary="Change a tenant's note or limits")
    async def change(desk: Writer, name: str, body: TenantChange) -> TenantShown:
        values: dict[str, Any] = {}
        if body.note is not None:
            values["note"] = body.note
        if body.limits is not None:
            values["limits"] = body.limits.model_dump(exclude_none=True)
        desk.record("tenant.change", name, values)
        async with desk.store() as store:
            return tenant_shown(await store.set_tenant(name, desk.who, **values))

    @router.post("/{name}/close", summary="Close a tenant and revoke its keys, for good")
    async def close(desk: Writer, name: str) -> TenantShown:
        desk.record("tenant.close", name)
        async with desk.store() as store:
            await store.close_tenant(name, desk.who)
            return tenant_shown(await store.tenant(name))

    return router
