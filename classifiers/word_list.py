"""The options of `patterns`: words and expressions as people write them, simple forms and full ones, and lists in files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

from classifiers.expressions import expression
from classifiers.fold import fold
from classifiers.literals import LONGEST_LITERAL
from classifiers.registry import Options

LARGEST_FILE: Final = 16 << 20  # bytes of a words_file


def _usable_word(text: str) -> str:
    """A word without blanks around it; raises `ValueError` where nothing is left to look for."""
    word = text.strip()
    if not word:
        raise ValueError("is empty")
    length = len(fold(word, entities=False, decompose=True).text)
    if length > LONGEST_LITERAL:
        raise ValueError(f"has {length} characters, at most {LONGEST_LITERAL} are allowed; use its most telling part")
    return word


class Short(Options):
    """Something with a short form: one text that stands for `{<key>: text}`."""

    key: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _from_short(cls, value: Any) -> Any:
        return {cls.key: value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [{"type": "string", "minLength": 1}, full]}


class Word(Short):
    """A word or phrase to look for, with what differs from the rule's own settings."""

    key = "text"
    text: Annotated[str, AfterValidator(_usable_word)]
    category: str | None = None
    case_sensitive: bool | None = None
    whole_word: bool | None = None
    score: float = Field(1.0, ge=0, le=1)
    mask: str | None = None


class Expression(Short):
    """A regular expression in RE2's syntax. `fold: false` looks at the text only as it is written."""

    key = "pattern"
    pattern: str
    category: str | None = None
    case_sensitive: bool | None = None
    score: float = Field(1.0, ge=0, le=1)
    mask: str | None = None
    fold: bool = True

    @model_validator(mode="after")
    def _usable(self) -> Self:
        expression(0, self.pattern, case_sensitive=bool(self.case_sensitive))
        return self


class _Named:
    """Also reads `{category: [entry, …]}`, as the list of its entries, each with its category."""

    def __init__(self, entry: type[Word] | type[Expression]) -> None:
        self._lists: TypeAdapter[dict[str, list[Any]]] = TypeAdapter(dict[str, list[entry]])  # type: ignore[valid-type]  # made at run time

    def _read(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        lists = self._lists.validate_python(value, strict=True)
        return [{"category": name} | entry.model_dump(exclude_none=True) for name, entries in lists.items() for entry in entries]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        listed = handler(core)
        return {"anyOf": [listed, {"type": "object", "additionalProperties": listed}]}


class PatternsOptions(Options):
    """What to look for. Words are literal text; expressions have RE2's syntax, their `\\b`, `\\d` and `\\w` know ASCII only."""

    words: Annotated[list[Word], _Named(Word)] = Field([], description="Words and phrases: a list, or lists by category.")
    words_file: Path | None = Field(None, description="A file with one word or phrase a line; # begins a comment.")
    expressions: Annotated[list[Expression], _Named(Expression)] = Field(
        [], description="Regular expressions: a list, or lists by category."
    )
    whole_word: bool = Field(True, description="A word is not found inside a longer one. Chinese, Thai and the like: anywhere.")
    case_sensitive: bool = False
    category: str = Field("pattern", min_length=1, description="What a finding is called where its entry does not say.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.words or self.expressions or self.words_file):
            raise ValueError("there is nothing to look for: give words, words_file or expressions")
        return self

    def all_words(self) -> Iterator[Word]:
        """The listed words, then the file's. Raises `ValueError` naming file and line of a bad one, `OSError` without a file."""
        yield from self.words
        if self.words_file is not None:
            yield from words_of(self.words_file)


def words_of(path: Path) -> Iterator[Word]:
    """The words of a file: UTF-8, one a line, `#` and what follows it is a comment (`\\#` is a number sign)."""
    data = path.read_bytes()
    if len(data) > LARGEST_FILE:
        raise ValueError(f"{path}: has {len(data)} bytes, at most {LARGEST_FILE} are allowed")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line_number = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}:{line_number}: is not UTF-8; save the file as UTF-8") from None
    for number, line in enumerate(text.split("\n"), 1):
        word = line.replace("\\#", "\0").partition("#")[0].replace("\0", "#").strip()
        if not word:
            continue
        try:
            yield Word(text=_usable_word(word))
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from None
