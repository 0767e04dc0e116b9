"""The guard in traces: what each classifier cost, on which passage, with what outcome, and what servers are told of the trace."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from classifiers.finding import Context, Finding, Findings, Passage, Unit, Unjudged
from classifiers.registry import Options, Registry, classifier
from classifiers.remote.options import ours
from proxy.telemetry.guards import MOST_LOOKS
from tests.classifiers.remote.server import Asked, Raw, Server, serving
from tests.fake_model import fake_model
from tests.stack import stack
from tests.telemetry.collector import Collector, Seen, collector

PARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
SCENES = [{"think": "Wombats dig deep holes. " * 8, "say": "A platypus swims in the river. " * 8}]
RULES = """
name: traced
reasoning: show
rules:
  secrets: {{use: secrets, on: [prompt, reasoning, answer], do: redact}}
  away:
    use: remote
    protocol: tei
    url: "{url}"
    labels: {{BAD: bad, GOOD: null}}
    on: [prompt, answer]
    when: {{bad: 0.5}}
    do: flag
    on_error: flag
    cache: 0
    {more}
"""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that the environment names."""
    with collector() as one:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.url)
        yield one


@pytest.fixture
def judge() -> Iterator[Server]:
    """A server that finds every text bad."""

    def says(asked: Asked) -> Any:
        return [[{"label": "BAD", "score": 0.9}, {"label": "GOOD", "score": 0.1}] for _ in asked.body["inputs"]]

    with serving(says) as server:
        yield server


def talk(policy: str, registry: Registry | None = None, scenes: Any = None, **body: Any) -> None:
    """One streamed exchange within a caller's trace."""
    with fake_model(scenes=scenes or SCENES) as model, stack(policy, model.url, registry=registry) as proxy:
        asked = {"messages": [{"role": "user", "content": "Tell me of echidnas."}], "stream": True} | body
        assert proxy.post(asked, headers=PARENT).status_code == 200


def looked(span: Seen) -> dict[str, dict[str, str]]:
    """What was added up on a channel's span, by classifier."""
    told = [line.split() for line in span.notes["sluicegate.guard.by_classifier"]]
    return {name: dict(word.split("=") for word in words) for name, *words in told}


def test_a_classifier_that_asks_a_server_has_a_span_for_each_passage(told: Collector, judge: Server) -> None:
    talk(RULES.format(url=judge.url, more=""))
    spans = told.named("classifier remote")
    assert len(spans) == len(judge.asked) >= 3
    before, after = told.one("guard prompt"), told.one("guard answer")
    assert (before.parent, after.parent) == (told.one("prompt guard").id, told.one("reply guard").id)
    (asked,) = [span for span in spans if span.parent == before.id]
    assert asked.notes == {
        "sluicegate.classifier": "remote",
        "sluicegate.guard.rules": ["away"],
        "sluicegate.channel": "prompt",
        "sluicegate.passage.offset": 0,
        "sluicegate.passage.chars": len("Tell me of echidnas."),
        "sluicegate.passage.final": True,
        "sluicegate.findings": 1,
        "sluicegate.categories": ["bad:1"],
    }
    heard = sorted(
        (span.notes for span in spans if span.parent == after.id), key=lambda notes: notes["sluicegate.passage.offset"]
    )
    ends = [notes["sluicegate.passage.offset"] + notes["sluicegate.passage.chars"] for notes in heard]
    assert [notes["sluicegate.passage.offset"] for notes in heard] == [0, *ends[:-1]]
    assert ends[-1] == len(SCENES[0]["say"])
    assert not any(span.failed for span in told.spans)
    assert looked(after)["remote"]["looks"] == str(len(heard))


def test_patterns_are_added_up_however_many_tokens_there_are(told: Collector, judge: Server) -> None:
    talk(RULES.format(url=judge.url, more=""), scenes=[{"think": "sk- wombat " * 40, "say": "A platypus."}])
    thoughts = told.one("guard reasoning")
    assert [span for span in told.spans if span.parent == thoughts.id] == []
    notes = looked(thoughts)["secrets"]
    assert int(notes["looks"]) == thoughts.notes["sluicegate.guard.looks"] >= 1
    assert (notes["rules"], notes["unjudged"], thoughts.notes["sluicegate.guard.spans_left_out"]) == ("secrets", "0", 0)
    assert 0 < float(notes["seconds"]) < 10


def test_a_server_of_ours_is_told_the_classifiers_span(told: Collector, judge: Server) -> None:
    talk(RULES.format(url=judge.url, more=""))
    known = {f"00-{span.trace}-{span.id}-01" for span in told.named("classifier remote")}
    assert {asked.headers["traceparent"] for asked in judge.asked} == known
    assert {span.trace for span in told.spans} == {"4bf92f3577b34da6a3ce929d0e0e4736"}


def test_a_guard_model_is_told_too(told: Collector) -> None:
    rules = """
name: judged
rules:
  model: {{use: judge, format: llama_guard_3, model: guard, url: "{url}", on: [prompt], do: flag, on_error: flag}}
"""
    said = {"choices": [{"index": 0, "message": {"content": "safe"}, "finish_reason": "stop"}]}
    with serving(lambda _: said) as server:
        talk(rules.format(url=server.url))
        (asked,) = server.asked
    span = told.one("classifier judge")
    assert asked.headers["traceparent"] == f"00-{span.trace}-{span.id}-01"


def test_nobody_is_told_where_the_rule_says_so_or_nobody_looks(
    told: Collector, judge: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk(RULES.format(url=judge.url, more="traceparent: false"))
    assert told.named("classifier remote") != []
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
    talk(RULES.format(url=judge.url, more="traceparent: true"))
    assert len(judge.asked) >= 6
    assert not any("traceparent" in asked.headers for asked in judge.asked)


def test_what_the_sampler_leaves_out_is_left_out_by_judges_too(
    told: Collector, judge: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    talk(RULES.format(url=judge.url, more=""))
    assert {asked.headers["traceparent"][-3:] for asked in judge.asked} == {"-00"}
    assert told.spans == []


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("http://10.1.2.3", True),
        ("http://guard:8000/v1", True),
        ("http://guard.models.svc:8000", True),
        ("http://guard.models.svc.cluster.local.", True),
        ("https://judge.corp.internal", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8", False),
        ("https://[2606:4700::1111]", False),
        ("https://internal.example.com", False),
        ("https://notinternal", True),
    ],
)
def test_a_server_is_ours_by_its_address(url: str, own: bool) -> None:
    assert ours(url) is own


def test_a_look_that_fails_says_why_and_not_what(told: Collector, judge: Server) -> None:
    judge.tell(lambda _: Raw(b"Quandong " * 10, 503))
    talk(RULES.format(url=judge.url, more=""))
    (prompt,) = [span for span in told.named("classifier remote") if span.notes["sluicegate.channel"] == "prompt"]
    assert (prompt.failed, prompt.notes["error.type"], prompt.notes["sluicegate.unjudged"]) == (True, "http 503", "http 503")
    assert looked(told.one("guard prompt"))["remote"]["unjudged"] == "1"


@classifier("slow")
class Slow:
    """Waits for ever where it is asked to, else for a moment; tells what it must not: the text, as a category."""

    name = "slow"
    unit: Unit = "passage"
    lookback = opener = 0
    categories = frozenset({"known"})

    def __init__(self, options: Options) -> None: ...

    def safe_upto(self, text: str) -> int:
        return len(text)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Sequence[Findings | Unjudged]:
        await (asyncio.Event().wait() if passages[0].text == "wait" else asyncio.sleep(1e-4))
        return [[Finding(name, 1.0, 0, 1) for name in ("known", passages[0].text)]]


SLOW = """
name: slow
passages: {first: 5, then: 5, most: 5}
rules:
  slow: {use: slow, on: [prompt, answer], do: flag, on_error: flag, within: 1s}
"""


@pytest.fixture
def slow() -> Registry:
    return Registry([Slow])


def test_a_look_that_takes_too_long_is_a_timeout(told: Collector, slow: Registry) -> None:
    talk(SLOW, slow, messages=[{"role": "user", "content": "wait"}])
    (span,) = [span for span in told.named("classifier slow") if span.notes["sluicegate.channel"] == "prompt"]
    assert (span.failed, span.notes["sluicegate.unjudged"]) == (True, "timeout")


def test_there_is_a_bound_to_the_spans_and_what_is_left_out_is_counted(told: Collector, slow: Registry) -> None:
    talk(SLOW, slow, scenes=[{"say": "word " * (MOST_LOOKS + 20)}])
    assert len(told.named("classifier slow")) == MOST_LOOKS
    channels = (told.one("guard prompt"), told.one("guard answer"))
    left_out = sum(span.notes["sluicegate.guard.spans_left_out"] for span in channels)
    assert left_out > 0
    assert sum(int(looked(span)["slow"]["looks"]) for span in channels) == MOST_LOOKS + left_out


def test_no_text_is_in_the_spans_of_a_guard_even_where_a_classifier_blabs(told: Collector, slow: Registry, judge: Server) -> None:
    talk(SLOW, slow)
    talk(RULES.format(url=judge.url, more="").replace("reasoning: show", "traces: {texts: judged}"))
    spans = [span for span in told.spans if not span.name.startswith("chat")]
    assert len(spans) > 10
    whole = repr([(span.name, span.notes, span.events) for span in spans]).lower()
    assert [word for word in ("wombat", "platypus", "echidna", "river") if word in whole] == []
    assert any(each.startswith("other:") for span in spans for each in span.notes.get("sluicegate.categories", ()))
