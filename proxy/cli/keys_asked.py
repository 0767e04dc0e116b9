"""What is asked for with `sluicegate keys`, checked: each word that is wrong is told, with what could be meant."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from proxy.cli.stored import refuse

if TYPE_CHECKING:
    from proxy.settings import Settings

MOST_NAME = 200
"""Characters, as their columns hold."""


def limits_of(written: list[str]) -> Any:
    """Limits from words like `requests_per_minute=60`. Leaves with exit code 2 where one is wrong."""
    from pydantic import ValidationError

    from policies.mistakes import listed, nearest
    from proxy.access.written import LimitsWritten

    values: dict[str, str] = {}
    for word in written:
        name, _, number = word.partition("=")
        name = name.strip().replace("-", "_")
        if name not in LimitsWritten.model_fields:
            near = nearest(name, LimitsWritten.model_fields)
            known = listed(list(LimitsWritten.model_fields), 20)
            refuse(
                [f"--limit {word}: there is no such bound (there are {known})" + (f"; did you mean {near}?" if near else "")], 2
            )
        if name in values:
            refuse([f"--limit {word}: {name} is there twice"], 2)
        values[name] = number
    try:
        return LimitsWritten.model_validate(values).meant()
    except ValidationError as error:
        wrong = [(one["loc"][0], one["input"], str(one["msg"]).partition(",")[0]) for one in error.errors(include_url=False)]
        refuse([f"--limit {name}={value}: {said}; write it like {name}=60" for name, value, said in wrong], 2)


def id_of_key(written: str) -> str:
    """A key's id, from the id or from the key itself. Leaves with exit code 2 where it is neither."""
    from proxy.access.keys import ID, id_of

    found = id_of(written) or id_of(written, admin=True) or written
    if ID.fullmatch(found) is None:
        refuse([f"'{written}' is no key's id: it has 12 letters and digits, see sluicegate keys list"], code=2)
    return found


def name_of(written: str, flag: str) -> str:
    """A name or note that can be kept. Leaves with exit code 2 where it cannot."""
    if len(written) > MOST_NAME or any("\ud800" <= char <= "\udfff" for char in written):
        refuse([f"{flag}: at most {MOST_NAME} characters, in UTF-8"], code=2)
    return written


def expiry_of(written: str) -> int | None:
    """The same as `moment_of`, for a key that is to open something first."""
    at = moment_of(written)
    if at is not None and at <= time.time():
        refuse([f"--expires {written}: that is over already"], code=2)
    return at


def moment_of(written: str) -> int | None:
    """Unix seconds, None for never. Leaves with exit code 2 where no time is meant."""
    from proxy.access.spans import moment

    try:
        return moment(written, time.time())
    except ValueError as error:
        refuse([str(error)], code=2)


def role_of(written: str, tenant: str, *foreign: list[str] | None) -> Any:
    """An administrator's role; `foreign` is what only callers' keys have. Leaves with exit code 2 where something is wrong."""
    from policies.mistakes import nearest
    from proxy.access.roles import Role

    if tenant != "default" or any(foreign):
        refuse(["an administrator's key has no tenant, routes, policies or limits: it opens only the admin API"], code=2)
    if written not in list(Role):
        near = nearest(written, list(Role)) if written else ""
        refuse([f"--role: say {', '.join(Role)}" + (f"; did you mean {near}?" if near else "")], code=2)
    return Role(written)


def route_names(written: list[str]) -> list[str]:
    """Names of routes. Leaves with exit code 2 where one is none."""
    import re

    from proxy.access.written import ROUTE

    for name in written:
        if re.fullmatch(ROUTE, name) is None:
            refuse([f"--route {name}: that is no route's name"], code=2)
    return written


def known_policies(settings: Settings, names: list[str]) -> None:
    """Refuses names that lead nowhere here: in the library, or in the folder that the setting `policy` names."""
    if not names:
        return
    from policies.inherit import library
    from policies.mistakes import listed, nearest
    from proxy.cli.serve import builder_of

    known = set(library())
    builder = builder_of(settings, alone=True)
    try:
        known |= _of_settings(settings, builder)
    finally:
        builder.close()
    for name in names:
        if name not in known:
            near = nearest(name, known)
            meant = f"; did you mean {near}?" if near else ""
            text = f"--policy {name}: there is no such policy here (there are {listed(sorted(known), 20)}){meant}"
            refuse([f"{text}. If the servers have it: --force"], code=2)


def _of_settings(settings: Settings, builder: Any) -> set[str]:
    from policies.load import load_all
    from policies.mistakes import LoadError

    try:
        return set(load_all(settings.policy, builder.registry, builder))
    except LoadError as error:
        refuse([str(mistake) for mistake in error.mistakes], code=2)
