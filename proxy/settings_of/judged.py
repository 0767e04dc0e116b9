"""Settings of what is judged, and by which policy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from proxy.settings_of.written import Written


class Judged(Written):
    """A group of `Settings`."""

    policy: str = Field(
        "default",
        description="A policy file, a folder of them, the name of one that comes with the program; store:NAME: of the database.",
    )
    policy_name: str = Field("", description="Which policy of the folder, where there are several.")
    policy_reload: Literal["on", "off", "sighup"] = Field(
        "on", description="Whether changed policies are taken in while the program runs: on, off, or sighup: when it is told to."
    )
    policy_reload_seconds: float = Field(
        0.5, ge=0.05, le=3600, description="How often policies are looked at; a file is taken in once it is the same twice."
    )
    policy_store: bool = Field(False, description="Policies in the database take the place of files of their names.")
    shadow: str = Field("", description="A candidate policy, as for policy, which judges what passes and does nothing.")
    shadow_samples: str = Field(
        "", description="A file for samples of what the candidate would do differently: ids, rules, categories, no text."
    )
    shadow_share: float = Field(1.0, ge=0, le=1, description="The share of exchanges that the candidate sees.")
    shadow_queue: int = Field(256, ge=1, le=100_000, description="Exchanges that may wait for it, per worker; more are dropped.")
