"""What the pages about deployment show and name: their code blocks, and what they say of the program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from tests.deploy.cluster import ROOT

PAGES = (ROOT / "docs" / "install.md", ROOT / "docs" / "kubernetes.md")
FENCED = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, *languages: str) -> list[str]:
    """The code blocks in these languages, without the indent of the list that they stand in."""
    found = FENCED.findall(page.read_text("utf-8"))
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, language, text in found if language in languages]


def commands(page: Path) -> Iterator[list[str]]:
    """The command lines that a reader types, as words: of `bash` blocks all lines, of `console` blocks those behind a `$`."""
    typed = [line for text in blocks(page, "bash") for line in _lines(text)]
    typed += [line[2:] for text in blocks(page, "console") for line in _lines(text) if line.startswith("$ ")]
    for line in typed:
        yield from (shlex.split(part, comments=True) for part in re.split(r" && | & ?$|;", line) if part.strip())


def _lines(text: str) -> list[str]:
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def marked(page: Path) -> set[str]:
    """What stands between backticks in the text, code blocks left out."""
    return set(re.findall(r"`([^`\n]+)`", FENCED.sub("", page.read_text("utf-8"))))
