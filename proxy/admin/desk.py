"""Where administrators are received: who they are, what they may do, and the record of what they do."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request

from proxy.access.admit import Door
from proxy.access.held import AdminKey
from proxy.access.roles import Right
from proxy.access.sources import DatabaseSource
from proxy.errors import ApiError
from proxy.house import House
from proxy.records.audit import Administered, AuditError

if TYPE_CHECKING:
    from proxy.access.store import KeyStore

log = logging.getLogger("sluicegate")


@dataclass(frozen=True, slots=True)
class Desk:
    """One administrator's request."""

    house: House
    admin: AdminKey

    @property
    def who(self) -> str:
        """As the database's own record has it."""
        return f"admin:{self.admin.id}"

    def record(self, action: str, target: str, details: Mapping[str, Any] | None = None) -> None:
        """Puts on the audit what is about to be done. Raises `ApiError` 500 where that cannot be: then it is not done."""
        record = Administered(time.time(), self.admin.id, self.admin.role, action, target, details or {})
        try:
            self.house.audit.administered(record)
        except AuditError as error:
            log.exception("audit")
            raise ApiError(500, "This could not be put on record, so it was not done.", code="not_recorded") from error

    @asynccontextmanager
    async def store(self) -> AsyncIterator[KeyStore]:
        """The database's keys. What was changed is in force in this process when the block ends, elsewhere a moment later.

        Raises `ApiError`: 404 for what is not there, 409 for what is in the way, 503 where the database does not answer.
        """
        source = database(self.house.door)
        if source is None or source.store is None:
            raise ApiError(503, "There is no database to keep keys in, or it does not answer.", code="database_unavailable")
        from proxy.access.store import ConflictError, NotThereError
        from proxy.state.database import GONE

        try:
            yield source.store
        except NotThereError as error:
            status, code = (409, "conflict") if isinstance(error, ConflictError) else (404, "not_found")
            raise ApiError(status, f"{str(error)[:1].upper()}{str(error)[1:]}.", code=code) from None
        except GONE as error:
            log.error("admin: the database does not answer: %s", type(error).__name__)
            raise ApiError(503, "The database does not answer.", code="database_unavailable") from None
        await source.refresh()


def database(door: Door) -> DatabaseSource | None:
    """The source that can be written to."""
    return next((source for source in door.sources if isinstance(source, DatabaseSource)), None)


def desk_for(house: House, right: Right | None) -> Callable[[Request], Desk]:
    """A dependency of routes: lets in administrators who have the right.

    Raises `ApiError`: 401, 403; 404 while nobody is one; 400 where the address holds what no name does.
    """

    def received(request: Request) -> Desk:
        if not house.door.has_admins:
            raise ApiError(404, "There is no admin API: no administrator's key exists.", code="unknown_route")
        admin = house.door.admin(request.headers.raw)
        if right is not None and not admin.role.may(right):
            raise house.door.not_permitted()
        if any(
            "\0" in value for value in (*request.path_params.values(), *(text for _, text in request.query_params.multi_items()))
        ):
            raise ApiError(400, "The address holds a NUL character, and no name does.", code="invalid_value")
        return Desk(house, admin)

    return received
