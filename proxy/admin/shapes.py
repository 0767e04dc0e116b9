"""The bodies of the admin API."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from proxy.access.held import DEFAULT_TENANT, AdminKey, CallerKey, Standing, Tenant
from proxy.access.roles import Role
from proxy.access.spans import moment, span
from proxy.access.written import KeyName, LimitsWritten, PolicyName, RouteName, TenantName

When = Annotated[str, Field(max_length=40, examples=["90d", "2027-01-31", "never"])]
Names = Annotated[list[RouteName], Field(max_length=256)]
Policies = Annotated[list[PolicyName], Field(max_length=64)]


class Body(BaseModel):
    """What an administrator sends. No text of it holds a NUL, which PostgreSQL's texts cannot."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        if any(isinstance(each, str) and "\0" in each for each in (value if isinstance(value, list) else [value])):
            raise ValueError("holds a NUL character")
        return value


class _Timed(Body):
    expires: When | None = Field(None, description="A span from now, a date or time, or never.")

    @field_validator("expires")
    @classmethod
    def _readable(cls, value: str | None) -> str | None:
        if value is not None:
            moment(value, 0)
        return value

    def expiry(self) -> int | None:
        """Unix seconds; None for never."""
        return None if self.expires is None else moment(self.expires, time.time())


class NewKey(_Timed):
    """A key to be made."""

    tenant: TenantName = DEFAULT_TENANT
    name: KeyName = ""
    routes: Names | None = Field(None, description="The models that it may use; all where left out.")
    policies: Policies = Field([], description="Those it may pick by header; the first is used where it picks none.")
    limits: LimitsWritten = LimitsWritten()

    @field_validator("expires")
    @classmethod
    def _to_come(cls, value: str | None) -> str | None:
        now = time.time()
        if value is not None and (at := moment(value, now)) is not None and at <= now:
            raise ValueError(f"'{value}' is over already")
        return value


class KeyChange(_Timed):
    """What is to be other about a key; what is left out stays."""

    name: KeyName | None = None
    routes: Names | None = None
    policies: Policies | None = None
    limits: LimitsWritten | None = None


class Rotation(Body):
    """How a key gets its new secret."""

    overlap: str = Field("24h", max_length=20, description="How long the secret before opens too; 0 for not at all.")

    @field_validator("overlap")
    @classmethod
    def _readable(cls, value: str) -> str:
        span(value)
        return value


class NewTenant(Body):
    """A tenant to be made."""

    name: TenantName
    note: KeyName = ""
    limits: LimitsWritten = LimitsWritten()


class TenantChange(Body):
    """What is to be other about a tenant; what is left out stays."""

    note: KeyName | None = None
    limits: LimitsWritten | None = None


class KeyShown(BaseModel):
    """A key, without its secret. Times are Unix seconds."""

    id: str
    kind: Literal["caller", "admin"] = "caller"
    name: str
    standing: Standing
    tenant: str | None = None
    role: Role | None = None
    routes: list[str] | None = None
    policies: list[str] = []
    limits: LimitsWritten = LimitsWritten()
    created: int
    expires: int | None
    revoked: int | None
    former_until: int | None = Field(description="Until when the secret before the last rotation opens too.")
    last_used: str | None = Field(description="The last day on which it opened, UTC.")


class KeyMade(KeyShown):
    """A new or rotated key: the only time that its secret is seen."""

    key: str


class KeyList(BaseModel):
    """Keys."""

    data: list[KeyShown]


class TenantShown(BaseModel):
    """A tenant. Times are Unix seconds."""

    name: str
    note: str
    limits: LimitsWritten
    created: int
    closed: int | None


class TenantList(BaseModel):
    """Tenants."""

    data: list[TenantShown]


class DeedShown(BaseModel):
    """What somebody did. Times are Unix seconds."""

    at: int
    who: str
    action: str
    target: str
    details: dict[str, Any]


class DeedList(BaseModel):
    """What was done, the newest first."""

    data: list[DeedShown]


class Whoami(BaseModel):
    """The administrator's key that was sent."""

    id: str
    name: str
    role: Role
    rights: list[str]


def key_shown(key: CallerKey | AdminKey) -> KeyShown:
    """A key as it is shown."""
    more = {name: getattr(key, name) for name in ("id", "name", "created", "expires", "revoked", "former_until", "last_used")}
    standing = key.standing(time.time())
    if isinstance(key, AdminKey):
        return KeyShown(kind="admin", standing=standing, role=key.role, **more)
    return KeyShown(
        standing=standing,
        tenant=key.tenant,
        routes=None if key.routes is None else list(key.routes),
        policies=list(key.policies),
        limits=LimitsWritten.model_validate(key.limits, from_attributes=True),
        **more,
    )


def tenant_shown(tenant: Tenant) -> TenantShown:
    """A tenant as it is shown."""
    limits = LimitsWritten.model_validate(tenant.limits, from_attributes=True)
    return TenantShown(name=tenant.name, note=tenant.note, limits=limits, created=tenant.created, closed=tenant.closed)
