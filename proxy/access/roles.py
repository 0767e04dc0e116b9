"""What administrators may do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Right(StrEnum):
    """Something that not everybody may do."""

    READ_KEYS = "read_keys"
    WRITE_KEYS = "write_keys"
    READ_POLICIES = "read_policies"
    WRITE_POLICIES = "write_policies"
    READ_RECORDS = "read_records"
    READ_TEXTS = "read_texts"
    ERASE_TEXTS = "erase_texts"
    REVIEW = "review"


class Role(StrEnum):
    """Who an administrator is. An operator runs the house and changes no rules; who changes rules gives nobody a key.

    Who reads texts cannot erase them, and who erases them cannot read them.
    """

    OPERATOR = "operator"
    POLICY_EDITOR = "policy_editor"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"

    def may(self, right: Right) -> bool:
        """Whether the role has the right."""
        return right in RIGHTS[self]


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.OPERATOR: frozenset({Right.READ_KEYS, Right.WRITE_KEYS, Right.READ_POLICIES, Right.ERASE_TEXTS}),
    Role.POLICY_EDITOR: frozenset({Right.READ_POLICIES, Right.WRITE_POLICIES}),
    Role.REVIEWER: frozenset({Right.READ_POLICIES, Right.REVIEW}),
    Role.AUDITOR: frozenset({Right.READ_KEYS, Right.READ_POLICIES, Right.READ_RECORDS, Right.READ_TEXTS}),
}
