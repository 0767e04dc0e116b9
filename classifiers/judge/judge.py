"""A guard model as a judge: any of them behind an OpenAI-compatible server (vLLM, SGLang)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from classifiers.finding import Context, Finding, Findings, Passage, Unit, Unjudged
from classifiers.judge.case import Case, Sizes, case
from classifiers.judge.format import Format, Question, Scores
from classifiers.judge.kept import Kept
from classifiers.judge.llama_guard import LlamaGuard
from classifiers.judge.nemoguard import NemoGuard
from classifiers.judge.policy import Effort, Policy
from classifiers.judge.qwen3guard import Qwen3Guard
from classifiers.judge.said import Said
from classifiers.judge.shieldgemma import ShieldGemma
from classifiers.judge.wildguard import WildGuard
from classifiers.registry import classifier
from classifiers.remote.client import Client, NoAnswerError
from classifiers.remote.options import ServerOptions
from classifiers.remote.remembered import Remembered, Verdicts, whose

Name = Literal[
    "llama_guard_3", "llama_guard_4", "qwen3guard_gen", "wildguard", "shieldgemma", "nemoguard", "gpt_oss_safeguard", "policy"
]

WITH_POLICY = frozenset({"gpt_oss_safeguard", "policy"})
"""Formats whose policy is written by hand."""
FLOOR = 0.01
"""What scores less is not reported."""


class JudgeOptions(ServerOptions):
    """`format` is the judge's kind; `policy` its policy and `policy_categories` the categories that the policy speaks of, for
    `policy` and `gpt_oss_safeguard`; `effort` how much the latter thinks; `most_tokens` what both may write. `strict`: what
    Qwen3Guard finds controversial counts as unsafe. `logprobs`: scores are probabilities where the server tells them.

    `most_before`: characters of the reply that the judge sees before the judged passage; `most_prompt`: of the prompt beside it;
    `longest`: of a passage. A longer passage is unjudged.
    """

    model: str = Field(min_length=1, max_length=500)
    format: Name
    policy: str = Field(default="", max_length=100_000, validate_default=True)
    policy_categories: tuple[str, ...] = ()
    effort: Effort = "low"
    most_tokens: int = Field(default=2048, ge=1, le=65536)
    strict: bool = False
    logprobs: bool = True
    most_before: int = Field(default=2400, ge=0, le=32_000)
    most_prompt: int = Field(default=4000, ge=0, le=100_000)
    longest: int = Field(default=8000, ge=100, le=100_000)

    @field_validator("policy")
    @classmethod
    def _written(cls, policy: str, info: ValidationInfo) -> str:
        kind = info.data.get("format")
        if kind in WITH_POLICY and not policy.strip():
            raise ValueError(f"{kind} judges by a policy of yours: write its text here")
        if kind is not None and kind not in WITH_POLICY and policy:
            raise ValueError(f"{kind} has a policy of its own; take this out, or use the format policy")
        return policy

    @field_validator("policy_categories")
    @classmethod
    def _fitting(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        kind = info.data.get("format")
        if names and kind is not None and kind not in WITH_POLICY:
            raise ValueError(f"{kind} has categories of its own; take this out")
        if any(not name.strip() for name in names):
            raise ValueError("a category without a name")
        return names


_FORMATS: Mapping[Name, Callable[[JudgeOptions], Format]] = MappingProxyType(
    {
        "llama_guard_3": lambda o: LlamaGuard(o.logprobs),
        "llama_guard_4": lambda o: LlamaGuard(o.logprobs),
        "qwen3guard_gen": lambda o: Qwen3Guard(o.logprobs, o.strict),
        "wildguard": lambda o: WildGuard(o.logprobs),
        "shieldgemma": lambda o: ShieldGemma(o.logprobs),
        "nemoguard": lambda o: NemoGuard(o.logprobs),
        "gpt_oss_safeguard": lambda o: Policy(o.policy, o.policy_categories, o.most_tokens, o.logprobs, o.effort),
        "policy": lambda o: Policy(o.policy, o.policy_categories, o.most_tokens, o.logprobs),
    }
)


@classifier("judge", options=JudgeOptions, remembers=True)
class Judge:
    """A guard model behind an OpenAI-compatible server: Llama Guard, Qwen3Guard, WildGuard, ShieldGemma, or your own policy."""

    name = "judge"
    unit: Unit = "passage"
    opener = 0
    steady = True  # of a message it is shown nothing but the passage; only a reply comes with its prompt

    def __init__(self, options: JudgeOptions, verdicts: Verdicts | None = None) -> None:
        self._model = options.model
        self._format = _FORMATS[options.format](options)
        self._sizes = Sizes(options.longest, options.most_before, options.most_prompt)
        self.categories = self._format.categories
        self.lookback = options.most_before
        self._client = Client(options)
        form = Kept(self.categories)
        self._known: Remembered[Scores] = Remembered(options.cache, whose("judge", options), form, verdicts)

    def safe_upto(self, text: str) -> int:
        return len(text)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Sequence[Findings | Unjudged]:
        return await asyncio.gather(*(self._one(passage, context) for passage in passages))

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    def close(self) -> None:
        """The same without waiting for it."""
        self._client.close()

    async def _one(self, passage: Passage, context: Context) -> Findings | Unjudged:
        if not passage.text[passage.begin :].strip():
            return ()
        shown = case(passage, context, self._sizes)
        if shown is None:
            return Unjudged("too long")
        try:
            scores = await self._scores(shown, context.tenant)
        except NoAnswerError as error:
            return Unjudged(error.reason)
        span = passage.begin, len(passage.text)
        return [Finding(name, round(score, 4), *span) for name, score in scores.items() if score >= FLOOR]

    async def _scores(self, shown: Case, tenant: str) -> Scores:
        """The verdict, remembered by tenant: nobody learns from the time of an answer what others have asked."""
        side = "prompt" if shown.reply is None else "reply"
        name = (tenant, side, shown.prompt, shown.reply or "")
        (scores,) = await self._known.get([name])
        if scores is None:
            scores = self._format.read(shown, await self._answers(self._format.ask(shown)))
            self._known.put(name, scores)
        return scores

    async def _answers(self, questions: Sequence[Question]) -> Sequence[Said]:
        """All answers; without one of them there is no verdict."""
        answers = await asyncio.gather(*map(self._answer, questions), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if isinstance(answer, Said)]

    async def _answer(self, question: Question) -> Said:
        return question.said(await self._client.post(question.path, {"model": self._model, **question.body}))
