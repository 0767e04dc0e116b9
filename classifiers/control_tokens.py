"""The template and think tokens of R1 and of the models its distills are made from, in anything a person or a tool sends.

A chat template does no escaping: typed by a user, `<｜User｜>` becomes the token. Real tokens are looked for, and what looks like
one to a reader or after some decoding: full-width and other brackets and bars, look-alike letters, characters without width,
other separators, blanks inside, HTML entities, JSON escapes.

`<think>` needs no bars, and is found in any dress. A name such as `User` needs them: `List<User>`, `<user@example.com>` and
XML's `<User>` are ordinary text. `x < think > y` reads like a comparison: a finding with score 0.4, below the usual threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import Field

from classifiers.expressions import Expressions, expression
from classifiers.finding import Context, Finding, Findings, Passage, Unit, Unjudged
from classifiers.registry import Options, classifier
from classifiers.search import LOOKBACK, Search, Seat
from classifiers.spellings import foldings

THINK, ROLE, BOUNDARY, TOOL, DELIMITER = "think_tag", "role_token", "boundary_token", "tool_token", "forged_delimiter"
COMPARISON_SCORE: Final = 0.4

# Of each kind of sign those which folding leaves apart.
_OPEN: Final = "[<⟨〈❮❬ᐸ˂≺]"
_CLOSE: Final = "[>⟩〉❯❭ᐳ˃≻]"
_BAR: Final = "[|│┃∣❘⏐¦‖ǀ]{1,2}"
_SLASH: Final = "[/⁄∕╱⧸]"
_BLANK: Final = r"[\s\x{2028}\x{2029}▁_]{0,4}"
_BLANKS: Final = r"[\s\x{2028}\x{2029}▁_]{1,4}"
_GAP: Final = r"[\s\x{2028}\x{2029}▁_.\-]{0,3}"  # between the words of a name
_SPACED_THINK: Final = r"[\s▁_]{0,2}".join("think")

# Names of special tokens, words apart. R1's own, then those of Qwen and Llama, on which the distills stand.
_NAMES: Final = {
    ROLE: "User, Assistant, system, tool, developer, human, bot, im start, im sep, start header id, end header id",
    BOUNDARY: (
        "begin of sentence, end of sentence, pad, EOT, fim hole, fim begin, fim end, "
        "begin of text, end of text, eot id, eom id, im end, end of turn, finetune right pad id, "
        "fim prefix, fim middle, fim suffix, fim pad, repo name, file sep"
    ),
    TOOL: (
        "tool calls begin, tool call begin, tool sep, tool call end, tool calls end, "
        "tool outputs begin, tool output begin, tool output end, tool outputs end, search begin, search end, "
        "python tag, tool call, tool response"
    ),
}
_NUMBERED: Final = ("reserved special token", "place holder no")
_TAGS: Final = ("tool call", "tool response")  # Qwen's, without bars

_DELIMITERS: Final = {
    "file name": r"\[\s{0,4}file\s{1,4}name\s{0,4}\]",
    "file content begin": r"\[\s{0,4}file\s{1,4}content\s{1,4}begin\s{0,4}\]",
    "file content end": r"\[\s{0,4}file\s{1,4}content\s{1,4}end\s{0,4}\]",
    "webpage begin": r"\[\s{0,4}webpage\s{0,4}(?:[0-9]{1,6}|X)\s{0,4}begin\s{0,4}\]",
    "webpage end": r"\[\s{0,4}webpage\s{0,4}(?:[0-9]{1,6}|X)\s{0,4}end\s{0,4}\]",
    "user's message": r"#\s{0,4}the\s{1,4}user['’ʼ`]?s\s{1,4}message\s{1,4}is\s{0,4}:",
    "search results": r"#\s{0,4}the\s{1,4}following\s{1,4}contents\s{1,4}are\s{1,4}the\s{1,4}search\s{1,4}results",
    "用户消息": r"#\s{0,4}用户消息为\s{0,4}:",
    "搜索结果": r"#\s{0,4}以下内容是基于用户发送的消息的搜索结果",
}


class ControlTokensOptions(Options):
    """`delimiters`: also look for the lines that mark files, web pages and the question in DeepSeek's own prompts."""

    delimiters: bool = Field(
        False, description="Also finds [file content end], [webpage 3 begin], '# The user's message is:' and their kin."
    )


@dataclass(frozen=True, slots=True)
class Token:
    """A token or delimiter: how it is found in folded text, and the harmless text that shows where it was."""

    category: str
    pattern: str
    mask: str
    comparison: bool = False  # where it stands behind an operand it may be one


@classifier("control_tokens", options=ControlTokensOptions)
class ControlTokens:
    """Finds R1's template and think tokens, in any disguise."""

    name = "control_tokens"
    unit: Unit = "stream"
    lookback = LOOKBACK
    opener = 0
    joins = True  # half a token at the end of one message, half at the beginning of the next

    def __init__(self, options: ControlTokensOptions) -> None:
        self._tokens = [*_think_tags(), *_barred(), *_plain_tags(), *(_delimiters() if options.delimiters else ())]
        self.categories = frozenset(token.category for token in self._tokens)
        known = [expression(number, token.pattern) for number, token in enumerate(self._tokens)]
        # Whatever stands between full-width bars is a token of R1's family, known to us or not.
        unknown = expression(len(known), r"<｜[^｜<>\n]{1,40}｜>")
        whole, _ = foldings(escapes=True)
        self._tokens.append(Token(BOUNDARY, "", "‹token›"))
        self._search = Search([Seat(Expressions(known), whole), Seat(Expressions([unknown]), None, plain=False)], plain=whole)

    def safe_upto(self, text: str) -> int:
        return self._search.safe_upto(text)

    def glance(self, text: str, begin: int) -> int | None:
        return self._search.glance(text, begin)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Sequence[Findings | Unjudged]:
        return [self._one(passage) for passage in passages]

    def _one(self, passage: Passage) -> Findings | Unjudged:
        try:
            return tuple(self._found(passage.text, passage.begin))
        except Exception as error:  # a fault in one passage is a verdict on that passage
            return Unjudged(f"error: {type(error).__name__}")

    def _found(self, text: str, begin: int) -> Iterator[Finding]:
        hits = self._search.find(text, begin)
        reach = 0  # how far known tokens go
        for number, start, end in sorted(hits, key=lambda hit: (hit[1], hit[0])):
            if number == len(self._tokens) - 1 and end <= reach:
                continue
            reach = max(reach, end)
            token = self._tokens[number]
            score = COMPARISON_SCORE if token.comparison and _behind_operand(text, start) else 1.0
            yield Finding(token.category, score, start, end, token.mask)


def _think_tags() -> Iterator[Token]:
    end = f"{_BLANK}{_SLASH}?{_BLANK}{_CLOSE}"
    opening = f"{_OPEN}(?:{_SPACED_THINK}{end}|{_BLANK}{_SPACED_THINK}{_SLASH}?{_CLOSE})"
    yield Token(THINK, opening, "‹think›")
    yield Token(THINK, f"{_OPEN}{_BLANKS}{_SPACED_THINK}{_BLANKS}{_SLASH}?{_BLANK}{_CLOSE}", "‹think›", comparison=True)
    yield Token(THINK, f"{_OPEN}{_BLANK}{_SLASH}{_BLANK}{_SPACED_THINK}{end}", "‹/think›")


def _barred() -> Iterator[Token]:
    front, back = f"{_OPEN}{_BLANK}{_BAR}{_GAP}{_SLASH}?{_GAP}", f"{_GAP}{_BAR}{_BLANK}{_CLOSE}"
    for category, names in _NAMES.items():
        for name in names.split(", "):
            yield Token(category, f"{front}{_GAP.join(name.split())}{back}", f"‹{name}›")
    for name in _NUMBERED:
        yield Token(BOUNDARY, f"{front}{_GAP.join(name.split())}{_GAP}[0-9]{{1,5}}{back}", f"‹{name}›")


def _plain_tags() -> Iterator[Token]:
    for name in _TAGS:
        pattern = f"{_OPEN}{_BLANK}{_SLASH}?{_BLANK}{'[▁_]'.join(name.split())}{_BLANK}{_CLOSE}"
        yield Token(TOOL, pattern, f"‹{name}›")


def _delimiters() -> Iterator[Token]:
    for name, pattern in _DELIMITERS.items():
        yield Token(DELIMITER, pattern, f"‹{name}›")


def _behind_operand(text: str, start: int) -> bool:
    """Whether a word or closing bracket and a blank stand in front, as before a comparison sign."""
    before = text[max(0, start - 8) : start]
    operand = before.rstrip()[-1:]
    return before[-1:].isspace() and (operand.isalnum() or operand in ("_", ")", "]"))
