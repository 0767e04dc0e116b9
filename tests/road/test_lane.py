"""Lanes: what leaves depends on the text alone, never on its cut; what a rule hides never shows, nor a part of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from classifiers.finding import Channel, Classifier, Finding, Findings, Passage, Unjudged
from classifiers.patterns import Patterns
from classifiers.registry import Options, Registry, classifier
from classifiers.secrets import Secrets, SecretsOptions
from classifiers.word_list import PatternsOptions
from policies.policy import Passages, Rule
from policies.verdict import Action
from proxy.road import lane as lanes
from proxy.road.guard import Guard
from proxy.road.passages import cut
from tests.road.own import Block, Broken, Road, Said, Word, guard, pieces, rule

SMALL = Passages(first=4, then=8, most=14)
ACTIONS = (Action.FLAG, Action.REDACT, Action.WITHHOLD, Action.BLOCK)
ALPHABET = "ab<>[] ."


@dataclass(frozen=True)
class Setting:
    """Rules with their classifiers, and a text in batches of chunks."""

    kinds: tuple[tuple[str, Action], ...]
    text: str
    cuts: tuple[int, ...]
    batches: tuple[int, ...]

    def guard(self) -> Guard:
        return guard(*(watched(at, kind, action) for at, (kind, action) in enumerate(self.kinds)))

    def road(self) -> Road:
        chunks = pieces(self.text, self.cuts)
        edges = sorted({0, len(chunks), *(place % (len(chunks) + 1) for place in self.batches)})
        groups = [chunks[a:b] for a, b in pairwise(edges)]
        return asyncio.run(Road(self.guard(), SMALL).go(groups))

    def whole(self) -> Road:
        return asyncio.run(Road(self.guard(), SMALL).whole(self.text))


def watched(at: int, kind: str, action: Action) -> tuple[Rule, Classifier]:
    """A rule by a short description: `stream:abb`, `open:<<,>>` or `passage:b`."""
    unit, _, what = kind.partition(":")
    mask = f"{{{at}}}"
    if unit == "open":
        begin, _, end = what.partition(",")
        return rule(f"rule{at}", action), Block(begin, end, mask)
    found: Classifier = Word(what, mask) if unit == "stream" else Said(what, mask)
    return rule(f"rule{at}", action), found


STREAM = ("stream:ab", "stream:bab", "stream:b<", "stream:>>", "stream: a")
OPEN = ("open:<<,>>", "open:[[,]]", "open:<[,b>")
PASSAGE = ("passage:bb", "passage:a.", "passage:<")


def settings_of(kinds: Sequence[str], actions: Sequence[Action] = ACTIONS) -> st.SearchStrategy[Setting]:
    rules = st.lists(st.tuples(st.sampled_from(kinds), st.sampled_from(actions)), min_size=1, max_size=4)
    numbers = st.lists(st.integers(0, 50), max_size=10).map(tuple)
    parts = st.lists(st.sampled_from(["<<", ">>", "[[", "]]", *ALPHABET]), max_size=40).map("".join)
    return st.builds(Setting, rules.map(tuple), parts, numbers, numbers)


def expected(setting: Setting) -> str:
    """What may leave, from the whole text and in the simplest way."""
    text, stop = setting.text, len(setting.text)
    masks: list[tuple[int, int, str]] = []
    for at, (kind, action) in enumerate(setting.kinds):
        _, classifier = watched(at, kind, action)
        for start, end, from_where in spans(classifier, text):
            if action >= Action.WITHHOLD:
                stop = min(stop, from_where)
            elif action is Action.REDACT:
                masks.append((start, end, f"{{{at}}}"))
    out, done = "", 0
    for start, end, mask in sorted(masks, key=lambda each: (each[0], -each[1])):
        if start >= stop:
            break
        if start >= done:
            out += text[done:start] + mask
        done = max(done, end)
    return out + text[done:stop] if done < stop else out


def spans(classifier: Classifier, text: str) -> list[tuple[int, int, int]]:
    """Start and end of each finding, and the place at which a block by it stops the text."""
    if isinstance(classifier, Said):
        places = [(text.find(classifier.word, start, end), start) for start, end in cut(text, SMALL)]
        return [(at, at + len(classifier.word), start) for at, start in places if at >= 0]
    if isinstance(classifier, Block):
        return [(start, end, start) for start, end, _ in classifier.spans(text)]
    assert isinstance(classifier, Word)
    word = classifier.word
    return [(at, at + len(word), at) for at in range(len(text)) if text.startswith(word, at)]


def same_for_every_cut(setting: Setting, *, whole: bool = True) -> None:
    road = setting.road()
    assert road.text == expected(setting)
    single = asyncio.run(Road(setting.guard(), SMALL).go([[char] for char in setting.text]))
    assert single.text == road.text
    assert single.lane.blocked == road.lane.blocked
    assert sorted({(r, a) for r, a, _ in single.reasons}) == sorted({(r, a) for r, a, _ in road.reasons})
    if whole:
        at_once = setting.whole()
        assert (at_once.text, at_once.lane.blocked, at_once.reasons) == (road.text, road.lane.blocked, road.reasons)
        assert single.reasons == road.reasons


@given(settings_of(STREAM))
@settings(max_examples=300, deadline=None)
def test_stream_rules(setting: Setting) -> None:
    same_for_every_cut(setting)


@given(settings_of((*STREAM, *OPEN[:1])))
@example(Setting((("open:<<,>>", Action.REDACT), ("stream:>>", Action.FLAG)), "a<<b>>ab", (), ()))
@settings(max_examples=300, deadline=None)
def test_open_findings(setting: Setting) -> None:
    same_for_every_cut(setting, whole=False)


@given(settings_of((*STREAM, *OPEN)))
@example(Setting((("open:<<,>>", Action.REDACT), ("open:[[,]]", Action.REDACT)), "<<a[[b>>secret]]b", (), ()))
@settings(max_examples=300, deadline=None)
def test_several_open_findings(setting: Setting) -> None:
    same_for_every_cut(setting, whole=False)


@given(settings_of(PASSAGE))
@settings(max_examples=300, deadline=None)
def test_passage_rules(setting: Setting) -> None:
    same_for_every_cut(setting)


@given(settings_of((*STREAM, *PASSAGE)))
@settings(max_examples=300, deadline=None)
def test_stream_and_passage_rules_together(setting: Setting) -> None:
    same_for_every_cut(setting)


@given(settings_of((*STREAM, *OPEN, *PASSAGE)))
@settings(max_examples=300, deadline=None)
def test_all_together(setting: Setting) -> None:
    same_for_every_cut(setting, whole=False)


@given(settings_of((*STREAM, *OPEN, *PASSAGE), actions=(Action.ALLOW, Action.FLAG)))
@settings(max_examples=200, deadline=None)
def test_allowed_text_arrives_whole(setting: Setting) -> None:
    assert setting.road().text == setting.text
    assert setting.whole().text == setting.text


@given(st.lists(st.text(alphabet="xyz ", min_size=1, max_size=5), max_size=20))
@settings(max_examples=100, deadline=None)
def test_chunks_keep_their_cut(chunks: list[str]) -> None:
    """Where nothing was held over a chunk's end, what goes out is what came in, chunk for chunk."""
    road = asyncio.run(Road(guard((rule("r", Action.BLOCK), Word("abc")))).go([[chunk] for chunk in chunks]))
    assert road.out == chunks
    together = asyncio.run(Road(guard((rule("r", Action.BLOCK), Word("abc")))).go([chunks]))
    assert together.out == chunks
    passages = asyncio.run(Road(guard((rule("r", Action.BLOCK), Said("abc")))).go([chunks]))
    assert "".join(passages.out) == "".join(chunks)
    assert not any(len(piece) > 5 for piece in passages.out)


def test_what_is_held_is_only_a_live_partial_match() -> None:
    async def go() -> list[list[str]]:
        lane = Road(guard((rule("r", Action.BLOCK), Word("secret")))).lane
        return [await lane.feed([chunk]) for chunk in ("a se", "cr", "et", "ly")]

    assert asyncio.run(go())[:2] == [["a "], []]


# ---- classifiers that fail


def never(action: Action, on_error: Action = Action.BLOCK) -> tuple[Rule, Classifier]:
    return rule("never", action, on_error=on_error), Broken(([],), settles=False)


def test_held_text_is_bounded_and_then_unjudged() -> None:
    async def go() -> None:
        road = Road(guard(never(Action.BLOCK)))
        fed = 0
        while not road.lane.blocked:
            road.out += await road.lane.feed(["x" * 1000])
            fed += 1000
            assert road.lane.window.held <= lanes.MOST_HELD + 1000
            assert fed <= lanes.MOST_HELD + 1000
        assert road.text == ""
        assert road.lane.blocked.rule == "never"
        assert road.blind == {"never": "overload: never settles"}

    asyncio.run(go())


def test_one_that_never_settles_does_not_blind_the_others() -> None:
    """Else whoever can make one classifier wait could carry anything past all of them."""
    secret = "x" * 40_000 + "secret" + "x" * 40_000
    chunks = [[secret[at : at + 1000]] for at in range(0, len(secret), 1000)]
    watch = guard(never(Action.BLOCK, Action.FLAG), (rule("word", Action.REDACT, on_error=Action.FLAG), Word("secret", "*")))
    road = asyncio.run(Road(watch).go(chunks))
    assert road.text == "x" * 40_000 + "*" + "x" * 40_000
    assert ("word", 40_000, 40_006) in road.reasons
    assert set(road.blind) == {"never"}


@pytest.mark.parametrize("unit", ["stream", "passage"])
@pytest.mark.parametrize(
    ("on_error", "text"),
    [(Action.FLAG, "some text. more"), (Action.BLOCK, ""), (Action.WITHHOLD, "")],
    ids=lambda each: str(each),
)
def test_a_classifier_that_fails_means_what_its_rule_says(unit: str, on_error: Action, text: str) -> None:
    broken = Broken(ZeroDivisionError("the text itself"), unit="stream" if unit == "stream" else "passage")
    road = asyncio.run(Road(guard((rule("r", Action.FLAG, on_error=on_error), broken)), SMALL).go([["some ", "text.", " more"]]))
    assert road.text == text
    assert road.blind == {"r": "error: ZeroDivisionError"}
    assert bool(road.lane.blocked) == (on_error is Action.BLOCK)


def test_an_open_mask_stays_shut_while_its_classifier_fails() -> None:
    class Failing(Block):
        def _one(self, passage: Passage) -> Findings | Unjudged:
            return Unjudged("error: test") if "!" in passage.text[passage.begin :] else super()._one(passage)

    watch = guard((rule("r", Action.REDACT, on_error=Action.FLAG), Failing(mask="*")))
    road = asyncio.run(Road(watch).go([["a<<b"], ["c!d"], ["e>>f"]]))
    assert road.text == "a*f"


# ---- the real thing

KEY = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7x\n" * 40 + "-----END RSA PRIVATE KEY-----"
TOKEN = "ghp_" + "aB3dE5gH7j" * 80


@pytest.mark.parametrize("secret", [KEY, TOKEN, "ghp_" + "aB3dE5gH7jK9" * 3, TOKEN + " and " + KEY])
def test_secrets_at_many_cuts(secret: str) -> None:
    text = f"Here it is: {secret} (keep it safe).\n" * 2
    watch = guard((rule("secrets", Action.REDACT), Secrets(SecretsOptions())), (rule("word", Action.FLAG), Word("safe")))
    at_once = asyncio.run(Road(watch).go([[text]])).text
    assert "aB3dE5" not in at_once
    assert "MIIEp" not in at_once
    assert at_once.count("(keep it safe).") == 2
    for size in (1, 2, 3, 7, 16, 61, 250, 600, len(secret) - 1):
        chunks = [[text[at : at + size]] for at in range(0, len(text), size)]
        assert asyncio.run(Road(watch).go(chunks)).text == at_once, size


PATTERNS = Patterns(
    PatternsOptions.model_validate(
        {"words": ["kumquat", "quat x"], "whole_word": False, "expressions": ["[a-z]{1,9}@[a-z]{1,9}[.]com"]}
    )
)
BITS = st.sampled_from(["kum", "quat", "ｋｕｍ", "\u200b", "x", " ", "a@b", ".com", "&#107;um", "KUM", "\n", ".", "é"])


@given(st.lists(BITS, max_size=12).map("".join), st.lists(st.integers(0, 60), max_size=8), st.sampled_from(ACTIONS))
@settings(max_examples=150, deadline=None)
def test_patterns_at_every_cut(text: str, cuts: list[int], action: Action) -> None:
    watch = guard((rule("p", action, mask="*"), PATTERNS), (rule("s", Action.FLAG), Said("x")))
    for sizes in (SMALL, Passages()):
        at_once = asyncio.run(Road(watch, sizes).go([[text]]))
        for batches in ([[piece] for piece in pieces(text, cuts)], [[char] for char in text]):
            road = asyncio.run(Road(watch, sizes).go(batches))
            assert (road.text, road.reasons, road.lane.blocked) == (at_once.text, at_once.reasons, at_once.lane.blocked)
        if action is not Action.FLAG:
            assert "kumquat" not in at_once.text


@classifier("ticket")
def ticket(text: str, options: Options) -> Iterator[Finding]:
    """Finds numbers of tickets."""
    for found in re.finditer(r"HD-[0-9]{4}", text):
        yield Finding("ticket", 1.0, found.start(), found.end(), mask="<TICKET>")


@pytest.mark.parametrize("size", [1, 2, 5, 11, 100])
def test_a_function_as_a_classifier_masks_what_it_finds(size: int) -> None:
    text = "We opened HD-2039. Then HD-1717 came. It was like HD-1111."
    found = Registry(extra=[ticket]).spec("ticket").build(Options())
    chunks = [[text[at : at + size]] for at in range(0, len(text), size)]
    road = asyncio.run(Road(guard((rule("r", Action.REDACT), found)), SMALL).go(chunks))
    assert road.text == re.sub(r"HD-[0-9]{4}", "<TICKET>", text)
    assert road.reasons == [("r", found.start(), found.end()) for found in re.finditer(r"HD-[0-9]{4}", text)]


@pytest.mark.parametrize("channel", list(Channel))
def test_a_channel_without_rules_is_passed_on(channel: Channel) -> None:
    watch = guard((rule("r", Action.BLOCK, on=frozenset()), Word("x")))
    road = asyncio.run(Road(watch, channel=channel).go([["a", "x"], ["b"]]))
    assert road.out == ["a", "x", "b"]
