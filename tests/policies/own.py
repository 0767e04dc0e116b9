"""Small classifiers of our own, so that tests of policies need none of the real ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, Field, field_validator

from classifiers.finding import Context, Finding, Findings, Passage, Unit, Unjudged
from classifiers.registry import MissingPackageError, Options, Registry, classifier


class WordOptions(Options):
    words: list[str] = Field(default_factory=lambda: ["kumquat"], min_length=1)
    kinds: frozenset[str] = frozenset()
    category: str = "word"

    @field_validator("words")
    @classmethod
    def _no_blank(cls, words: list[str]) -> list[str]:
        if any(not word.strip() for word in words):
            raise ValueError("a word must not be blank")
        return words


@classifier("words", options=WordOptions)
def words(text: str, options: WordOptions) -> Iterator[Finding]:
    """Finds words."""
    for word in options.words:
        start = text.find(word)
        if start >= 0:
            yield Finding("words", 1.0, start, start + len(word))


class FileOptions(Options):
    words_file: Path
    more_files: tuple[Path, ...] = ()


@classifier("from_file", options=FileOptions)
def from_file(text: str, options: FileOptions) -> Iterator[Finding]:
    """Finds the words of a file."""
    for word in options.words_file.read_text().split():
        start = text.find(word)
        if start >= 0:
            yield Finding("from_file", 1.0, start, start + len(word))


class Detail(BaseModel):
    depth: int = 1


class HarmOptions(Options):
    except_: list[str] = Field(default_factory=list, alias="except")
    detail: Detail = Detail()
    allowed: str | list[str] = "same"


@classifier("harm", options=HarmOptions)
class Harm:
    """Scores a text by a number it holds: `harmful_request 0.7`."""

    categories: ClassVar[frozenset[str]] = frozenset({"harmful_request", "self_harm", "hate"})
    unit: Unit = "passage"
    lookback = 0
    opener = 0

    def __init__(self, options: HarmOptions) -> None:
        self.name, self.options = "harm", options

    def safe_upto(self, text: str) -> int:
        return len(text)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Sequence[Findings | Unjudged]:
        return [self._one(passage.text, context) for passage in passages]

    def _one(self, text: str, context: Context) -> Findings | Unjudged:
        if text == "blind":
            return Unjudged("error: test")
        if text == "crash":
            raise ZeroDivisionError
        category, _, score = text.partition(" ")
        return (Finding(category, float(score), 0, len(text)),) if category in self.categories else ()


class CollidingOptions(Options):
    on: str = ""


@classifier("colliding", options=CollidingOptions)
def colliding(text: str, options: CollidingOptions) -> Iterator[Finding]:
    """Has an option with the name of a rule's key."""
    yield from ()


@classifier("unbuildable")
class Unbuildable:
    """Cannot be built."""

    def __init__(self, options: Options) -> None:
        raise RuntimeError("the model file is broken")


@classifier("uninstalled")
class Uninstalled:
    """Needs a package that is not there."""

    def __init__(self, options: Options) -> None:
        raise MissingPackageError("uninstalled", "torch", "models")


OWN = (words, from_file, Harm, colliding, Unbuildable, Uninstalled)


def registry() -> Registry:
    """A registry that has them."""
    return Registry(extra=OWN)
