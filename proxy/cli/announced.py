"""What `sluicegate serve` says when it listens."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from proxy.cli.paint import console, painted, visible

if TYPE_CHECKING:
    from policies.policy import Policy
    from proxy.settings import Settings


def announce(settings: Settings, policy: Policy, where: str, keys: str = "none") -> None:
    """Says where we listen and what is in force: one line in a pipe, a few in a terminal. Audit on stdout: on stderr."""
    out = console(sys.stderr if settings.audit in ("stdout", "-") else sys.stdout)
    digest, rules = policy.digest[:12], len(policy.rules)
    if not out.is_terminal:
        out.print(
            f"sluicegate listens on {where} policy={policy.name} digest={digest} rules={rules} "
            f"upstream={settings.upstream or settings.routes or 'rehearsal'} audit={settings.audit} "
            f"keys={keys.split()[0].rstrip(',')} workers={settings.workers} open_to={_open_to(settings, keys)}"
        )
    else:
        out.print(painted("\n  ", ("Sluicegate", "bold"), " listens on ", (f"{where}/v1", "bold cyan")))
        for name, value in (
            ("policy", f"{policy.name}  {digest}  {rules} rule{'s' if rules != 1 else ''}"),
            ("upstream", settings.upstream or settings.routes or "the embedded rehearsal model"),
            ("audit", settings.audit),
            ("keys", _who_comes_in(settings, keys)),
        ):
            out.print(painted((f"  {name:<9}", "dim"), visible(value)))
        out.print()
    for warning in _warnings(settings, policy):
        console(sys.stderr).print(painted(("warning: ", "yellow"), warning))


def _open_to(settings: Settings, keys: str) -> str:
    """In a word: `keys`, `this_machine` (no key, but nobody else reaches us) or `everybody`."""
    from proxy.settings import is_loopback

    if keys != "none" or settings.api_key is not None:
        return "keys"
    return "this_machine" if is_loopback(settings.host) else "everybody"


def _who_comes_in(settings: Settings, keys: str) -> str:
    if keys != "none":
        return keys
    return {
        "keys": "one, shared by all callers (api_key)",
        "this_machine": "none: whoever is on this machine may ask",
        "everybody": "none: whoever reaches it may ask",
    }[_open_to(settings, keys)]


def _warnings(settings: Settings, policy: Policy) -> list[str]:
    from proxy.settings import is_loopback

    warnings = []
    if settings.audit == "off":
        warnings.append("the audit log is off: nothing is kept of what this gate decides")
    if not policy.rules:
        warnings.append(f"the policy '{policy.name}' has no rules: everything passes")
    demanded = settings.api_key or settings.keys == "required" or settings.keys_file
    if not demanded and not is_loopback(settings.host):
        warnings.append(f"anybody who reaches {settings.host} may use the model (allow_anonymous)")
    return warnings
