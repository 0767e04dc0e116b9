"""Where two policies agree about exchanges, by rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from proxy.shadow.judged import Acted

if TYPE_CHECKING:
    from proxy.shadow.cases import Case

Result = Literal["agree", "only_live", "only_shadow", "other_action"]
Whole = Literal["same", "stricter", "milder"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One exchange: how it went as a whole, and by rule."""

    whole: Whole
    rules: dict[str, Result]
    live: Acted
    shadow: Acted

    @property
    def differs(self) -> bool:
        """Whether anything did not go the same way."""
        return self.whole != "same" or any(result != "agree" for result in self.rules.values())

    def told(self) -> dict[str, Any]:
        """Actions, rules and categories; no text."""
        return {
            "live": self.live.action.word,
            "shadow": self.shadow.action.word,
            "rules": {
                name: {
                    "result": result,
                    **({"live": self.live.rules[name].word} if name in self.live.rules else {}),
                    **({"shadow": self.shadow.rules[name].word} if name in self.shadow.rules else {}),
                    "where": sorted({*self.live.where.get(name, ()), *self.shadow.where.get(name, ())}),
                }
                for name, result in self.rules.items()
                if result != "agree"
            },
        }


def compare(live: Acted, shadow: Acted) -> Compared:
    """What the one did and the other would have done."""
    rules = {name: _result(name, live, shadow) for name in sorted({*live.rules, *shadow.rules})}
    whole: Whole = "same" if live.action == shadow.action else "stricter" if shadow.action > live.action else "milder"
    return Compared(whole, rules, live, shadow)


def _result(name: str, live: Acted, shadow: Acted) -> Result:
    if name not in shadow.rules:
        return "only_live"
    if name not in live.rules:
        return "only_shadow"
    return "agree" if live.rules[name] == shadow.rules[name] else "other_action"


@dataclass(slots=True)
class Sums:
    """Over many exchanges."""

    whole: Counter[str] = field(default_factory=Counter)
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)
    actions: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, one: Compared) -> None:
        """One more."""
        self.whole[one.whole] += 1
        self.actions[one.live.action.word, one.shadow.action.word] += 1
        self.rules.update((name, result) for name, result in one.rules.items())


@dataclass(slots=True)
class Run:
    """A replay while it goes on. `keep` so many of the cases that `changed`."""

    keep: int = 0
    quiet: bool = False
    sums: Sums = field(default_factory=Sums)
    changed: list[tuple[Case, Compared]] = field(default_factory=list)
    interrupted: bool = False
