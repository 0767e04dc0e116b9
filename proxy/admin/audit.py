"""`/admin/v1/audit`: the ledger of all replicas, and the texts that policies kept."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath
from pydantic import BaseModel, Field

from proxy.access.roles import Right
from proxy.admin.desk import Desk, desk_for
from proxy.admin.shapes import Body
from proxy.errors import ApiError
from proxy.house import House
from proxy.records.erasures import asked
from proxy.records.record import AuditError
from proxy.records.story import Question, when
from proxy.state.place import place

if TYPE_CHECKING:
    from proxy.state.database import Database

log = logging.getLogger("sluicegate")

ERASE_SECONDS = 4.0
"""For texts in the database, of one request; a second one goes on."""
MOST_LINES = 5000
"""Lines that one request proves."""
TEXTS_KEY = "SLUICEGATE_KEY_TEXTS"
"""The variable that the documentation names; those of the policies in force are looked at too."""

Name = Annotated[str, Field(max_length=200)]
Names = Annotated[list[Name], Query(max_length=50)]
Time = Annotated[str, Query(max_length=40, examples=["24h", "2026-11-21T13:00"])]
Next = Annotated[str, Query(alias="next", max_length=400, description="The `next` of the answer before.")]
Id = Annotated[str, InPath(max_length=64)]


class StoryList(BaseModel):
    """Exchanges, each with both its ends, and what administrators did; the ones that began last first."""

    data: list[dict[str, Any]]
    next: str | None = Field(description="Where to go on; null at the end. A page may be short, or empty, before that.")


class FaultShown(BaseModel):
    """Something that is not as it was written. `line` is its number in its writer's chain."""

    kind: str
    line: int
    text: str


class ProofShown(BaseModel):
    """What was found among some lines, writer by writer."""

    proven: bool
    lines: int
    faults: list[FaultShown]
    next: str | None = Field(description="Where to go on; null at the end.")


class TextsShown(BaseModel):
    """What was said in an exchange, by channel."""

    id: str
    policy: str
    tenant: str
    texts: dict[str, Any]


class ErasureWritten(Body):
    """Which texts are to go; several fields narrow it down."""

    ids: list[Annotated[str, Field(min_length=1, max_length=64)]] = Field([], max_length=200, description="Of these exchanges.")
    tenant: str = Field("", max_length=64, description="Of this tenant, as far as they are there now.")
    before: str = Field("", max_length=40, description="Before this time: 2026-11-21, or 7d ago.")


class Erased(BaseModel):
    """What became of it. Replicas that run follow within seconds, others as soon as they are back."""

    texts: int = Field(description="Exchanges whose texts went from the database.")
    complete: bool = Field(description="False: there are more; ask again.")


def audit_router(house: House) -> APIRouter:
    """The routes about the ledger. As with keys, annotations are not put off."""
    router = APIRouter(prefix="/audit", tags=["audit"])
    Reader = Annotated[Desk, Depends(desk_for(house, Right.READ_RECORDS))]  # noqa: N806  # a type
    TextReader = Annotated[Desk, Depends(desk_for(house, Right.READ_TEXTS))]  # noqa: N806  # a type
    Eraser = Annotated[Desk, Depends(desk_for(house, Right.ERASE_TEXTS))]  # noqa: N806  # a type

    @router.get("/exchanges", summary="Exchanges, the newest first; of several values of one filter any will do")
    async def exchanges(
        _: Reader,
        since: Time = "",
        until: Time = "",
        id: Names = [],  # noqa: A002, B006  # its name; FastAPI copies it
        policy: Names = [],  # noqa: B006
        tenant: Names = [],  # noqa: B006
        key: Names = [],  # noqa: B006
        outcome: Names = [],  # noqa: B006
        rule: Names = [],  # noqa: B006
        action: Names = [],  # noqa: B006
        channel: Names = [],  # noqa: B006
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Next = "",
    ) -> StoryList:
        from proxy.records.shared_ledger import SharedLedger

        words = (id, policy, tenant, key, outcome, rule, action, channel)
        question = Question(_time("since", since), _time("until", until), *map(frozenset, words))
        from_there = _place(after)
        async with _database(house) as database:
            page = await SharedLedger(database).page(question, from_there, limit)
        return StoryList(data=list(page.stories), next=page.next and page.next.written())

    @router.get("/verify", summary="Prove lines of the chain, some at a time; heads are for the command line")
    async def verify(_: Reader, limit: Annotated[int, Query(ge=1, le=MOST_LINES)] = 1000, after: Next = "") -> ProofShown:
        from proxy.records.shared_ledger import SharedLedger

        from_there = _place(after)
        async with _database(house) as database:
            proof = await SharedLedger(database).proof(from_there, limit)
        faults = [FaultShown(kind=one.kind, line=one.line, text=one.text) for one in proof.faults]
        return ProofShown(proven=not faults, lines=proof.lines, faults=faults, next=proof.next and proof.next.written())

    @router.get("/texts/{id}", summary="What was said in an exchange, where its policy kept it; the look goes on record first")
    async def texts(desk: TextReader, id: Id) -> TextsShown:  # noqa: A002  # its name
        from proxy.records.shared_texts import SharedTexts

        if not house.settings.audit_ship_texts:
            raise ApiError(409, "Texts lie on each replica here: set audit_ship_texts.", code="texts_not_shared")
        async with _database(house) as database:
            kept = await SharedTexts(database).find(id)
        if kept is None:
            raise ApiError(404, "No texts of it are kept: its policy keeps none, or they were erased.", code="not_found")
        try:
            opened = await asyncio.to_thread(house.audit.archive.opened, kept, _variables(house))
        except AuditError as error:
            log.error("admin: %s", error)
            raise ApiError(409, "This server has not the key with which they were sealed.", code="texts_key") from None
        desk.record("texts.read", id)
        return TextsShown(id=kept.id, policy=kept.policy, tenant=kept.tenant, texts=opened)

    @router.post("/erase", summary="Erase texts, here and on all replicas; the ledger stays as it is")
    async def erase(desk: Eraser, body: ErasureWritten) -> Erased:
        from proxy.records.shared_texts import SharedTexts

        if not (body.ids or body.tenant or body.before):
            raise ApiError(400, "Say which: ids, tenant or before.", code="invalid_value", param="ids")
        written = _time("before", body.before)
        before = datetime.fromisoformat(written).timestamp() if written else None
        erasures = asked(tuple(dict.fromkeys(body.ids)), (body.tenant,) if body.tenant else (), before, time.time())
        async with _database(house) as database:
            desk.record("texts.erase", "texts", body.model_dump(exclude_defaults=True))
            count, complete = await SharedTexts(database).erase(erasures, desk.who, time.time(), ERASE_SECONDS)
        return Erased(texts=count, complete=complete)

    return router


def _variables(house: House) -> list[str]:
    """Where keys may be: never a name that a caller chose."""
    return sorted({TEXTS_KEY, *(route.policy.record.key_env for route in house.routes)} - {""})


def _time(param: str, written: str) -> str:
    try:
        return when(written, datetime.now(UTC)) if written else ""
    except ValueError as error:
        raise ApiError(400, f"{param}: {error}.", code="invalid_value", param=param) from None


def _place(written: str) -> Any:
    from proxy.records.shared_ledger import place as read

    try:
        return read(written)
    except ValueError as error:
        raise ApiError(400, f"next: {error}.", code="invalid_value", param="next") from None


@asynccontextmanager
async def _database(house: House) -> AsyncIterator["Database"]:
    """The ledger's database, on a connection of its own.

    Raises `ApiError`: 409 where the ledger is not sent to one, 503 where it does not answer.
    """
    where = place(house.settings.database)
    if where is None or house.settings.audit_ship != "database":
        raise ApiError(409, "The ledger lies in files here: set audit_ship, or use sluicegate audit.", code="ledger_not_shared")
    from proxy.state.database import GONE, Database

    database = Database(where)
    try:
        yield database
    except GONE as error:
        log.error("admin: the database does not answer: %s", type(error).__name__)
        raise ApiError(503, "The database does not answer.", code="database_unavailable") from None
    finally:
        await database.aclose()
