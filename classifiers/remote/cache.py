"""Verdicts that are remembered, found again by a keyed hash: neither the text nor anything to guess it by is kept."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b
from typing import Generic, TypeVar

V = TypeVar("V")


def keyed(secret: bytes, parts: Iterable[str | bytes]) -> bytes:
    """A keyed hash (BLAKE2b, 256 bits) over the parts, each with its length, so that no two lists look alike."""
    mac = blake2b(key=secret, digest_size=32)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        mac.update(len(data).to_bytes(8, "big") + data)
    return mac.digest()


class Cache(Generic[V]):
    """At most `room` values; the one that was not used for longest goes first. The secret is this process's own."""

    def __init__(self, room: int) -> None:
        self._room, self._secret = room, secrets.token_bytes(32)
        self._values: OrderedDict[bytes, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def key(self, *parts: str) -> bytes:
        """What a value is found by."""
        return keyed(self._secret, parts)

    def get(self, key: bytes) -> V | None:
        """The value, which counts as used now; None where there is none."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: bytes, value: V) -> None:
        """Remembers a value."""
        if self._room:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._room:
                self._values.popitem(last=False)
