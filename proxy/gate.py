"""The API as the framework sees it, with a way around the framework for the one route that streams."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from proxy.chat import ROUTE, Chat
from proxy.moderations import ModerationBody
from proxy.wire.openapi import describe_errors
from proxy.wire.request import ChatBody

JSON = "application/json"


class Gate(FastAPI):
    """The API, with a short cut for the one route that streams.

    A chat request needs nothing of the framework, and each of its tokens would pass five layers of middleware on the way out
    (`docs/decisions/0004-below-the-framework.md`). The route is declared all the same, for the OpenAPI document.
    """

    short_cut: Chat | None = None

    def openapi(self) -> dict[str, Any]:
        """The document. The parts of the bodies stand where its references look for them."""
        if self.openapi_schema is None:
            schemas = super().openapi().setdefault("components", {}).setdefault("schemas", {})
            schemas |= _schema(ChatBody).get("$defs", {}) | _schema(ModerationBody).get("$defs", {})
            describe_errors(super().openapi())
        return super().openapi()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.short_cut and scope["type"] == "http" and scope["path"] == ROUTE and scope["method"] == "POST":
            await self.short_cut(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _schema(body: type[BaseModel]) -> dict[str, Any]:
    return body.model_json_schema(ref_template="#/components/schemas/{model}")


def described(body: type[BaseModel]) -> dict[str, Any]:
    """What the document says of a route's body, which the route reads by itself."""
    schema = {name: value for name, value in _schema(body).items() if name != "$defs"}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}
