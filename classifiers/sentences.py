"""Takes out of a text what is in no language (code, formulas, addresses), and cuts the rest into sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

import re2

LONGEST = 600
"""Characters after which a sentence is cut, so that a text without any end of sentence is still judged in bounded pieces."""

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False

_NO_LANGUAGE = re2.compile(
    "|".join(
        (
            r"(?s:```.*?(?:```|\z))",
            r"(?s:~~~.*?(?:~~~|\z))",
            r"`[^`\n]+`",
            r"(?s:\$\$.+?\$\$)",
            r"(?s:\\\[.+?\\\])",
            r"(?s:\\\(.+?\\\))",
            r"(?s:\\begin\{[a-z*]+\}.+?\\end\{[a-z*]+\})",
            r"\$[^$\n]+\$",
            r"\\[A-Za-z]+",
            r"</?[A-Za-z][^<>\n]*>",
            r"(?i:https?://|www\.)[!-~]+",
            r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+",
            r"(?:[A-Za-z]:)?[\\/]?(?:[A-Za-z0-9_.-]+[\\/]){2}[A-Za-z0-9_.\\/-]*",
        )
    ),
    _OPTIONS,
)
_FENCE = re.compile(r"^[ \t]*```[ \t]*(\S*)", re.MULTILINE)
_END = re.compile(r"[。！？；।॥\n]+|[.!?…]+(?=[\s\"'”’)\]]|\Z)")
_LETTER = re.compile(r"[^\W\d_]")
_QUOTED = re.compile(
    r"\"[^\"\n]{1,300}\"|“[^”\n]{1,300}”|„[^“”\n]{1,300}[“”]|«[^»\n]{1,300}»|「[^」\n]{1,300}」|『[^』\n]{1,300}』"
)


def prose(text: str) -> str:
    """The text with spaces in place of what is in no language; the same length.

    A passage may open inside a code block. Where its fences do not come in pairs, the first one closes a block if it names no
    language, and what stands before it is code; else the last one opens a block.
    """
    fences = list(_FENCE.finditer(text))
    if len(fences) % 2 and not fences[0].group(1):
        text = _spaces(text[: fences[0].end()]) + text[fences[0].end() :]
    parts, done = [], 0
    for match in _NO_LANGUAGE.finditer(text):
        parts += [text[done : match.start()], _spaces(match.group())]
        done = match.end()
    return "".join((*parts, text[done:])) if parts else text


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """The places of the sentences, without the blanks around them."""
    start = 0
    for end in (*(match.end() for match in _END.finditer(text)), len(text)):
        while start < end:
            stop = min(end, start + LONGEST)
            piece = text[start:stop]
            if piece.strip():
                yield start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
            start = stop


def unquoted(text: str) -> str:
    """The text with spaces in place of what stands in quotation marks: a sentence about a quotation is not in its language."""
    return _QUOTED.sub(lambda match: " " * len(match.group()), text)


def letters(text: str) -> int:
    """How many letters there are."""
    return len(_LETTER.findall(text))


def _spaces(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)
