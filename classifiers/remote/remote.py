"""A classifier behind HTTP: scores from a server that somebody else runs, on hardware of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from classifiers.finding import Context, Finding, Findings, Passage, Unit, Unjudged
from classifiers.registry import classifier
from classifiers.remote import fms, moderations, oip, tei, vllm
from classifiers.remote.client import Client, NoAnswerError, clean
from classifiers.remote.kept import Hits, Kept
from classifiers.remote.options import ServerOptions
from classifiers.remote.pieces import pieces
from classifiers.remote.protocol import Seen, Speaks
from classifiers.remote.remembered import Remembered, Verdicts, whose
from classifiers.remote.scores import Activation

Name = Literal["vllm_classify", "vllm_pooling", "tei", "oip_v2", "fms", "openai_moderations"]

UNNAMED = frozenset({"vllm_classify", "vllm_pooling", "oip_v2"})
"""Protocols that answer numbers without names."""
OWN_SCORES = frozenset({"fms", "openai_moderations"})
"""Protocols whose scores are probabilities by definition."""
MODEL_NEEDED = frozenset({"oip_v2", "fms"})
"""Protocols with the model's name in the path or in a header."""
FLOOR = 0.01
"""What scores less is not reported."""
MOST_PIECES = 64
"""Pieces of one passage. More is refused: whoever wants to judge that much has `longest` for it."""


class RemoteOptions(ServerOptions):
    """`labels` maps the server's labels to categories, null for those that mean nothing bad; `unknown` is what a label means that
    is not among them. `classes`: the model's labels in its own order, where the protocol does not name them. `activation` makes
    probabilities of logits. `longest`: characters of one text; longer passages go in pieces. `batch`: texts in one request.
    `tensor_in`, `tensor_out`, `column`: the tensors of `oip_v2`, and whether its texts stand in a column of shape [n, 1].
    """

    protocol: Name
    labels: dict[str, str | None] = Field(default={}, validate_default=True)
    classes: tuple[str, ...] = Field(default=(), validate_default=True)
    unknown: Literal["unjudged", "ignore"] = "unjudged"
    activation: Activation = Field(default="none")
    longest: int = Field(default=1600, ge=100, le=100_000)
    batch: int = Field(default=16, ge=1, le=256)
    tensor_in: str = "input-0"
    tensor_out: str = ""
    column: bool = False

    @field_validator("protocol")
    @classmethod
    def _named(cls, protocol: Name, info: ValidationInfo) -> Name:
        model = info.data.get("model", "")
        if protocol in MODEL_NEEDED and not model:
            raise ValueError(f"{protocol} asks for a model by its name; write model: …")
        if protocol == "fms" and not (model.isascii() and model.isprintable()):
            raise ValueError("the model's name goes into a header; a detector's name is ASCII")
        return protocol

    @field_validator("labels")
    @classmethod
    def _mapped(cls, labels: dict[str, str | None], info: ValidationInfo) -> dict[str, str | None]:
        if "protocol" not in info.data:
            return labels  # told already
        known = labels or (dict(moderations.LABELS) if info.data.get("protocol") == "openai_moderations" else {})
        if not any(known.values()):
            raise ValueError("say which label of the server is which category, like labels: {INJECTION: injection, SAFE: null}")
        return known

    @field_validator("classes")
    @classmethod
    def _told(cls, classes: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        protocol, labels = info.data.get("protocol"), info.data.get("labels", {})
        if protocol is None:
            return classes  # told already
        if (protocol in UNNAMED) != bool(classes):
            missing = "answers numbers without names: list the model's labels in its own order, like classes: [SAFE, INJECTION]"
            raise ValueError(f"{protocol} {'names its labels; take classes out' if classes else missing}")
        if len(set(classes)) < len(classes):
            raise ValueError("a label stands here twice")
        strange = sorted(set(labels) - set(classes)) if classes else []
        if strange:
            raise ValueError(f"labels has '{strange[0]}', which is not among these classes")
        return classes

    @field_validator("activation")
    @classmethod
    def _needed(cls, activation: Activation, info: ValidationInfo) -> Activation:
        if activation != "none" and info.data.get("protocol") in OWN_SCORES:
            raise ValueError(f"{info.data['protocol']} answers probabilities; take activation out")
        return activation


_SPEAKS: Mapping[Name, Callable[[RemoteOptions], Speaks]] = MappingProxyType(
    {
        "vllm_classify": lambda o: vllm.Classify(o.model, o.classes, o.activation, o.batch),
        "vllm_pooling": lambda o: vllm.Pooling(o.model, o.classes, o.activation, o.batch),
        "tei": lambda o: tei.Predict(o.activation, o.batch),
        "oip_v2": lambda o: oip.Infer(o.model, o.classes, o.activation, o.tensor_in, o.tensor_out, o.column),
        "fms": lambda o: fms.Contents(o.model),
        "openai_moderations": lambda o: moderations.Moderations(o.model),
    }
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a passage that goes as one text: `passage.text[start:start + len(text)]`."""

    owner: int
    start: int
    text: str


@classifier("remote", options=RemoteOptions, remembers=True)
class Remote:
    """A classifier on a server: vLLM, text-embeddings-inference, KServe and Triton, FMS detectors, OpenAI's moderations."""

    name = "remote"
    unit: Unit = "passage"
    lookback = 0
    opener = 0
    steady = True

    def __init__(self, options: RemoteOptions, verdicts: Verdicts | None = None) -> None:
        self._options = options
        self._speaks = _SPEAKS[options.protocol](options)
        self.categories = frozenset(category for category in options.labels.values() if category)
        self._client = Client(options)
        form = Kept(self.categories)
        self._known: Remembered[Hits] = Remembered(options.cache, whose("remote", options), form, verdicts)

    def safe_upto(self, text: str) -> int:
        return len(text)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Sequence[Findings | Unjudged]:
        cut = [self._cut(owner, passage) for owner, passage in enumerate(passages)]
        known = await self._judged([piece for part in cut if not isinstance(part, Unjudged) for piece in part], context.tenant)
        return [part if isinstance(part, Unjudged) else _joined(part, known) for part in cut]

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    def close(self) -> None:
        """The same without waiting for it."""
        self._client.close()

    def _cut(self, owner: int, passage: Passage) -> Sequence[Piece] | Unjudged:
        text = clean(passage.text)
        if len(text) - passage.begin > self._options.longest * MOST_PIECES // 2:
            return Unjudged("too long")
        spans = pieces(text, passage.begin, self._options.longest)
        return [Piece(owner, start, text[start:end]) for start, end in spans if text[start:end].strip()]

    async def _judged(self, wanted: Sequence[Piece], tenant: str) -> Mapping[Piece, Hits | Unjudged]:
        """What is known of each piece, by asking for what is not."""
        remembered = zip(wanted, await self._known.get([(tenant, piece.text) for piece in wanted]), strict=True)
        known: dict[Piece, Hits | Unjudged] = {piece: hits for piece, hits in remembered if hits is not None}
        asked = [piece for piece in wanted if piece not in known]
        size = self._options.batch
        batches = [asked[at : at + size] for at in range(0, len(asked), size)]
        for batch, answers in zip(batches, await asyncio.gather(*map(self._ask, batches)), strict=True):
            for piece, hits in zip(batch, answers, strict=True):
                known[piece] = hits
                if not isinstance(hits, Unjudged):
                    self._known.put((tenant, piece.text), hits)
        return known

    async def _ask(self, batch: Sequence[Piece]) -> Sequence[Hits | Unjudged]:
        texts = [piece.text for piece in batch]
        request = self._speaks.request(texts)
        try:
            body = await self._client.post(request.path, request.body, request.headers)
            answers = self._speaks.read(body, texts)
        except NoAnswerError as error:
            return [Unjudged(error.reason)] * len(batch)
        return [self._hits(seen, text) for seen, text in zip(answers, texts, strict=True)]

    def _hits(self, seen: Sequence[Seen], text: str) -> Hits | Unjudged:
        """Findings in the text of a piece, the best of each category and place."""
        best: dict[tuple[str, int, int], float] = {}
        for one in seen:
            name = next((name for name in (one.label, *one.also) if name in self._options.labels), None)
            if name is None and self._options.unknown == "unjudged" and not self._options.classes:
                return Unjudged("unknown label")
            category = self._options.labels.get(name) if name is not None else None
            if category and one.score >= FLOOR:
                place = (category, one.start, len(text) if one.end is None else one.end)
                best[place] = max(one.score, best.get(place, 0.0))
        return tuple(Finding(category, round(score, 4), start, end) for (category, start, end), score in best.items())


def _joined(part: Sequence[Piece], known: Mapping[Piece, Hits | Unjudged]) -> Findings | Unjudged:
    """The findings of a passage's pieces at their places in the passage; one piece that is unjudged spoils it."""
    found: list[Finding] = []
    for piece in part:
        hits = known[piece]
        if isinstance(hits, Unjudged):
            return hits
        found += [Finding(hit.category, hit.score, piece.start + hit.start, piece.start + hit.end) for hit in hits]
    return found
