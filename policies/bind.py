"""Builds the classifiers that a policy's rules name."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from classifiers.decoders.beneath import Beneath
from classifiers.finding import Classifier
from classifiers.registry import Registry, Spec
from classifiers.running.pool import Pool
from policies.digest import canonical, file_digest, thawed
from policies.options import path_keys
from policies.policy import Policy
from policies.stock import Key, Stock

if TYPE_CHECKING:
    from classifiers.remote.remembered import Verdicts


class Builder:
    """Builds classifiers and keeps each one: rules with equal `use` and options share one instance.

    Give the same builder to `load` and to `bind`, and what was built to check a policy serves it afterwards. They share the
    workers of one `pool`, the builder's own with so many `threads` unless it is given one; whoever uses the classifiers calls
    `close` when done.

    A `successor` builds for the policies that come next. What they have in common with this builder's is not built again, files
    that options name being compared by what they hold; it is closed when both builders have let it go.

    `verdicts` are shared with other processes, by the classifiers that can remember theirs.
    """

    def __init__(
        self,
        registry: Registry,
        pool: Pool | None = None,
        threads: int | None = None,
        *,
        stock: Stock | None = None,
        verdicts: Verdicts | None = None,
    ) -> None:
        self.registry, self.pool, self.verdicts = registry, pool or Pool(threads), verdicts
        self._shared = pool is not None
        self._stock = Stock() if stock is None else stock
        self._built: dict[Key, Classifier] = {}
        self._beneath: dict[Key, Classifier] = {}
        self._lock = threading.Lock()

    def successor(self) -> Builder:
        """A builder for what comes next, with the same registry and workers."""
        return Builder(self.registry, self.pool, stock=self._stock, verdicts=self.verdicts)

    def build(self, use: str, options: Mapping[str, Any], *, decode: bool = False) -> Classifier:
        """The classifier `use` with these options (plain data, keys as in YAML); with `decode` it sees what a text hides too.

        Raises what the classifier's options or its building raise: `ValidationError`, `MissingPackageError`, anything else.
        """
        spec = self.registry.spec(use)
        key = (use, canonical(thawed(options)), _stamps(spec, options), id(self) if spec.composed else 0)
        if key not in self._built:
            self._keep(key, self._stock.take(key, lambda: self._made(spec, options)))
        if decode and key not in self._beneath:
            self._beneath[key] = Beneath(self._built[key])
        return self._beneath[key] if decode else self._built[key]

    def _made(self, spec: Spec, options: Mapping[str, Any]) -> Classifier:
        chosen = spec.options.model_validate_json(json.dumps(thawed(options)), strict=True)
        more: tuple[Any, ...] = (self.pool,) if spec.pooled else (self.build,) if spec.composed else ()
        if spec.remembers:
            more = (self.verdicts,)
        return spec.build(chosen, *more)

    def _keep(self, key: Key, classifier: Classifier) -> None:
        with self._lock:
            twice = key in self._built  # another thread of ours was faster
            self._built.setdefault(key, classifier)
        if twice:
            self._stock.let_go([key])

    def retire(self) -> None:
        """Lets go of every classifier; those that nobody else uses are closed."""
        with self._lock:
            keys, self._built, self._beneath = [*self._built], {}, {}
        self._stock.let_go(keys)

    def close(self) -> None:
        """The same, and closes the pool if it is the builder's own."""
        self.retire()
        if not self._shared:
            self.pool.close()


def _stamps(spec: Spec, options: Mapping[str, Any]) -> str:
    """What the files hold that these options name: a file that has changed makes another classifier."""
    named = [options.get(key) for key in path_keys(spec.options)]
    files = [one for value in named for one in (value if isinstance(value, list | tuple) else [value]) if isinstance(one, str)]
    return " ".join(file_digest(Path(one)) if Path(one).is_file() else "" for one in files)


def bind(policy: Policy, registry: Registry, builder: Builder | None = None) -> Mapping[str, Classifier]:
    """The classifiers of `policy` by the name of their rule."""
    built = builder or Builder(registry)
    return {rule.name: built.build(rule.use, rule.options, decode=rule.decode) for rule in policy.rules}
