"""Which texts are to be erased, wherever they lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from proxy.records.textstore import Kept


@dataclass(frozen=True, slots=True)
class Erasure:
    """Texts of an exchange, of a tenant, or of all; `before`: only those that were kept before this Unix time.

    Without `before` texts go that are kept later too: an exchange may still run while it is erased.
    """

    exchange: str = ""
    tenant: str = ""
    before: float | None = None

    def means(self, kept: Kept) -> bool:
        """Whether these texts are to go."""
        named = self.exchange in ("", kept.id) and self.tenant in ("", kept.tenant)
        return named and (self.before is None or kept.at < self.before)


@dataclass(frozen=True, slots=True)
class Erasures:
    """Several of them, asked quickly."""

    of_exchanges: dict[str, list[Erasure]]
    of_others: Sequence[Erasure]

    def means(self, kept: Kept) -> bool:
        """Whether one of them means these texts."""
        return any(one.means(kept) for one in (*self.of_exchanges.get(kept.id, ()), *self.of_others))


def together(erasures: Iterable[Erasure]) -> Erasures:
    """Erasures by what they name."""
    exchanges: dict[str, list[Erasure]] = {}
    others = []
    for one in erasures:
        if one.exchange:
            exchanges.setdefault(one.exchange, []).append(one)
        else:
            others.append(one)
    return Erasures(exchanges, others)


def asked(ids: Sequence[str], tenants: Sequence[str], before: float | None, now: float) -> list[Erasure]:
    """What a person asks for: texts of these exchanges, of these tenants, before this time; several narrow it down.

    Of a tenant what is there now is erased, not what it will say tomorrow, whatever time is named.
    """
    until = None if ids and before is None else min(now, now if before is None else before)
    return [Erasure(exchange, tenant, until) for exchange, tenant in product(ids or ("",), tenants or ("",))]
