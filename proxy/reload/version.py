"""A version of a policy in the store, and how it becomes a policy. Imports no database."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from policies.bind import Builder
from policies.load import load
from policies.mistakes import LoadError, Mistake
from policies.policy import Policy

PREFIX = "store:"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
MOST_TEXT = 1 << 20
ALONE = (
    "a policy in the store stands alone: it extends policies of the library only, and names other files by their whole paths, "
    "at which every replica has them"
)


@dataclass(frozen=True, slots=True)
class Version:
    """One version. Versions of a name count from 1; one of them is `active`.

    `created`, and `activated`, when it was last put in force (None: never), are in Unix seconds.
    """

    name: str
    version: int
    digest: str
    text: str
    author: str
    created: int
    active: bool
    message: str = ""
    activated: int | None = None


def from_text(text: str, shown: str, builder: Builder, name: str = "") -> Policy:
    """The policy that `text` writes, which `shown` stands for in what is said of its mistakes. Raises `LoadError`.

    With `name` it must be called that.
    """
    with tempfile.TemporaryDirectory(prefix="sluicegate-policy-") as folder:
        file = Path(folder).resolve() / "policy.yaml"
        file.write_text(text, "utf-8")
        try:
            policy = load(file, builder.registry, builder)
        except LoadError as error:
            raise LoadError([_as_shown(one, file, shown) for one in error.mistakes]) from None
    if (name and policy.name != name) or NAME.fullmatch(policy.name) is None:
        message = f"must be '{name}' here" if name else "a policy in the store has a name of letters, digits, . _ and -"
        raise LoadError([Mistake(shown, 1, 1, "name", message)])
    return policy


def _as_shown(mistake: Mistake, file: Path, shown: str) -> Mistake:
    message = mistake.message.replace(f"{file.parent}/", "")
    missing = message != mistake.message or "there is no file" in message
    where = shown if mistake.file == str(file) else mistake.file
    return replace(mistake, file=where, message=f"{message}; {ALONE}" if missing else message)


def policies_of(versions: Mapping[str, Version], builder: Builder) -> Mapping[str, Policy]:
    """The policies of these versions, by name. Raises `LoadError` with the mistakes of all."""
    found, mistakes = dict[str, Policy](), list[Mistake]()
    for name, version in versions.items():
        try:
            found[name] = from_text(version.text, f"{PREFIX}{name}@{version.version}", builder, name)
        except LoadError as error:
            mistakes += error.mistakes
    if mistakes:
        raise LoadError(mistakes)
    return found
