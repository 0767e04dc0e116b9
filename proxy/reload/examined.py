"""A policy that somebody wants in the store: read, built and tested first, as every replica will do again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Final

from classifiers.registry import Registry
from policies.bind import Builder
from policies.compare import Difference, compared
from policies.mistakes import LoadError, Mistake
from policies.policy import Policy
from policies.positions import Source, find
from policies.reading import read_text
from proxy.reload.candidate import failed_tests
from proxy.reload.version import PREFIX, Version, from_text

TEST: Final = re.compile(r"tests\[(\d+)\]")


def examined(text: str, shown: str, name: str = "") -> Policy:
    """The policy that `text` writes. Raises `LoadError` with all that is wrong, failed tests too. Not on an event loop."""
    builder = Builder(Registry())
    try:
        policy = from_text(text, shown, builder, name)
        if mistakes := failed_tests(policy, builder):
            raise LoadError([_placed(one, text, shown) for one in mistakes])
        return policy
    finally:
        builder.close()


def _placed(mistake: Mistake, text: str, shown: str) -> Mistake:
    """A failed test, where it is written. Those of the policy that this one extends stand at the beginning."""
    node = read_text(text, Source(shown, Path(), tuple(text.splitlines())), [])
    found = TEST.fullmatch(mistake.key)
    if node is None or found is None:
        return mistake
    return find(node, ("tests", int(found[1]))).mistake(mistake.key, mistake.message)


def between(old: Version, new: Version) -> Sequence[Difference]:
    """What is different between two versions. Raises `LoadError` where one does not load here."""
    builder = Builder(Registry())
    try:
        before, after = (from_text(one.text, f"{PREFIX}{one.name}@{one.version}", builder) for one in (old, new))
        return compared(before, after)
    finally:
        builder.close()


def lines_between(old: Version, new: Version) -> Sequence[str]:
    """The same as lines of text, as `diff -u` has them."""
    before, after = (f"{one.name}@{one.version}" for one in (old, new))
    return list(unified_diff(old.text.splitlines(), new.text.splitlines(), before, after, lineterm=""))


def previous(history: Sequence[Version], name: str) -> int:
    """The last version before the one in force that was in force itself. Raises `ValueError` where there is none."""
    active = next((one.version for one in history if one.active), 0)
    earlier = [one.version for one in history if one.version < active and one.activated is not None]
    if not earlier:
        raise ValueError(f"there is no version of '{name}' before the one in force")
    return max(earlier)


def pair(history: Sequence[Version], name: str, old: int, new: int) -> tuple[int, int]:
    """Which versions are compared: 0 for `new` is the one in force, 0 for `old` the one before `new`.

    Raises `ValueError` where there is none before.
    """
    after = new or next((one.version for one in history if one.active), 0)
    if not after:
        raise ValueError(f"no version of '{name}' is in force: say which two versions to compare")
    before = old or max((one.version for one in history if one.version < after), default=0)
    if not before:
        raise ValueError(f"version {after} of '{name}' is the first: say which two versions to compare")
    return before, after
