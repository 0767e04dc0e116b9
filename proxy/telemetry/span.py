"""Spans as the rest of the program sees them. Where no traces are asked for all of them are `NO_SPAN`, which does nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Literal, Protocol

Value = str | int | float | bool | Sequence[str]
Kind = Literal["server", "client", "internal"]


class Span(Protocol):
    """A stretch of time within an exchange. As a context manager it ends with the block, and fails with what the block raises."""

    @property
    def live(self) -> bool:
        """Whether anybody will see it: what is costly to say is only said where this is true."""
        ...

    @property
    def trace_id(self) -> str:
        """32 hex digits, empty where nobody will see it."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """W3C's `traceparent`, for a server that is asked within this span."""
        ...

    def begin(self, name: str, kind: Kind = "internal", ago: float = 0.0) -> Span:
        """A span within this one, which begins now, or began so many seconds ago."""
        ...

    def past(self, name: str, seconds: float, notes: Mapping[str, Value]) -> None:
        """A span within this one that began so many seconds ago and ends now."""
        ...

    def rename(self, name: str) -> None:
        """Another name, where a better one is known by now."""
        ...

    def note(self, notes: Mapping[str, Value]) -> None:
        """Attributes. Never text of a conversation, except where the policy allows it."""
        ...

    def event(self, name: str, notes: Mapping[str, Value]) -> None:
        """Something that happened at this moment."""
        ...

    def fail(self, kind: str) -> None:
        """It went wrong; `kind` is a word from a closed set or a class's name, never a message."""
        ...

    def end(self) -> None:
        """It is over. A second call does nothing."""
        ...

    def __enter__(self) -> Span: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


class NoSpan:
    """Nobody looks."""

    __slots__ = ()
    live = False
    trace_id = ""
    headers: Sequence[tuple[str, str]] = ()

    def begin(self, name: str, kind: Kind = "internal", ago: float = 0.0) -> Span:
        return self

    def past(self, name: str, seconds: float, notes: Mapping[str, Value]) -> None: ...
    def rename(self, name: str) -> None: ...
    def note(self, notes: Mapping[str, Value]) -> None: ...
    def event(self, name: str, notes: Mapping[str, Value]) -> None: ...
    def fail(self, kind: str) -> None: ...
    def end(self) -> None: ...

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...


NO_SPAN: Final = NoSpan()
