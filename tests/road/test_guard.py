"""A guard that cannot see does not say "safe": crash, time-out, nonsense are answers of their own, and spoil nobody else's."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from classifiers.finding import Channel, Context, Finding, Findings, Passage, Unit, Unjudged
from policies.verdict import Action
from proxy.road.guard import Guard, Watch, look
from tests.road.own import Broken, Said, Word, guard, rule

TEXT = Passage(Channel.ANSWER, "a word here")
SEEN = [Finding("word", 1.0, 2, 6)]


class Acting:
    """A classifier that does what a test's coroutine does."""

    name = "acting"
    unit: Unit = "stream"
    lookback = 0
    opener = 0
    categories = frozenset({"word"})

    def __init__(self, act: Callable[[], Awaitable[Any]]) -> None:
        self._act = act

    def safe_upto(self, text: str) -> int:
        return len(text)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Sequence[Findings | Unjudged]:
        answer: Sequence[Findings | Unjudged] = await self._act()
        return answer


def judge(act: Callable[[], Awaitable[Any]], within: float = 5.0) -> Findings | Unjudged:
    watch = Watch(Acting(act), (rule("r", Action.BLOCK),), within)
    return asyncio.run(look(watch, TEXT, Context()))


# ---- answers


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ZeroDivisionError("secret text"), "error: ZeroDivisionError"),
        (RecursionError(), "error: RecursionError"),
        (MemoryError(), "error: MemoryError"),
        (UnicodeEncodeError("utf-8", "secret", 0, 1, "surrogates"), "error: UnicodeEncodeError"),
        (TimeoutError(), "timeout"),
        (asyncio.CancelledError(), "error: CancelledError"),  # a worker pool that was shut down, not our client who left
    ],
)
@pytest.mark.parametrize("waits", [False, True])
def test_a_crash_is_unjudged(error: BaseException, reason: str, waits: bool) -> None:
    async def crash() -> Any:
        if waits:
            await asyncio.sleep(0)
        raise error

    assert judge(crash) == Unjudged(reason)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        [SEEN, SEEN],
        [None],
        ["nothing found"],
        [[None]],
        [["word"]],
        [[Finding("word", math.nan, 2, 6)]],  # compares with no threshold: would count as nothing found
        [[Finding("word", 1.0, 6, 2)]],
        [[Finding("word", 1.0, 2, 99)]],
        [[Finding("word", 1.0, -1, 2)]],
        7,
        {"word": 1.0},
    ],
    ids=repr,
)
@pytest.mark.parametrize("waits", [False, True])
def test_nonsense_is_unjudged(answer: Any, waits: bool) -> None:
    async def speak() -> Any:
        if waits:
            await asyncio.sleep(0)
        return answer

    seen = judge(speak)
    assert isinstance(seen, Unjudged)
    assert seen.reason.startswith("error: ")


@pytest.mark.parametrize("answer", [[SEEN], (tuple(SEEN),), [[]], [()], [Unjudged("overload")]], ids=repr)
def test_sense_is_passed_on(answer: Any) -> None:
    async def speak() -> Any:
        return answer

    assert judge(speak) == answer[0]


def test_a_classifier_that_is_no_coroutine_is_unjudged() -> None:
    class Plain(Acting):
        def __call__(self, passages: Sequence[Passage], context: Context) -> Any:  # a third party forgot `async`
            return [[]]

    watch = Watch(Plain(lambda: asyncio.sleep(0)), (rule("r", Action.BLOCK),), 1.0)
    assert asyncio.run(look(watch, TEXT, Context())) == Unjudged("error: AttributeError")


def test_failures_do_not_spoil_neighbours() -> None:
    watch = guard(
        (rule("crash", Action.BLOCK), Broken(ValueError())),
        (rule("hang", Action.BLOCK, within=0.01), Broken(hang=True)),
        (rule("few", Action.BLOCK), Broken([])),
        (rule("word", Action.BLOCK), Word("word")),
        (rule("said", Action.BLOCK), Said("word")),
    )
    post = watch.posts[Channel.ANSWER]
    found = asyncio.run(Guard.look((*post.stream, *post.passage), TEXT, Context()))
    assert found["crash"] == Unjudged("error: ValueError")
    assert found["hang"] == Unjudged("timeout")
    assert isinstance(found["few"], Unjudged)
    assert found["word"] == SEEN
    assert found["said"] == [Finding("said", 1.0, 2, 6)]


def test_rules_that_share_a_classifier_look_once() -> None:
    word = Word("word")
    watch = guard((rule("one", Action.FLAG), word), (rule("two", Action.BLOCK, within=0.5), word))
    found = asyncio.run(Guard.look(watch.posts[Channel.ANSWER].stream, TEXT, Context()))
    assert found == {"one": SEEN, "two": SEEN}
    assert word.looks == 1
    assert [each.within for each in watch.posts[Channel.ANSWER].stream] == [0.5]


def test_posts_hold_the_rules_of_their_channel() -> None:
    watch = guard(
        (rule("a", Action.FLAG, on=frozenset({Channel.ANSWER})), Word("long word")),
        (rule("b", Action.FLAG, on=frozenset({Channel.ANSWER, Channel.TOOL})), Said("b")),
    )
    answer, tool, prompt = (watch.posts[channel] for channel in (Channel.ANSWER, Channel.TOOL, Channel.PROMPT))
    assert [each.name for each in answer.stream_rules] == ["a"]
    assert [each.name for each in answer.passage_rules] == ["b"]
    assert answer.lookback == len("long word")
    assert (tool.stream, [each.name for each in tool.passage_rules]) == ((), ["b"])
    assert not prompt


# ---- coroutines under a deadline


@pytest.mark.parametrize("times", [0, 1, 2, 10])
def test_a_coroutine_may_wait_several_times(times: int) -> None:
    async def act() -> Any:
        for number in range(times):
            if number % 2:
                await asyncio.sleep(0)
            else:
                future = asyncio.get_running_loop().create_future()
                asyncio.get_running_loop().call_soon(future.set_result, number)
                assert await future == number
        return [SEEN]

    assert judge(act) == SEEN


def test_a_failing_future_is_seen_inside() -> None:
    async def act() -> Any:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, KeyError("k"))
        try:
            await future
        except KeyError:
            return [SEEN]

    assert judge(act) == SEEN


def test_a_classifier_may_use_threads_tasks_and_deadlines_of_its_own() -> None:
    async def act() -> Any:
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            task = group.create_task(asyncio.to_thread(lambda: SEEN))
        return [task.result()]

    assert judge(act) == SEEN


def test_a_time_out_lets_the_classifier_clean_up() -> None:
    cleaned: list[str] = []

    async def act() -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # cleaning up may wait, too
            cleaned.append("yes")

    assert judge(act, within=0.01) == Unjudged("timeout")
    assert cleaned == ["yes"]


def test_an_answer_in_spite_of_the_deadline_is_taken() -> None:
    async def act() -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return [SEEN]

    assert judge(act, within=0.01) == SEEN


@pytest.mark.parametrize("waits", [0, 3])
def test_a_client_who_leaves_cancels_the_classifier(waits: int) -> None:
    seen: list[str] = []

    async def act() -> Any:
        for _ in range(waits):
            await asyncio.sleep(0)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def leave() -> None:
        watch = Watch(Acting(act), (rule("r", Action.BLOCK),), 5.0)
        work = asyncio.create_task(look(watch, TEXT, Context()))
        for _ in range(waits + 3):
            await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(leave())
    assert seen == ["cancelled"]


def test_no_deadline_hits_the_next_classifier() -> None:
    async def go() -> None:
        slow = Watch(Broken(hang=True), (rule("slow", Action.BLOCK),), 0.01)
        quick = Watch(Word("word"), (rule("quick", Action.BLOCK),), 0.01)
        assert await look(slow, TEXT, Context()) == Unjudged("timeout")
        await asyncio.sleep(0.02)  # past every deadline
        assert await look(quick, TEXT, Context()) == SEEN
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    asyncio.run(go())
