import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.wire.sse import EventParser, comment, event

MOST = 1 << 20

pieces = [
    b"data: {}\n\n",
    b'data: {"a":1}\r\n\r\n',
    b"data:x\n",
    b"data\n",
    b"data:  two\n",
    b"data: [DONE]\n\n",
    b"data: \xff\n\n",
]
pieces += [
    b"\n",
    b"\r",
    b"\r\n",
    b": ping\n\n",
    b"event: e\n",
    b"id: 1\r",
    b"retry: 9\n",
    b"datax: no\n",
    b"\xef\xbb\xbf",
    b"d",
    b"a",
    b":",
]
pieces += ["data: \u2028\u0085\u00e9\n\n".encode()]
streams = st.lists(st.sampled_from(pieces), max_size=12).map(b"".join)


def whole(stream: bytes, most: int = MOST) -> list[bytes]:
    return EventParser(most).feed(stream)


def reference(stream: bytes) -> list[bytes]:
    """The standard's algorithm, line by line."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[bytes] = []
    data: list[bytes] = []
    for line in text.split(b"\n")[:-1]:
        name, _, value = line.partition(b":")
        if line == b"":
            if data:
                events.append(b"\n".join(data))
            data = []
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    return events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b'data: {"a": 1}\n\n', [b'{"a": 1}']),
        (b"data:no blank\n\n", [b"no blank"]),
        (b"data:  one of two blanks\n\n", [b" one of two blanks"]),
        (b"data: a\ndata: b\ndata\n\n", [b"a\nb\n"]),
        (b"data: cr\r\rdata: crlf\r\n\r\ndata: mixed\r\n\n", [b"cr", b"crlf", b"mixed"]),
        (b": comment\n\ndata: after\n\n", [b"after"]),
        (b"event: error\nid: 7\nretry: 10\ndata: x\n\n", [b"x"]),
        (b"\xef\xbb\xbfdata: bom\n\n", [b"bom"]),
        ("data: a\u2028b\u0085c\x0bd\x0ce\n\n".encode(), ["a\u2028b\u0085c\x0bd\x0ce".encode()]),
        (b"\n\n\ndata: x\n\n\n\ndata: y\n\n", [b"x", b"y"]),
        (b"data\n\n", [b""]),
        (b"database: x\n\n", []),
        (b"data: unfinished\n", []),
        (b"", []),
    ],
)
def test_format(stream: bytes, events: list[bytes]) -> None:
    assert whole(stream) == events
    parser = EventParser(MOST)
    assert [e for i in range(len(stream)) for e in parser.feed(stream[i : i + 1])] == events


@settings(max_examples=300, deadline=None)
@given(streams)
def test_as_the_standard_says(stream: bytes) -> None:
    assert whole(stream) == reference(stream)


@settings(max_examples=300, deadline=None)
@given(streams, st.lists(st.integers(1, 9), min_size=1, max_size=8), st.sampled_from([MOST, 12, 5]))
def test_any_cut_gives_the_same_events(stream: bytes, sizes: list[int], most: int) -> None:
    once, cut = EventParser(most), EventParser(most)
    expected = once.feed(stream)
    events, at = [], 0
    for size in itertools.cycle(sizes):
        if at >= len(stream):
            break
        events += cut.feed(stream[at : at + size])
        at += size
    assert events == expected
    assert (cut.fault is None) == (once.fault is None)
    assert cut.finish() == once.finish()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=30).filter(lambda b: not set(b) & {10, 13}), max_size=6))
def test_what_is_written_is_read(payloads: list[bytes]) -> None:
    assert whole(b"".join(event(p) + comment("ping") for p in payloads)) == payloads


def test_the_end_may_lack_its_blank_line() -> None:
    parser = EventParser(MOST)
    assert parser.feed(b"data: {}\n\ndata: [DONE]") == [b"{}"]
    assert parser.finish() == b"[DONE]"


def test_an_overlong_event_is_a_fault_and_those_before_it_are_kept() -> None:
    parser = EventParser(100)
    assert parser.feed(b"data: first\n\ndata: " + b"x" * 200 + b"\n\ndata: third\n\n") == [b"first"]
    assert "longer than 100 bytes" in str(parser.fault)
    assert parser.feed(b"data: fourth\n\n") == []


@pytest.mark.parametrize("line", [b"data: x\n", b"data\n", b": " + b"c" * 300])
def test_no_way_around_the_bound(line: bytes) -> None:
    parser = EventParser(200)
    for _ in range(300):
        parser.feed(line)
    assert parser.fault is not None


def test_comments_need_no_room() -> None:
    parser = EventParser(200)
    for _ in range(1000):
        assert parser.feed(comment("still here")) == []
    assert parser.fault is None


def test_a_long_line_in_single_bytes_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        parser, line = EventParser(4 << 20), b"data: " + b"x" * size + b"\n\n"
        began = time.process_time()
        events = [e for i in range(len(line)) for e in parser.feed(line[i : i + 1])]
        assert events == [b"x" * size]
        return time.process_time() - began

    small = min(seconds(1 << 17) for _ in range(2))
    assert seconds(1 << 20) < 8 * small * 3  # eight times the bytes; a quadratic parser would need 64 times as long


def test_a_million_small_events_in_bounded_memory() -> None:
    parser, block = EventParser(MOST), b'data: {"t":"x"}\n\n' * 1000
    seen = 0
    for _ in range(1000):
        seen += len(parser.feed(block))
    assert seen == 1_000_000
    assert parser.finish() == b""
