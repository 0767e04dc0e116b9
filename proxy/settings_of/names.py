"""The names of environment variables."""

from __future__ import annotations

PREFIX = "SLUICEGATE_"
FILE_VARIABLE = "SLUICEGATE_SETTINGS"
MODELS_VARIABLE = "SLUICEGATE_MODELS"  # where models lie that do not ship
UPSTREAM_KEY_VARIABLE = "SLUICEGATE_UPSTREAM_API_KEY"
REHEARSE_KEY_VARIABLE = "SLUICEGATE_REHEARSE_KEY"  # of `sluicegate rehearse`, which may run from the same shell
REDIS_PASSWORD_VARIABLE = "SLUICEGATE_REDIS_PASSWORD"  # noqa: S105  # the name of one
KEYS_PREFIX = "SLUICEGATE_KEY_"  # of variables that a routes file or a policy names: keys of servers
