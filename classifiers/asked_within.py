"""Which trace a question to a server belongs to. Whoever runs classifiers may say so; where nobody does there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

Headers = Callable[[], Sequence[tuple[str, str]]]
"""W3C's `traceparent`, made when somebody asks for it."""


def _none() -> Sequence[tuple[str, str]]:
    return ()


_WITHIN: ContextVar[Headers] = ContextVar("asked_within", default=_none)


def trace_headers() -> Sequence[tuple[str, str]]:
    """What a server is told that is asked now; nothing outside of a trace."""
    return _WITHIN.get()()


@contextmanager
def asked_within(headers: Headers) -> Iterator[None]:
    """What is asked in the block, and by what it starts, belongs to the trace that these headers name."""
    token = _WITHIN.set(headers)
    try:
        yield
    finally:
        _WITHIN.reset(token)
