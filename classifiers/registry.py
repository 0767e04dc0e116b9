"""Finds classifiers by name: ours, and third parties' by entry point.

A classifier is one class or one function with a decorator and a pydantic model for its options. The options are the YAML's keys.
Nothing is imported before a policy names it, so that heavy packages cost only those who use them.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from classifiers.finding import Classifier, Context, Finding, Findings, Passage, Unit, Unjudged

ENTRY_POINT_GROUP = "sluicegate.classifiers"

BUILT_IN: Mapping[str, str] = {
    "patterns": "classifiers.patterns",
    "secrets": "classifiers.secrets",
    "pii": "classifiers.pii",
    "control_tokens": "classifiers.control_tokens",
    "language": "classifiers.language",
    "harm": "classifiers.harm",
    "judge": "classifiers.judge",
    "remote": "classifiers.remote",
    "agreement": "classifiers.agreement",
    "identity": "classifiers.identity",
    "injection": "classifiers.injection",
    "detoxify": "classifiers.toxicity.classifier",
    "use_case": "classifiers.use_case",
}
"""Name to module; the module holds exactly one object with that name registered on it."""


class Options(BaseModel):
    """The options of a classifier: what a rule may write besides the rule's own keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MissingPackageError(Exception):
    """An optional package is not installed. The text says what to install."""

    def __init__(self, classifier: str, package: str, extra: str) -> None:
        super().__init__(f"classifier '{classifier}' needs the package {package}: pip install 'sluicegate[{extra}]'")


class UnknownClassifierError(KeyError):
    """No classifier has this name; `known` are those that exist."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(name)
        self.name, self.known = name, tuple(known)


@dataclass(frozen=True, slots=True)
class Spec:
    """A classifier's registration: its name, its options model, and how to build one.

    `pooled`: `build` takes a `classifiers.running.pool.Pool` after the options, shared with others; without one it makes its own.
    `composed`: `build` takes a function after the options that builds other classifiers, by name and options.
    `remembers`: `build` takes a `classifiers.remote.remembered.Verdicts` after the options, or None: verdicts shared with others.
    """

    name: str
    options: type[Options]
    build: Callable[..., Classifier]
    summary: str
    pooled: bool = False
    composed: bool = False
    remembers: bool = False


T = TypeVar("T")
Look = Callable[..., Iterable[Finding]]


def classifier(
    name: str,
    *,
    options: type[Options] = Options,
    pooled: bool = False,
    composed: bool = False,
    remembers: bool = False,
) -> Callable[[T], T]:
    """Registers a class (`__init__(self, options)`; `(self, options, pool=None)` where it is `pooled`, `(self, options, build)`
    where it is `composed` of others, `(self, options, verdicts=None)` where it `remembers`) or a plain function
    `(text, options) -> findings` under `name`. At most one of the three.

    A function becomes a classifier of unit `passage`: it gets whole sentences, and its `categories` are read from the
    attribute of that name on the options model (a class variable), else are `{name}`.
    """

    def mark(target: T) -> T:
        summary = (inspect.getdoc(target) or "").split("\n", 1)[0]
        if inspect.isclass(target):
            spec = Spec(name, options, target, summary, pooled, composed, remembers)  # type: ignore[arg-type]  # a class that has the protocol
        else:
            spec = Spec(name, options, lambda chosen: FromFunction(name, target, chosen), summary)  # type: ignore[arg-type]
        target.__classifier__ = spec  # type: ignore[attr-defined]
        return target

    return mark


class FromFunction:
    """A plain function as a classifier of unit `passage`."""

    unit: Unit = "passage"
    lookback = 0
    opener = 0

    def __init__(self, name: str, look: Look, options: Options) -> None:
        self.name, self._look, self._options = name, look, options
        self.categories = frozenset(getattr(options, "categories", None) or {name})

    def safe_upto(self, text: str) -> int:
        return len(text)

    async def __call__(self, passages: Sequence[Passage], context: Context) -> Sequence[Findings | Unjudged]:
        return [self._one(passage) for passage in passages]

    def _one(self, passage: Passage) -> Findings | Unjudged:
        try:
            found = self._look(passage.text[passage.begin :], self._options)
            if not passage.begin:
                return tuple(found)
            # The function counts from where its text begins, a finding from where the passage's does.
            return tuple(replace(f, start=passage.begin + f.start, end=passage.begin + f.end) for f in found)
        except Exception as error:  # a third party's fault is a verdict, never a crash of the exchange
            return Unjudged(f"error: {type(error).__name__}")


class Registry:
    """Looks classifiers up by name. `extra` adds specs without packaging them (tests, embedding programs)."""

    def __init__(self, extra: Iterable[Any] = ()) -> None:
        self._extra: dict[str, Spec] = {}
        for target in extra:
            spec: Spec = target.__classifier__
            self._extra[spec.name] = spec

    def names(self) -> list[str]:
        """All names that can be used in a policy, sorted."""
        third = {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}
        return sorted({*BUILT_IN, *self._extra, *third})

    def spec(self, name: str) -> Spec:
        """The registration of `name`.

        Raises `UnknownClassifierError`, or `MissingPackageError` where its module says that something must be installed.
        """
        if name in self._extra:
            return self._extra[name]
        if name in BUILT_IN:
            return self._in_module(name, importlib.import_module(BUILT_IN[name]))
        for point in entry_points(group=ENTRY_POINT_GROUP):
            if point.name == name:
                found: Spec = point.load().__classifier__
                return found
        raise UnknownClassifierError(name, self.names())

    @staticmethod
    def _in_module(name: str, module: Any) -> Spec:
        for value in vars(module).values():
            spec = getattr(value, "__classifier__", None)
            if isinstance(spec, Spec) and spec.name == name:
                return spec
        raise UnknownClassifierError(name, sorted(BUILT_IN))
