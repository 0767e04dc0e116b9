"""Keeps texts of exchanges as their policies say: seals them, stores them, and lets them go when their time is over."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from policies.record import Recording
from proxy.records.copies import Copies
from proxy.records.record import AuditError
from proxy.records.textstore import Kept, TextStore

if TYPE_CHECKING:
    from proxy.records.sealing import Sealer

NO_PLACE = ("stdout", "-", "stderr", "off")


@dataclass(frozen=True, slots=True)
class Whose:
    """What is written in the clear beside sealed texts, so that they can be found and erased without a key."""

    id: str
    policy: str
    tenant: str


class Archive:
    """Texts of exchanges, sealed. Keys come from `environ`, by the names that policies give."""

    def __init__(self, folder: Path | None, environ: Mapping[str, str]) -> None:
        self.store = None if folder is None else TextStore(folder)
        self._environ = environ
        self._sealers: dict[str, Sealer] = {}

    def check(self, recording: Recording) -> None:
        """Raises `AuditError` where texts could not be kept as the policy wants: no place, or no key."""
        if recording.texts == "none":
            return
        if self.store is None:
            raise AuditError("the policy keeps texts (record), and there is no place for them: name a folder with audit_texts")
        self._sealer(recording.key_env)

    def keep(self, whose: Whose, copies: Copies, *, flagged: bool) -> Mapping[str, str]:
        """Keeps what the policy wants kept; the hashes for the ledger. Raises `AuditError` where that cannot be done."""
        recording = copies.recording
        if recording.texts == "none" or (recording.texts == "flagged" and not flagged):
            return {}
        self.check(recording)
        texts = copies.written()
        if not texts:
            return {}
        sealed, now = self._sealer(recording.key_env).seal(whose.id, texts), time.time()
        try:
            assert self.store is not None  # noqa: S101  # checked above
            self.store.keep(Kept(sealed, now, now + recording.keep, whose.policy, whose.tenant))
        except OSError as error:
            raise AuditError(f"the texts of an exchange could not be kept: {type(error).__name__}") from error
        return sealed.hashes()

    def open(self, kept: Kept, variable: str) -> dict[str, Any]:
        """The texts by channel: `{"texts": [{"place", "text"}], "left_out": characters}`. Raises `AuditError`."""
        from proxy.records.sealing import SealError

        try:
            opened = self._sealer(variable).open(kept.sealed)
        except SealError as error:
            raise AuditError(f"the texts of {kept.id} cannot be opened: {error}") from error
        return {channel: orjson.loads(text) for channel, text in opened.items()}

    def opened(self, kept: Kept, variables: Iterable[str]) -> dict[str, Any]:
        """The same, with the one key of several that fits. Raises `AuditError` where none does."""
        for variable in variables:
            with suppress(AuditError):
                if self._sealer(variable).name == kept.sealed.key:
                    return self.open(kept, variable)
        raise AuditError(f"the texts of {kept.id} were sealed with the key {kept.sealed.key}, which is not here")

    def all(self) -> Iterator[Kept]:
        """Everything that is kept, oldest day first. Raises `OSError`."""
        return iter(()) if self.store is None else self.store.all()

    def find(self, exchange: str) -> Kept | None:
        """The texts of one exchange that are kept here; None where there are none. Raises `OSError`."""
        return None if self.store is None else self.store.find(exchange)

    def expire(self) -> int:
        """Erases what has been kept long enough. Raises `OSError`."""
        return 0 if self.store is None else self.store.expire(time.time())

    def _sealer(self, variable: str) -> Sealer:
        if variable not in self._sealers:
            from proxy.records.sealing import SealError, sealer  # only those who keep texts pay for the import

            try:
                self._sealers[variable] = sealer(variable, self._environ)
            except SealError as error:
                raise AuditError(str(error)) from error
        return self._sealers[variable]


def texts_folder(audit: str, audit_texts: str) -> Path | None:
    """The folder for sealed texts: the one that the settings name, else `texts` beside the ledger; None where there is none."""
    if audit_texts:
        return Path(audit_texts)
    return None if audit in NO_PLACE else Path(audit).parent / "texts"
