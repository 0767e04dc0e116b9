"""Errors as a client sees them: OpenAI's shape, so that SDKs raise the right exception."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from proxy.upstream.protocol import UpstreamError

TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    409: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
}


class ApiError(Exception):
    """What the client gets instead of an answer: an HTTP status and the error object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param
        self.kind = kind or TYPES.get(status, "server_error")
        self.headers = dict(headers or {})

    def body(self, **extra: Any) -> bytes:
        """The JSON body."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return orjson.dumps({"error": {**error, **extra}})


def unauthorized() -> ApiError:
    """No key, or a wrong one: which of the two is not said."""
    return ApiError(401, "The API key is missing or wrong.", code="invalid_api_key", headers={"www-authenticate": "Bearer"})


def our_fault() -> ApiError:
    """Something that we did not foresee; what it was is in the log."""
    return ApiError(500, "The proxy failed.", code="internal_error")


def not_recorded() -> ApiError:
    """The ledger cannot be written."""
    return ApiError(500, "The exchange could not be put on record, so it did not take place.", code="not_recorded")


def of_upstream(error: UpstreamError) -> ApiError:
    """Our words for a failure of the model server."""
    headers = {} if error.retry_after is None else {"retry-after": str(max(1, round(error.retry_after)))}
    rejected = error.kind == "rejected"
    code = getattr(error, "code", "") or ("upstream_rejected" if rejected else f"upstream_{error.kind}")
    return ApiError(error.status, error.message, code=code, headers=headers)
