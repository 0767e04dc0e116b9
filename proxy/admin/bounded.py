"""Requests to the admin API, before the framework takes their bodies: it reads them whole, before it asks who sends them."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from proxy.errors import ApiError
from proxy.house import House
from proxy.road.attended import ClientLeftError
from proxy.wire.body import read_body

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def bounded(house: House) -> type[APIRoute]:
    """Routes that look at the key first, and then take no more of a body than the setting `max_body_bytes`."""

    class Bounded(APIRoute):
        def get_route_handler(self) -> Handler:
            inner = super().get_route_handler()

            async def handled(request: Request) -> Response:
                if not house.door.has_admins:
                    raise ApiError(404, "There is no admin API: no administrator's key exists.", code="unknown_route")
                house.door.admin(request.headers.raw)
                try:
                    request._body = await read_body(request.scope, request.receive, house.settings.max_body_bytes)
                except ClientLeftError:
                    return Response(status_code=499)
                return await inner(request)

            return handled

    return Bounded
