"""Which language to speak in: by the script of what the user wrote, and its small words. Judging it is a classifier's work."""

from __future__ import annotations

import re
from collections.abc import Iterable

from classifiers.language_words import SMALL
from classifiers.scripts import LANGUAGES
from policies.policy import Policy
from proxy.errors import ApiError

SAMPLE = 512
"""Characters looked at."""

_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("bn", re.compile("[\u0980-\u09ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
)


def tongue(text: str) -> str:
    """A language code for `text`; `en` where its script is Latin, or says nothing.

    >>> tongue("你好"), tongue("Wie geht es?"), tongue("")
    ('zh', 'en', 'en')
    """
    sample = text[-SAMPLE:]
    if sample.isascii():
        return "en"
    for code, script in _SCRIPTS:
        if len(script.findall(sample)) * 4 > len(sample):
            return code
    return next((code for code, script in _SCRIPTS if script.search(sample) and len(sample) < 16), "en")


_WORDS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LATIN = sorted(frozenset(SMALL) - {"ru", "uk"})
_WHOSE = {word: [code for code in _LATIN if word in SMALL[code]] for each in _LATIN for word in SMALL[each]}
"""The languages of each small word."""


def spoken(text: str) -> str:
    """The same, and Latin script told apart by its small words; `en` where two languages have as many of them.

    >>> spoken("Wie hoch ist der Eiffelturm?"), spoken("¿Qué es la luz?"), spoken("List three colours")
    ('de', 'es', 'en')
    """
    code = tongue(text)
    if code != "en":
        return code
    counts = dict.fromkeys(_LATIN, 0)
    for word in set(_WORDS.findall(text[-SAMPLE:].lower())):
        for code in _WHOSE.get(word, ()):
            counts[code] += 1
    most = max(counts.values())
    best = [code for code, count in counts.items() if count == most]
    return best[0] if most >= 2 and len(best) == 1 else "en"


def stated(headers: Iterable[tuple[bytes, bytes]], policy: Policy) -> str:
    """The user's language as the header says that the policy trusts (ISO 639-1); empty without such a policy or header.

    `de`, `de-CH` and `de-CH, en;q=0.8` are German. Raises `ApiError` 400 for what names no language.
    """
    name = policy.languages.header.encode() if policy.languages is not None else b""
    value = next((value for key, value in headers if key.lower() == name), b"") if name else b""
    if not value.strip():
        return ""
    code = re.split(r"[,;_-]", value.decode("latin-1").strip(), maxsplit=1)[0].strip().lower()
    if code not in LANGUAGES:
        message = f"The header {name.decode()} must name a language by its ISO 639-1 code, such as en, or zh-CN."
        raise ApiError(400, message, param=name.decode(), code="invalid_language")
    return code
