"""One channel of one choice on its way: text in, judged text out.

A lane joins a window with the rules that watch its channel. Its outcome depends on the text alone: findings count only once they
are settled, text before the first finding that stops the channel is released, and where passages end is decided by the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from classifiers.finding import Channel, Context, Finding, Findings, Passage, Unjudged
from policies.decide import counts, decide
from policies.policy import Passages, Rule
from policies.verdict import ALLOWED, Action, Mask, Verdict
from proxy.road.doubts import Doubts, second_looks
from proxy.road.guard import Guard, Post, Watch, look
from proxy.road.openings import Openings
from proxy.road.passages import clean_end, end_of_passage
from proxy.road.redact import Redaction
from proxy.road.restore import Veil
from proxy.road.settling import before_masks, new, settled, stops_at, until_block
from proxy.road.window import Window

MOST_HELD = 1 << 16
"""Characters a lane holds at most. A classifier that never settles is unjudged from there on."""

Record = Callable[[Channel, Verdict], None]
Found = Mapping[str, Findings | Unjudged]
Fresh = dict[str, Sequence[Finding]]


@dataclass(frozen=True, slots=True)
class Blocked:
    """A rule stopped the choice; `say` is what it wants the user to be told. `repair`: it would rather have it written again."""

    rule: str
    say: str
    repair: bool = False


class Lane:
    """The road of one channel of one choice."""

    def __init__(
        self,
        post: Post,
        sizes: Passages,
        context: Context,
        record: Record,
        offset: int = 0,
        redaction: Redaction | None = None,
        veil: Veil | None = None,
    ) -> None:
        self.window = Window(post.channel, post.lookback, offset)
        self.blocked: Blocked | None = None
        self.withheld = False
        self._post, self._sizes, self._context, self._record = post, sizes, context, record
        self._glances = post.glances
        self._doubts = Doubts(post)
        self._resting = post.rests  # no passages are wanted, until a rule is in doubt
        self._redaction = redaction
        self._veil = veil if post.veils else None
        self._rules: dict[str, Rule] = {rule.name: rule for rule in (*post.stream_rules, *post.passage_rules)}
        self._count = 0  # passages judged
        self._ending = False
        self._from = offset  # where the next passage starts, in the channel
        self._scanned = offset
        self._opened = Openings()
        self._masks: list[Mask] = []  # of passages; they reach behind what has left

    def swift(self, texts: Sequence[str]) -> list[str] | None:
        """Takes chunks in, and lets out at once what may go if all classifiers see at a glance that nothing is there: the way of
        nearly every token, in one step and without waiting. None: one has to look closer; `feed(())` does."""
        window = self.window
        for text in texts:
            window.feed(text)
        if self._glances is None or not self._resting or self._opened or self._masks or self.withheld or self.blocked:
            return None
        if self._veil is not None and self._veil.lies(window.base):
            return None
        text = window.text
        safe = len(text)
        try:
            for glance in self._glances:
                settled = glance(text, window.done)
                if settled is None:
                    return None
                safe = min(safe, settled)
        except Exception:  # whatever it throws, it is asked for its verdict
            return None
        if len(text) - safe > MOST_HELD:
            return None
        return window.advance(safe) if safe > window.done else []

    async def feed(self, texts: Sequence[str]) -> list[str]:
        """Adds chunks, judges what can be judged, and returns what may go out."""
        for text in texts:
            self.window.feed(text)
        if not self._post:
            return self.window.advance(len(self.window.text))
        if self._post.passage or self.blocked:
            return await self._judge(final=False)
        out: list[str] = []  # without rules on passages there is one step: the way of nearly every token
        await self._step(len(self.window.text), False, out)
        return out

    async def whole(self, text: str) -> list[str]:
        """Judges a text that is there as a whole: `feed` and `finish` in one step, with the same outcome."""
        self.window.feed(text)
        return await self._judge(final=True) if self._post else self.window.advance(len(text))

    async def finish(self) -> list[str]:
        """No more text comes: judges the rest."""
        self._ending = True
        if not self._post or self.blocked:
            return []
        return await self._judge(final=True)

    def go_back(self) -> None:
        """After a stop that wants a repair: what was held is gone, and what is fed next goes on behind what has left."""
        end = self.window.base + self.window.done
        self.window.cut()
        self.blocked, self._masks = None, []
        self._from = self._scanned = end
        self._resting = self._post.rests
        self._doubts.cut(end)
        self._ending = False
        self._opened.cut(end)

    async def give_in(self) -> list[str]:
        """After a stop that wants a repair, where there can be none: what is held is judged again, and no rule repairs."""
        if self._post.unrepaired is not None:
            self._post = self._post.unrepaired
            self._rules = {rule.name: rule for rule in (*self._post.stream_rules, *self._post.passage_rules)}
        self.blocked = None
        self._from = self._scanned = self.window.base + self.window.done
        self._resting = self._post.rests
        return await self._judge(self._ending)

    def rule(self, name: str) -> Rule:
        """A rule that watches here."""
        return self._rules[name]

    def knows(self, context: Context) -> None:
        """What is known from now on: the other channels have gone on."""
        self._context = context

    async def _judge(self, final: bool) -> list[str]:
        out: list[str] = []
        window = self.window
        while not self.blocked:
            if self._resting:
                if window.held or (final and self._from < window.end):
                    await self._step(len(window.text), final, out)
                if self._resting:  # else a rule is in doubt: from there on the text waits for a passage
                    return out
            elif (end := self._boundary()) is not None:
                await self._step(end, False, out)
            else:
                break
        if not self.blocked and final and (window.held or self._from < window.end):
            await self._step(len(window.text), final, out)
        return out

    def _boundary(self) -> int | None:
        base = self.window.base
        end, scanned = end_of_passage(self.window.text, self._from - base, self._count, self._sizes, self._scanned - base)
        self._scanned = scanned + base
        return end

    def _offset(self, index: int) -> int:
        return self.window.base + index

    async def _step(self, end: int, final: bool, out: list[str]) -> None:
        """Judges up to index `end` and releases what is settled of it."""
        window, post = self.window, self._post
        safe, stuck = (end, ()) if final or not post.stream else self._safe(end)
        verdicts: list[tuple[Passage, Verdict, bool]] = []
        masks: list[Mask] = []
        whole = not self._resting  # a doubt that comes now is judged with the next step
        begun = self._from if whole else self._offset(end)
        if post.stream and (safe > window.done or final):
            passage = window.passage(end, final)
            found = await self._look(passage, end, stuck)
            if self._opened or any(found.values()):
                safe, verdict, masks = self._weigh(passage, found, safe)
                verdicts.append((passage, verdict, False))
        if whole and self._doubts.before(self._from) < self._offset(end):
            passage, verdict = await self._judge_passage(end, final)
            verdicts.append((passage, verdict, True))
            edge = passage.offset + len(passage.text)
            self._masks += [replace(mask, end=edge, open=False) if mask.open else mask for mask in verdict.masks]
            self._count += 1
            self._from = self._scanned = self._offset(end)
            self._resting = post.rests
        if verdicts or self._masks or self._opened or self.withheld:
            self._act(verdicts, safe, masks, out, begun)
        else:  # nothing was found, as nearly always
            out += window.advance(safe)

    def _safe(self, end: int) -> tuple[int, Sequence[Watch]]:
        """How much of the text up to index `end` is settled, and the watches for which it has waited long enough."""
        window, stuck = self.window, []
        text = window.text if end == len(window.text) else window.text[:end]
        safe = end
        for watch in self._post.stream:
            opened = self._opened.of(watch)
            if opened is None:
                quiet = watch.classifier.safe_upto(self._shown(watch, text, window.base))
            else:
                view = window.behind(opened.head, opened.start, end, False)
                quiet = watch.classifier.safe_upto(view.text) + view.offset - window.base
            quiet = max(quiet, window.done)
            if end - quiet > MOST_HELD:
                stuck.append(watch)
            else:
                safe = min(safe, quiet)
        return safe, stuck

    async def _look(self, passage: Passage, end: int, stuck: Sequence[Watch]) -> Found:
        """What the stream rules' classifiers find; places are those of `passage` even where one was shown another text."""
        if not self._opened and not stuck:
            return await self._asked(self._post.stream, passage)
        found: dict[str, Findings | Unjudged] = {}
        for watch in self._post.stream:
            opened = self._opened.of(watch)
            view = self.window.behind(opened.head, opened.start, end, passage.final) if opened else passage
            if any(watch is each for each in stuck):
                answer: Findings | Unjudged = Unjudged("overload: never settles")
            else:
                answer = await self._ask(watch, view)
            if opened and not isinstance(answer, Unjudged):
                shift = view.offset - passage.offset
                answer = [replace(each, start=each.start + shift, end=each.end + shift) for each in answer]
            found |= {rule.name: answer for rule in watch.rules}
        return found

    async def _judge_passage(self, end: int, final: bool) -> tuple[Passage, Verdict]:
        passage = self.window.passage(end, final, max(0, self._from - self.window.base))
        found = await self._asked(self._post.first, passage)
        if self._post.second:
            found = self._doubts.among(found, passage)
            doubted = replace(passage, begin=self._doubts.before(passage.offset + passage.begin) - passage.offset)
            self._doubts.settle()
            await second_looks(self._post, found, doubted, lambda watch: self._ask(watch, doubted))
            passage = doubted
        if not any(found.values()):
            return passage, ALLOWED
        return passage, decide(self._post.passage_rules, found, passage)

    async def _asked(self, watches: Sequence[Watch], passage: Passage) -> Found:
        if self._veil is None or not self._veil.lies(self.window.base):
            return await Guard.look(watches, passage, self._context)
        found: dict[str, Findings | Unjudged] = {}
        for watch in watches:
            answer = await self._ask(watch, passage)
            found |= {rule.name: answer for rule in watch.rules}
        return found

    def _shown(self, watch: Watch, text: str, base: int) -> str:
        """The text as a classifier is shown it."""
        return self._veil.over(text, base) if self._veil is not None and watch.veiled else text

    async def _ask(self, watch: Watch, passage: Passage) -> Findings | Unjudged:
        """What a classifier says of a passage, which it may see under the veil only."""
        if self._veil is None or not watch.veiled:
            return await look(watch, passage, self._context)
        veiled = replace(passage, text=self._veil.over(passage.text, passage.offset))
        return self._veil.beside(await look(watch, veiled, self._context), passage)

    def _weigh(self, passage: Passage, found: Found, safe: int) -> tuple[int, Verdict, list[Mask]]:
        """The settled index, the verdict over settled findings, and the masks, those of a mask that goes on included."""
        seen: Fresh = {
            name: [each for each in answer if counts(self._rules[name], each) or self._doubts.concern(name, each)]
            for name, answer in found.items()
            if not isinstance(answer, Unjudged)
        }
        safe = settled(list(seen.values()), passage.begin, safe)
        fresh: Fresh = new(seen, passage.begin, safe)
        if self._post.doubts:
            safe, fresh = self._doubt(found, fresh, seen, passage, safe)
        verdict = until_block(decide(self._post.stream_rules, {**found, **fresh}, passage))
        masks = [*verdict.masks, *self._opened.going_on(found, passage, safe)]
        for watch in self._post.stream:
            for rule in watch.rules:
                self._opened.note(watch, rule, fresh.get(rule.name, ()), passage)
        return safe, verdict, masks

    def _doubt(self, found: Found, fresh: Fresh, seen: Fresh, passage: Passage, safe: int) -> tuple[int, Fresh]:
        """Keeps what others must be asked about. The first such finding ends a rest: what stands behind it waits, too."""
        taken = self._doubts.taken(found, fresh)
        if not taken:
            return safe, fresh
        self._doubts.keep(taken, passage)
        if self._resting and self._doubts.first is not None:
            self._resting, self._from, self._scanned = False, self._doubts.first, self._doubts.first
            safe = settled(seen.values(), passage.begin, min(safe, self._doubts.first - passage.offset))
            fresh = {name: [each for each in findings if each.start < safe] for name, findings in fresh.items()}
            self._doubts.look_again()  # in the next step, with whatever else is in doubt up to its end
        return safe, fresh

    def _act(
        self, verdicts: Sequence[tuple[Passage, Verdict, bool]], safe: int, masks: list[Mask], out: list[str], begun: int
    ) -> None:
        """Releases up to `safe`, or up to where a verdict stops the channel; what is behind a stop is judged but never leaves.

        Where the text shall be repaired it goes back to the last clean sentence of the passage that has `begun` there.
        """
        stop = safe = before_masks(self._masks, self._offset(self.window.done), self._offset(safe)) - self.window.base
        worst = max((verdict.action for _, verdict, _ in verdicts), default=Action.ALLOW)
        mends = worst is Action.REPAIR and not self.withheld
        for passage, verdict, whole in verdicts:
            if verdict is ALLOWED:
                continue
            self._record(self.window.channel, verdict)
            if verdict.action >= Action.WITHHOLD:
                stop = min(stop, stops_at(verdict, passage, whole and not mends))
        if mends:
            stop = clean_end(self.window.text, max(self.window.done, begun - self.window.base), stop)
        if mends or worst > Action.REPAIR:
            self._note_block([verdict for _, verdict, _ in verdicts], worst)
        first, last = self._offset(stop), self._offset(max(stop, safe))
        masks += self._masks
        if not self.withheld:
            out += self._release(first, masks)
            self.withheld = worst >= Action.WITHHOLD and not mends
        if self.withheld:
            self._release(last, masks)
        self._masks = [mask for mask in self._masks if mask.end > last]
        if self.blocked and not mends:
            self.window.drop()

    def _release(self, offset: int, masks: Sequence[Mask]) -> list[str]:
        """Lets text up to a channel offset leave, with the masks that begin before it."""
        window = self.window
        upto = max(offset - window.base, window.done)
        self._opened.keep_heads(window, upto)
        begun = [mask for mask in masks if mask.start < offset] if masks else []
        if begun and self._redaction is not None:
            begun = self._redaction.written(begun, window.text, window.base, window.base + window.done)
        return window.advance(upto, begun)

    def _note_block(self, verdicts: Sequence[Verdict], worst: Action) -> None:
        """Remembers the rule that stops the choice first in the text: the same one however the text was cut."""
        if self.blocked:
            return
        least = min(worst, Action.REVIEW)
        hits = [(r.start, r.rule) for verdict in verdicts for r in verdict.reasons if r.action >= least]
        hits += [(b.start, b.rule) for verdict in verdicts for b in verdict.blind if b.action >= least]
        name = min(hits)[1]
        self.blocked = Blocked(name, self._rules[name].say, repair=worst is Action.REPAIR)
