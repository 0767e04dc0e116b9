"""Which language to refuse in: by the script of what the user wrote. Judging languages is a classifier's work."""

from __future__ import annotations

import re

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
