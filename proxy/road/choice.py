"""One choice of a reply on its way: the server's deltas in, judged text out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from classifiers.finding import Channel, Context
from classifiers.memory import Memory
from policies.verdict import Action, Reason, Verdict
from proxy.records.audit import Repaired
from proxy.road.calls import Calls
from proxy.road.intake import Intake
from proxy.road.known import Known
from proxy.road.lane import Blocked, Lane
from proxy.road.plan import Plan as Plan
from proxy.road.repair import Broken
from proxy.road.rewriting import Rewriting
from proxy.road.speech import Speech
from proxy.road.splitter import Piece, Reopened, Splitter
from proxy.road.tally import Tally
from proxy.upstream.protocol import Chunk, FinishReason
from proxy.wire.render import Out


class Choice:
    """The state of one choice. `ended`: nothing more of it is wanted. `over`: the server has nothing more of it to say. `broken`:
    it waits to be written again, from some place on."""

    def __init__(self, index: int, plan: Plan, out: Out) -> None:
        self.index, self.ended, self.over = index, False, False
        self.broken: Broken | None = None
        self._plan, self._out = plan, out
        self._redaction = plan.guard.redaction(plan.context)
        self._calls = Calls(plan)
        self._intake = Intake(plan)
        self.pieces = {Channel.REASONING: 0, Channel.ANSWER: 0}  # of the server's text, about one a token
        self._tally = Tally()
        self._plain = not plan.stops and not plan.logprobs
        self._speech = Speech(index, plan, out)
        self._rewriting = Rewriting(plan.mender)
        self._place = f"choices[{index}]" if index else ""
        self._begin()

    def _begin(self) -> None:
        """Nothing of the text has come yet."""
        plan = self._plan
        self._splitter = Splitter(plan.thinking)
        self._lanes: dict[Channel, Lane] = {}
        self._offsets: dict[Channel, int] = {Channel.REASONING: 0, Channel.ANSWER: 0}
        self._channel = Channel.REASONING
        self._waiting: list[str] = []  # texts for the lane of `_channel`, not fed yet
        self._known = Known(plan.context) if plan.guard.recalls else None
        self._plain_context = replace(plan.context, memory=Memory()) if plan.guard.remembers else plan.context
        self.unsettled = False  # a lane has taken in what it did not judge yet
        self._since: dict[Channel, float] = {}
        self._withheld = False  # some of the answer is not

    @property
    def halted(self) -> bool:
        """Nothing more of what the server says now is wanted."""
        return self.ended or self.broken is not None

    def swift(self, chunks: Sequence[Chunk]) -> int:
        """Takes in the chunks at the front that only go on with what was there, as nearly all do, without waiting; how many.

        The others are for `take`. Where the lane has to look closer, that is left to `take`, too (`unsettled`).
        """
        channel, lane = self._channel, self._lanes.get(self._channel)
        if lane is None or not self._plain or self._waiting or self.unsettled or self.halted:
            return 0
        texts: list[str] = []
        restorer = self._intake.restorers.get(channel)
        for chunk in chunks:
            text = chunk.reasoning or chunk.content
            if not text or chunk.choice != self.index or chunk.finish is not None or chunk.tools or chunk.refusal:
                break
            if self._plan.limit is not None and not self._room(chunk):
                break
            if restorer is not None and not restorer.plain(text):
                break
            if not self._splitter.passes(channel, chunk.reasoning, chunk.content):
                break
            if restorer is not None:
                restorer.passed(text)
            texts.append(text)
            if self._plan.limit is not None:
                self._tally.add(channel, None)
        if texts:
            self.pieces[channel] += len(texts)
            if self._known is not None:
                self._known.add(channel, "".join(texts))
            began = time.perf_counter()
            pieces = lane.swift(texts)
            if pieces is None:
                self.unsettled = True
            else:
                self._let_out(channel, lane, pieces, began)
        return len(texts)

    def _room(self, chunk: Chunk) -> bool:
        """Whether this chunk is surely within the caller's limit, as far as one can tell without the server's count."""
        return chunk.usage is None and (self._channel is not Channel.ANSWER or self._tally.answer < (self._plan.limit or 0))

    async def take(self, chunks: Iterable[Chunk]) -> None:
        """All of one batch that belongs to this choice."""
        if self.unsettled:
            await self._push()
        for chunk in chunks:
            self.over = self.over or chunk.finish is not None
            if self.halted:
                continue
            if chunk.tools:
                self._calls.feed(chunk.tools)
                if self._calls.overflow:
                    await self._cut("tool_calls")
                    continue
            if chunk.refusal:  # the model server's own refusal is answer text like any other
                await self._sort([Piece(Channel.ANSWER, chunk.refusal)], chunk)
            if chunk.reasoning or chunk.content:
                await self._sort(self._splitter.feed(chunk.reasoning, chunk.content), chunk)
            if chunk.finish is not None and not self.halted:
                await self._end(chunk.finish)
        if self._waiting and not self.halted:
            await self._push()

    async def enough(self) -> None:
        """The policy's cap on a reply: the choice ends here, although the server would go on."""
        await self._end("length")

    async def _sort(self, pieces: Sequence[Piece | Reopened], chunk: Chunk) -> None:
        for piece in pieces:
            if self.halted:
                return
            if isinstance(piece, Reopened):
                await self._reopened()
                continue
            if piece.channel is not self._channel:
                await self._turn(piece.channel)
            if self.halted:
                return
            if piece.again and self._known is not None:
                self._known.unthink(piece.text)
                if lane := self._lanes.get(Channel.ANSWER):
                    lane.knows(self._context(Channel.ANSWER))
            self.pieces[piece.channel] += not piece.again
            self._tally.add(piece.channel, chunk.usage.completion if chunk.usage and piece is pieces[-1] else None)
            if piece.channel is Channel.ANSWER:
                await self._answer(piece.text, chunk)
            else:
                self._speech.thinking_since = self._speech.thinking_since or time.perf_counter()
                if text := self._intake.restored(piece.channel, piece.text):
                    self._waiting.append(text)

    async def _answer(self, text: str, chunk: Chunk) -> None:
        if self._plan.limit is not None and self._tally.answer > self._plan.limit:
            await self._cut("length")
            return
        restored = self._intake.restored(Channel.ANSWER, text)
        if self._plan.logprobs and chunk.logprobs and restored:  # those of a placeholder's tokens stay behind
            self._speech.expect(restored, chunk.logprobs if restored == text else ())
        stops = self._intake.stops
        if text := stops.feed(restored) if stops else restored:
            self._waiting.append(text)
        if stops and stops.hit:
            await self._cut("stop")

    async def _turn(self, channel: Channel) -> None:
        """The text goes on in another channel. Thoughts that end are judged to their end; an answer waits for more."""
        await self._push()
        if self._channel is Channel.REASONING and not self.halted:
            await self._close(Channel.REASONING)
        if self.halted:
            return
        self._channel = channel
        if self._known is not None and (lane := self._lanes.get(channel)):
            lane.knows(self._context(channel))

    async def _push(self) -> None:
        """Feeds what has come together to its lane."""
        if not self._waiting and not self.unsettled:
            return
        self.unsettled = False
        lane, texts, self._waiting = self._lane(self._channel), self._waiting, []
        if self._known is not None:
            self._known.add(self._channel, "".join(texts))
        await self._emit(self._channel, lane, lane.feed(texts))

    async def _close(self, channel: Channel) -> None:
        rest = self._intake.rest(channel)
        lane = self._lane(channel) if rest else self._lanes.get(channel)
        if lane is None:
            return
        if rest:
            if self._known is not None:
                self._known.add(channel, rest)
            await self._emit(channel, lane, lane.feed([rest]))
        if not self.halted:
            await self._emit(channel, lane, lane.finish())
        if self.broken is not None:
            return
        self._withheld = self._withheld or (channel is Channel.ANSWER and lane.withheld)
        self._lanes.pop(channel, None)
        self._offsets[channel] = lane.window.end

    def _context(self, channel: Channel) -> Context:
        """What the classifiers of a channel may know."""
        return self._plain_context if self._known is None else self._known.context(channel)

    def _lane(self, channel: Channel) -> Lane:
        lane = self._lanes.get(channel)
        if lane is None:
            plan = self._plan

            def record(_: Channel, verdict: Verdict) -> None:
                plan.exchange.note(verdict, self._place)

            offset, veil = self._offsets[channel], self._intake.veils.get(channel)
            context = self._context(channel)
            lane = Lane(plan.guard.posts[channel], plan.policy.passages, context, record, offset, self._redaction, veil)
            self._lanes[channel] = lane
        return lane

    async def _emit(self, channel: Channel, lane: Lane, judging: Any) -> None:
        """Waits for the verdict and lets out what may go."""
        began = time.perf_counter()
        self._let_out(channel, lane, await judging, began)
        if lane.blocked is None:
            return
        if not lane.blocked.repair:
            self._block(lane.blocked)
            return
        waiting = sum(map(len, self._waiting))
        self.broken = self._rewriting.broken(channel, lane, lane.blocked, self._speech, self._used(), waiting)
        if self.broken is None:
            await self._emit(channel, lane, lane.give_in())

    # ---- repair

    def _used(self) -> int:
        return sum(self.pieces.values())

    def ask_afresh(self) -> bool:
        """The server could not go on. Whether it can be asked for a whole new reply instead."""
        if self.broken is None:
            return False
        rule = self._lanes[self.broken.channel].rule(self.broken.rule)
        anew = self._rewriting.afresh(self.broken, rule, self._speech, self._used())
        self.broken = anew or self.broken
        return anew is not None

    def surrender(self) -> None:
        """It cannot be written again although that was begun: it ends, as if the rule blocked."""
        broken, self.broken = self.broken, None
        self._block(Blocked(broken.rule, broken.say) if broken else Blocked("repair", ""))

    def resume(self) -> None:
        """The server has begun to write again: what comes now goes on behind the last clean sentence, or from the beginning."""
        broken, self.broken = self.broken, None
        if broken is None:
            return
        note = Repaired(self.index, broken.rule, broken.channel, broken.at, broken.way, broken.dropped)
        self._plan.exchange.repaired.append(note)
        self.over = self.unsettled = False
        self._waiting, self._calls = [], Calls(self._plan)
        self._speech.forget()
        self._tally.restart()
        if broken.way == "asked_again":
            self._intake.begin()
            self._begin()
            self._speech.said = {} if self._speech.said is not None else None
            return
        channel, said = broken.channel, "".join((self._speech.said or {}).get(broken.channel, ()))
        lane = self._lanes[channel]
        lane.go_back()
        self._channel, self._splitter = channel, Splitter.going_on(channel, said)
        self._intake.go_on(channel, lane.window.end)
        if self._known is not None:
            self._known.again(channel, said)

    # ---- what goes out

    def _let_out(self, channel: Channel, lane: Lane, pieces: list[str], began: float) -> None:
        """What a lane released, after judging that `began` then."""
        now = time.perf_counter()
        exchange = self._plan.exchange
        exchange.guarded += now - began
        since = self._since.pop(channel, began)
        if lane.window.held:
            self._since[channel] = since if not pieces else began
        if now - since > exchange.held.get(channel, 0.0):
            exchange.held[channel] = now - since
        self._speech.let_out(channel, pieces)

    async def _reopened(self) -> None:
        """A real closing tag after answer text: what went before was thought."""
        await self._turn(Channel.ANSWER)
        if self.halted:
            return
        policy = self._plan.policy
        lane = self._lanes.get(Channel.ANSWER)
        at = lane.window.end if lane else self._offsets[Channel.ANSWER]
        reason = Reason("think_reopened", "think_reopened", 1.0, policy.think_reopened, Channel.ANSWER, at, at)
        self._plan.exchange.note(Verdict(policy.think_reopened, (reason,)), self._place)
        if policy.think_reopened >= Action.WITHHOLD:
            await self._close(Channel.ANSWER)
            if not self.halted:
                self._block(Blocked("think_reopened", ""))

    async def _end(self, reason: FinishReason) -> None:
        """The server says that the choice has ended."""
        await self._sort(self._splitter.finish(reason), Chunk())
        if self._splitter.truncated:
            self._plan.exchange.truncated_in = "reasoning"
        if not self.halted:
            await self._cut(reason)

    async def _cut(self, reason: FinishReason) -> None:
        """Judges and releases the rest, and ends the choice."""
        await self._push()
        for channel in (Channel.REASONING, Channel.ANSWER):
            if self.halted:
                return
            await self._close(channel)
        if self.halted:
            return
        if self._withheld:
            reason = "content_filter"
        self._speech.tell()
        blocked = await self._release_calls()
        if blocked:
            self._block(blocked)
            return
        if reason in ("tool_calls", "function_call") and not self._calls.released:
            reason = "content_filter" if self._calls.dropped else "stop"
        elif self._calls.released and reason == "stop":
            reason = "tool_calls"
        self._finish(reason)

    async def _release_calls(self) -> Blocked | None:
        self._calls.context = self._context(Channel.TOOL)
        async for name, arguments in self._calls.judged():
            self._out.tool(self.index, self._calls.released - 1, name, arguments)
        return self._calls.blocked

    def _block(self, blocked: Blocked) -> None:
        """Ends the choice with the policy's words."""
        self._plan.exchange.outcome = "answer_blocked"
        self._speech.refuse(blocked)
        self._finish("content_filter")

    def _finish(self, reason: FinishReason) -> None:
        self.ended = True
        if restored := self._intake.count:
            self._plan.exchange.grow("placeholders_restored", restored)
        self._lanes.clear()
        self._waiting.clear()
        self._out.finish(self.index, reason)
