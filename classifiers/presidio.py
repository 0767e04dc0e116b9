"""Presidio's recognizers without its language model, its network access and its habit of failing open.

Recognizers are called one by one: `AnalyzerEngine` wants a spaCy pipeline for its context words, and that remembers every word it
ever saw. What it does with them is done here: a word before the match that holds one of the recognizer's own context words raises
the score. Nothing in Presidio's modules is changed: expressions run through a guard that lets a time-out out, and the e-mail
recognizer asks a copy of the public suffix list that never goes to the network.

Importing this module imports presidio-analyzer (and spaCy with it): 0.7 s, 90 MB.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import Any

import presidio_analyzer.predefined_recognizers as predefined
import tldextract
from presidio_analyzer import EntityRecognizer, Pattern, PatternRecognizer
from presidio_analyzer.predefined_recognizers import EmailRecognizer, PhoneRecognizer
from spacy.lang.en.stop_words import STOP_WORDS

regex: Any = import_module("regex")  # has no types

SECONDS = 0.5
"""For one expression on one slice. Slices are short: what takes longer is under attack."""
RAISED, LEAST, WORDS_BEFORE = 0.35, 0.4, 5
"""What context words do to a score: Presidio's own numbers (`LemmaContextAwareEnhancer`)."""
INTERNATIONAL = 0.75
"""The score of a valid phone number with its country code; Presidio gives 0.4 to any."""

CHINESE_CONTEXT = {
    "PHONE_NUMBER": ("电话", "電話", "手机", "手機", "号码", "號碼", "联系", "致电", "拨打"),
    "CREDIT_CARD": ("卡号", "卡號", "信用卡", "银行卡"),
    "US_SSN": ("社会安全", "社保"),
    "US_PASSPORT": ("护照", "護照"),
    "US_BANK_NUMBER": ("账号", "账户", "帳號"),
}
_FLAGS = regex.DOTALL | regex.MULTILINE | regex.IGNORECASE  # what Presidio's registry gives to all recognizers
_WORD = re.compile(r"[^\W_][\w'#-]*")
_FRACTION = re.compile(r"[0-9][.]\Z")  # 3.14159265 is no telephone number
_DIGITS = re.compile(r"[0-9]+")


class RecognizerTimeoutError(Exception):
    """An expression ran out of time: the slice was not judged."""


@dataclass(frozen=True, slots=True)
class Hit:
    """What a recognizer saw at slice[start:end]."""

    entity: str
    score: float
    start: int
    end: int


class _Guarded:
    """A compiled expression for `PatternRecognizer`, which swallows `TimeoutError` and goes on as if it had found nothing."""

    def __init__(self, expression: str, flags: int, seconds: float) -> None:
        self._compiled, self._seconds = regex.compile(expression, flags=flags), seconds

    def finditer(self, text: str, timeout: float | None = None) -> Iterator[Any]:
        try:
            yield from self._compiled.finditer(text, timeout=self._seconds)
        except TimeoutError as error:
            raise RecognizerTimeoutError from error


class _OfflineEmailRecognizer(EmailRecognizer):
    """`EmailRecognizer` asks `tldextract.extract`, which downloads the suffix list; this one has the packaged list."""

    def __init__(self) -> None:
        super().__init__()
        self._suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    def validate_result(self, pattern_text: str) -> bool:
        return bool(self._suffixes(pattern_text).fqdn)


class _ResidentId(PatternRecognizer):
    """The Chinese resident identity number: region, birthday, serial, check digit (GB 11643-1999)."""

    def __init__(self) -> None:
        pattern = Pattern("18 digits", r"(?<![0-9A-Za-z])[1-9]\d{5}(?:19|20)\d{9}[0-9Xx](?![0-9A-Za-z])", 0.3)
        super().__init__("CN_ID_CARD", patterns=[pattern], context=["id", "identity"])

    def validate_result(self, pattern_text: str) -> bool:
        try:
            date(int(pattern_text[6:10]), int(pattern_text[10:12]), int(pattern_text[12:14]))
        except ValueError:
            return False
        rest = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(pattern_text[:17])) % 11
        return "10X98765432"[rest] == pattern_text[17].upper()


class _Recognizer:
    """One recognizer with what a slice must have for it to be worth calling."""

    def __init__(self, entity: str, recognizer: Any, seconds: float) -> None:
        self.entity, self._recognizer = entity, recognizer
        self._least = _LEAST_DIGITS.get(entity, 1)
        self._context = tuple(word.lower() for word in recognizer.context or ())
        self._chinese = CHINESE_CONTEXT.get(entity, ())
        if isinstance(recognizer, PatternRecognizer):
            own: Any = recognizer
            own.global_regex_flags = _FLAGS
            own.patterns = [_guarded(pattern, _FLAGS, seconds) for pattern in own.patterns]

    def worth(self, text: str, groups: Sequence[str]) -> bool:
        """Whether this recognizer can find anything in a run with these groups of digits."""
        if self.entity == "PHONE_NUMBER":  # slow, and nobody writes a number in more than six groups
            return any(sum(map(len, groups[at : at + 6])) >= 7 for at in range(max(1, len(groups) - 5)))
        if self.entity == "IP_ADDRESS":
            return text.count(".") >= 3 or text.count(":") >= 2
        return sum(map(len, groups)) >= self._least

    def look(self, text: str, original: str) -> Iterator[Hit]:
        """What it sees in `text`; `original` is the same stretch with its Chinese characters."""
        for seen in self._recognizer.analyze(text, [self.entity], None):
            if self.entity == "PHONE_NUMBER" and _FRACTION.search(text, max(0, seen.start - 2), seen.start):
                continue
            score = max(float(seen.score), INTERNATIONAL if self.entity == "PHONE_NUMBER" and text[seen.start] == "+" else 0.0)
            if score < 1.0 and self._supported(text, original, seen.start):
                score = min(max(score + RAISED, LEAST), 1.0)
            yield Hit(self.entity, score, seen.start, seen.end)

    def _supported(self, text: str, original: str, start: int) -> bool:
        before = [word.lower() for word in _WORD.findall(text, 0, start)]
        words = [word for word in before if word not in STOP_WORDS][-WORDS_BEFORE:]
        if any(context in word for word in words for context in self._context):
            return True
        return any(word in original[max(0, start - 20) : start] for word in self._chinese)


class Recognizers:
    """The recognizers of the entities that were asked for."""

    def __init__(self, entities: Sequence[str], regions: Sequence[str], seconds: float = SECONDS) -> None:
        kinds = known()
        made = [_Recognizer(entity, _make(kinds[entity], regions), seconds) for entity in entities]
        self._email = [each for each in made if each.entity == "EMAIL_ADDRESS"]
        numbers = [each for each in made if each.entity != "EMAIL_ADDRESS"]
        self._numbers = sorted(numbers, key=lambda each: each.entity == "PHONE_NUMBER")

    def address(self, text: str) -> Iterator[Hit]:
        """E-mail addresses in a slice around an `@`."""
        for each in self._email:
            yield from each.look(text, text)

    def number(self, text: str, original: str, run: int) -> Iterator[Hit]:
        """Everything else in a slice whose candidate starts at `run`. Raises `RecognizerTimeoutError`."""
        rest = text
        for each in self._numbers:
            if each.worth(rest, _DIGITS.findall(rest, run)):
                for hit in each.look(text, original):
                    yield hit
                    if (
                        hit.score == 1.0
                    ):  # a checksum was right: the phone recognizer, which is slow and comes last, need not look
                        rest = rest[: hit.start] + " " * (hit.end - hit.start) + rest[hit.end :]


_LEAST_DIGITS = {
    "CREDIT_CARD": 12, "CN_ID_CARD": 17, "US_SSN": 9, "US_ITIN": 9, "US_PASSPORT": 8, "US_BANK_NUMBER": 8, "UK_NHS": 10,
    "IBAN_CODE": 6, "CRYPTO": 2,
}  # fmt: skip


def known() -> dict[str, Callable[..., EntityRecognizer]]:
    """The recognizers that can be asked for, by entity: Presidio's that need no model, in English, and ours."""
    kinds: dict[str, Callable[..., EntityRecognizer]] = {}
    for kind in vars(predefined).values():
        if inspect.isclass(kind) and issubclass(kind, PatternRecognizer) and kind is not PatternRecognizer:
            entity = inspect.signature(kind).parameters.get("supported_entity")
            if entity is not None and isinstance(entity.default, str):
                kinds.setdefault(entity.default, kind)
    return {**kinds, "EMAIL_ADDRESS": _OfflineEmailRecognizer, "PHONE_NUMBER": PhoneRecognizer, "CN_ID_CARD": _ResidentId}


def _make(kind: Callable[..., EntityRecognizer], regions: Sequence[str]) -> EntityRecognizer:
    return kind(supported_regions=tuple(regions)) if kind is PhoneRecognizer else kind()


def _guarded(pattern: Pattern, flags: int, seconds: float) -> Pattern:
    """A copy of a pattern (Presidio's are shared by all recognizers of a class) whose time-outs are not swallowed."""
    own: Any = copy(pattern)
    own.compiled_regex, own.compiled_with_flags = _Guarded(pattern.regex, flags, seconds), flags
    guarded: Pattern = own
    return guarded
