import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.upstream.protocol import Chunk, ToolDelta, Usage
from proxy.upstream.usage import UsageMeter, estimate, parse_usage


def total(meter: UsageMeter, count: object = None, **more: object) -> Usage:
    return asyncio.run(meter.total(count, **more))  # type: ignore[arg-type]  # short for the tests


async def words(text: str) -> int | None:
    return len(text.split())


async def nothing(text: str) -> int | None:
    return None


def metered(*chunks: Chunk) -> UsageMeter:
    meter = UsageMeter()
    for chunk in chunks:
        meter.feed([chunk])
    return meter


TEXT = (Chunk(reasoning="one two three "), Chunk(content="four "), Chunk(tools=(ToolDelta(0, "five"),)), Chunk(refusal="x"))


def test_the_servers_final_count_wins() -> None:
    meter = metered(Chunk(content="a", usage=Usage(5, 1)), *TEXT, Chunk(-1, usage=Usage(5, 9, 4)))
    assert total(meter, words) == Usage(5, 9, 4)


def test_a_cut_stream_has_its_last_continuous_count_over_all_choices() -> None:
    meter = metered(Chunk(0, "r", usage=Usage(5, 1)), Chunk(1, "r", usage=Usage(5, 7)), Chunk(0, "", "a", usage=Usage(5, 3)))
    assert meter.seen() == Usage(5, 10)
    assert total(meter) == Usage(5, 10, 7)  # two of the three characters were reasoning


def test_reasoning_is_shared_out_by_pieces() -> None:
    chunks = [Chunk(reasoning="a long piece of thought")] * 3 + [Chunk(content="a")] * 7
    assert total(metered(*chunks, Chunk(-1, usage=Usage(1, 10)))) == Usage(1, 10, 3)


def test_of_a_folded_reply_by_length() -> None:
    assert total(metered(Chunk(reasoning="x" * 300, content="y" * 100, usage=Usage(1, 100)))) == Usage(1, 100, 75)


def test_who_knows_better_says_so() -> None:
    assert total(metered(Chunk(content="<think>…", usage=Usage(1, 100))), thought_share=0.4) == Usage(1, 100, 40)
    assert total(metered(Chunk(-1, usage=Usage(1, 100, 7))), thought_share=0.4) == Usage(1, 100, 7)


def test_else_the_tokenizer() -> None:
    assert total(metered(*TEXT), words, prompt="a b c") == Usage(3, 5, 1, "tokenizer")


def test_else_an_estimate_that_says_so() -> None:
    for count in (None, nothing):
        usage = total(metered(*TEXT), count, prompt="twelve chars")
        assert usage == Usage(3, 6, 2, "estimate")


def test_a_reply_without_anything() -> None:
    assert total(UsageMeter(), words) == Usage(0, 0, 0, "tokenizer")
    assert total(UsageMeter()) == Usage(0, 0, 0, "estimate")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_estimates_are_bounded(text: str) -> None:
    number = estimate(text)
    assert (number == 0) == (text == "")
    assert number <= len(text) + 1


def test_estimates_are_near() -> None:
    assert 20 <= estimate("The miller opens the gate at first light, and the water comes down the flume into the bucket.") <= 27
    assert 7 <= estimate("上射式水车主要利用水的重量") <= 9
    assert estimate("") == 0


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, Usage(1, 2)),
        ({"prompt_tokens": 1, "completion_tokens": 2, "reasoning_tokens": 1}, Usage(1, 2, 1)),
        ({"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 2}}, Usage(1, 2, 2)),
        ({"prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": None}, Usage(1, 2)),
        ({"prompt_tokens": 1}, Usage(1, 0)),
        ({"prompt_tokens": True, "completion_tokens": 2}, None),
        ({"prompt_tokens": 1.5, "completion_tokens": 2}, None),
        ({"completion_tokens": 2}, None),
        ({"prompt_tokens": 1, "completion_tokens": -2}, None),
    ],
)
def test_shapes(raw: dict[str, object], usage: Usage | None) -> None:
    assert parse_usage(raw) == usage
