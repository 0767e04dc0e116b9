"""Finds personal data by its form: addresses, card, account and identity numbers. Names need a model and are not its part.

Presidio's recognizers judge short candidate slices (`candidates`), so that a text without digits and `@` costs next to nothing,
and a hostile one no more than its length.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from classifiers.candidates import LOOKBACK, Candidate, addresses, blank, cold_tail, hot, numbers, settled, unveil
from classifiers.finding import Context, Finding, Findings, Passage, Unit, Unjudged
from classifiers.fold import Folded, fold, fold_safe
from classifiers.registry import MissingPackageError, Options, classifier

if TYPE_CHECKING:
    from classifiers.presidio import Hit, Recognizers

INLINE = 1024
"""Characters of candidate slices that are judged at once, on the event loop (some 10 ms); more goes to a thread."""
WAITING = 64
"""Jobs that may wait for a thread. One more is an overload."""

ENTITIES = frozenset(
    {
        "ABA_ROUTING_NUMBER", "AU_ABN", "AU_ACN", "AU_MEDICARE", "AU_TFN", "CA_POSTAL_CODE", "CA_SIN", "CN_ID_CARD",
        "CREDIT_CARD", "CRYPTO", "DE_BSNR", "DE_FUEHRERSCHEIN", "DE_HANDELSREGISTER", "DE_HEALTH_INSURANCE", "DE_ID_CARD",
        "DE_KFZ", "DE_LANR", "DE_PASSPORT", "DE_PLZ", "DE_SOCIAL_SECURITY", "DE_TAX_ID", "DE_TAX_NUMBER", "DE_VAT_ID",
        "EMAIL_ADDRESS", "ES_NIE", "ES_NIF", "ES_PASSPORT", "FI_PERSONAL_IDENTITY_CODE", "IBAN_CODE", "IN_AADHAAR", "IN_GSTIN",
        "IN_PAN", "IN_PASSPORT", "IN_VEHICLE_REGISTRATION", "IN_VOTER", "IP_ADDRESS", "IT_DRIVER_LICENSE", "IT_FISCAL_CODE",
        "IT_IDENTITY_CARD", "IT_PASSPORT", "IT_VAT_CODE", "KR_BRN", "KR_DRIVER_LICENSE", "KR_FRN", "KR_PASSPORT", "KR_RRN",
        "MAC_ADDRESS", "MEDICAL_LICENSE", "NG_NIN", "NG_VEHICLE_REGISTRATION", "PHONE_NUMBER", "PH_PASSPORT", "PH_TIN", "PH_UMID",
        "PL_PESEL", "SE_ORGANISATIONSNUMMER", "SE_PERSONNUMMER", "SG_NRIC_FIN", "SG_UEN", "TH_TNIN", "TR_LICENSE_PLATE",
        "TR_NATIONAL_ID", "UK_DRIVING_LICENCE", "UK_NHS", "UK_NINO", "UK_PASSPORT", "UK_POSTCODE", "UK_VEHICLE_REGISTRATION",
        "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_ITIN", "US_MBI", "US_NPI", "US_PASSPORT", "US_SSN", "UUID",
        "ZA_COMPANY_REGISTRATION", "ZA_DRIVER_LICENSE", "ZA_ID_NUMBER", "ZA_INCOME_TAX_NUMBER", "ZA_LICENSE_PLATE", "ZA_PASSPORT",
        "ZA_TRAFFIC_REGISTER_NUMBER", "ZA_VAT_NUMBER",
    }
)  # fmt: skip
"""What can be asked for: presidio-analyzer 2.2.366's entities that need no model and hold a digit or an `@`, and CN_ID_CARD."""

USUAL = (
    *("EMAIL_ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "US_ITIN", "US_PASSPORT", "CN_ID_CARD"),
    *("IP_ADDRESS", "MAC_ADDRESS", "CRYPTO"),
)
"""The default: those that rest on a strong checksum, an unmistakable form, or words before them. UK_NHS is not among them: one in
eleven telephone numbers passes its check."""


class PiiOptions(Options):
    """`entities`: Presidio's names; `score`: what scores less is not reported; `phone_regions`: ISO 3166 codes of the countries
    whose numbers are known without their country code (each costs time)."""

    entities: tuple[str, ...] = Field(default=USUAL, min_length=1)
    score: float = Field(default=0.4, ge=0, le=1)
    phone_regions: tuple[str, ...] = ("US", "GB", "DE", "FR", "CN", "IN")

    @field_validator("entities")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in ENTITIES:
                near = get_close_matches(name.upper(), ENTITIES, 3, 0.5)
                raise ValueError(
                    f"there is no entity '{name}' that can be found without a model; nearest: {', '.join(near) or 'none'}"
                )
        return tuple(dict.fromkeys(names))


@classifier("pii", options=PiiOptions)
class Pii:
    """Personal data by its form: e-mail addresses, phone, card, account and identity numbers (Presidio, no model)."""

    name = "pii"
    unit: Unit = "stream"
    lookback = LOOKBACK
    opener = 0

    def __init__(self, options: PiiOptions) -> None:
        if find_spec("presidio_analyzer") is None:
            raise MissingPackageError("pii", "presidio-analyzer", "pii")
        from classifiers.presidio import Recognizers, RecognizerTimeoutError

        self.categories = frozenset(entity.lower() for entity in options.entities)
        self._least = options.score
        self._recognizers: Recognizers = Recognizers(options.entities, options.phone_regions)
        self._timeout = RecognizerTimeoutError
        self._pool = ThreadPoolExecutor(2, "pii")  # starts its threads when the first job comes
        self._waiting = 0

    def safe_upto(self, text: str) -> int:
        cold = cold_tail(text)
        if cold is not None:
            return cold
        seen = _fold(text)
        index = settled(blank(seen.text))
        return min(fold_safe(text), index if seen.plain else seen.starts[index] if index < len(seen.text) else len(text))

    def glance(self, text: str, begin: int) -> int | None:
        return None if hot(text, begin) else cold_tail(text)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Sequence[Findings | Unjudged]:
        if not any(hot(passage.text, passage.begin) for passage in passages):
            return ((),) * len(passages)
        return [await self._passage(passage) if hot(passage.text, passage.begin) else () for passage in passages]

    def close(self) -> None:
        """Lets the threads go. Jobs that wait are dropped; their callers see them cancelled."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _passage(self, passage: Passage) -> Findings | Unjudged:
        seen = _fold(passage.text)
        view = blank(seen.text)
        begin = seen.index(passage.begin)
        wanted = [*addresses(view, begin), *numbers(view, begin)]
        if wanted and not passage.final:  # what may still change is judged when it no longer can
            end = settled(view)
            wanted = [each for each in wanted if each.start < end]
        stop = threading.Event()
        if sum(len(each.slice) for each in wanted) <= INLINE:
            return self._judge(wanted, seen, begin, stop)
        if self._waiting >= WAITING:
            return Unjudged("overload")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._judge, wanted, seen, begin, stop)
        finally:  # a caller that gave up must not keep the thread
            self._waiting -= 1
            stop.set()

    def _judge(self, wanted: Sequence[Candidate], seen: Folded, begin: int, stop: threading.Event) -> Findings | Unjudged:
        """The findings of all candidates, in order; one that cannot be judged spoils all."""
        found: list[Finding] = []
        try:
            reached = begin
            for each in wanted:
                if stop.is_set():
                    return Unjudged("timeout")
                if not each.address and each.until <= reached:
                    continue
                for hit in self._hits(each, seen, reached if not each.address else begin):
                    found.append(Finding(hit.entity.lower(), hit.score, hit.start, hit.end, f"<{hit.entity}>"))
                    reached = reached if each.address else hit.end
        except self._timeout:
            return Unjudged("timeout")
        except Exception as error:  # a recognizer's fault is a verdict, never silence
            return Unjudged(f"error: {type(error).__name__}")
        return [_placed(each, seen) for each in _outside_addresses(found)]

    def _hits(self, each: Candidate, seen: Folded, begin: int) -> Iterator[Hit]:
        """What is seen in one candidate, at its place in the folded text: the best of what overlaps, from `begin` on."""
        if each.address:
            hits = list(self._recognizers.address(each.slice))
        else:
            original = seen.text[each.left : each.end]
            hits = list(self._recognizers.number(each.slice, original, each.start - each.left))
        kept: list[Hit] = []
        for hit in sorted(hits, key=lambda hit: (-hit.score, hit.start - hit.end, hit.start, hit.entity)):
            start, end = each.left + hit.start, each.left + hit.end
            if hit.score < self._least or not each.start <= start < each.until:
                continue
            if all(end <= other.start or other.end <= start for other in kept):
                kept.append(type(hit)(hit.entity, hit.score, start, end))
        return iter(sorted((hit for hit in kept if hit.start >= begin), key=lambda hit: hit.start))


def _outside_addresses(found: Sequence[Finding]) -> list[Finding]:
    """Without the numbers that are part of an e-mail address, in order."""
    mails = [each for each in found if each.category == "email_address"]
    kept = [
        each
        for each in found
        if each.category == "email_address" or not any(mail.start <= each.start and each.end <= mail.end for mail in mails)
    ]
    return sorted(kept, key=lambda each: (each.start, each.end))


def _placed(each: Finding, seen: Folded) -> Finding:
    """The finding at its place in the original text."""
    start, end = seen.span(each.start, each.end)
    return Finding(each.category, each.score, start, end, each.mask)


def _fold(text: str) -> Folded:
    return fold(unveil(text), case=False, look_alikes=False, marks=False)
