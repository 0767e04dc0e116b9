"""`/admin/v1`: the admin API, on the application it administers."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.responses import Response

from proxy.access.roles import RIGHTS, Right
from proxy.admin.audit import audit_router
from proxy.admin.bounded import bounded
from proxy.admin.desk import Desk, desk_for
from proxy.admin.keys import keys_router
from proxy.admin.policies import policies_router
from proxy.admin.shapes import DeedList, DeedShown, Whoami
from proxy.admin.tenants import tenants_router
from proxy.errors import ApiError
from proxy.house import House

PREFIX = "/admin/v1"


def admin_api(app: FastAPI, house: House) -> None:
    """Adds the routes. More of them: another router beside these, with `desk_for` before each route."""
    bearer = HTTPBearer(auto_error=False, description="An administrator's key: sk-sg-admin-…")
    router = APIRouter(prefix=PREFIX, dependencies=[Depends(bearer)], route_class=bounded(house))
    Reader = Annotated[Desk, Depends(desk_for(house, Right.READ_KEYS))]  # noqa: N806  # a type
    Anyone = Annotated[Desk, Depends(desk_for(house, None))]  # noqa: N806  # a type

    @router.get("/whoami", tags=["keys"], summary="Who the key says you are, and what you may do")
    async def whoami(desk: Anyone) -> Whoami:
        admin = desk.admin
        return Whoami(id=admin.id, name=admin.name, role=admin.role, rights=sorted(RIGHTS[admin.role]))

    @router.get("/actions", tags=["keys"], summary="Who did what to keys and tenants, the newest first")
    async def actions(
        desk: Reader,
        target: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> DeedList:
        async with desk.store() as store:
            return DeedList(data=[DeedShown(**asdict(deed)) for deed in await store.deeds(target, limit)])

    router.include_router(keys_router(house))
    router.include_router(tenants_router(house))
    router.include_router(policies_router(house))
    router.include_router(audit_router(house))
    app.include_router(router)
    app.add_exception_handler(RequestValidationError, _invalid)


async def _invalid(_: Request, error: Exception) -> Response:
    """A body or parameter that is not as the document says, in the API's shape."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for it
    first = error.errors()[0]
    if first["type"] == "json_invalid":  # its place is a number of characters
        refused = ApiError(400, "The body is not valid JSON.", code="invalid_json", param="body")
        return Response(refused.body(), refused.status, media_type="application/json")
    where = ".".join(str(part) for part in first["loc"][1:])[:200] or "body"
    message = f"{where}: {str(first['msg']).removeprefix('Value error, ')}"
    refused = ApiError(400, message, code="invalid_value", param=where)
    return Response(refused.body(), refused.status, media_type="application/json")
