import json

import pytest

from proxy.upstream import faults

SECRET = "the prompt's own words"


def nested(message: str = SECRET, **more: object) -> bytes:
    return json.dumps({"error": {"message": message, "type": "BadRequestError", "param": None, "code": 400, **more}}).encode()


def flat(message: str = SECRET) -> bytes:
    return json.dumps({"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}).encode()


BODIES = [
    nested(),
    flat(),
    b'{"error":"Unauthorized"}',
    b"<html>502 Bad Gateway</html>",
    b"",
    b"[]",
    b'{"error":7}',
    b'{"error":{"message":[]}}',
    b"\xff",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("status", "kind", "ours"),
    [
        *[(status, "rejected", 400) for status in (400, 413, 422)],
        *[(status, "unavailable", 502) for status in (401, 403, 500, 501)],
        *[(status, "unavailable", 429) for status in (408, 429)],
        *[(status, "unavailable", 503) for status in (502, 503, 504, 529)],
        *[(status, "protocol", 502) for status in (204, 302, 405)],
    ],
)
def test_every_status_with_every_body(status: int, kind: str, ours: int, body: bytes) -> None:
    error = faults.refused(status, {}, body)
    assert (error.kind, error.status) == (kind, ours)
    assert SECRET not in error.message + error.detail + str(error)
    assert f"HTTP {status}" in error.detail


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        ("This model's maximum context length is 32768 tokens. However, you requested 40000", " of 32768 tokens"),
        ("The input (9 tokens) is longer than the model's context length (4096 tokens).", " of 4096 tokens"),
        ("Requested token count exceeds the model's maximum context length of 2048 tokens.", " of 2048 tokens"),
        ("maximum context length is very long", ""),
        ("maximum context length is 12345678901234 tokens", ""),
    ],
)
def test_a_context_that_is_too_long(message: str, limit: str) -> None:
    for body in (nested(message + SECRET), flat(message + SECRET)):
        error = faults.refused(400, {}, body)
        assert error.code == "context_length_exceeded"
        assert error.message.endswith(f"longer than the model's context{limit}.")
        assert error.status == 400


def test_a_code_says_it_too() -> None:
    assert faults.refused(400, {}, nested(code="context_length_exceeded")).code == "context_length_exceeded"


def test_a_missing_model_and_a_missing_page() -> None:
    model = faults.refused(404, {}, nested("The model `x` does not exist."))
    assert (model.kind, model.status, model.code) == ("rejected", 404, "model_not_found")
    page = faults.refused(404, {}, b'{"detail":"Not Found"}')
    assert (page.kind, page.status) == ("protocol", 502)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, faults.LONGEST_WAIT),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert faults.refused(429, headers, b"").retry_after == seconds


def test_details_are_plain_words() -> None:
    assert faults.refused(500, {}, nested(type="InternalServerError", code=500)).detail == "HTTP 500 InternalServerError 500"
    assert faults.refused(500, {}, nested(type="a sentence with a secret", code="so is this")).detail == "HTTP 500"
