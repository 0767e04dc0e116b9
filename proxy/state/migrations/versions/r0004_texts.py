"""Sealed texts of all replicas, and what of them is to be erased"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "texts",
        sa.Column("exchange", sa.String(64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False, index=True),
        sa.Column("tenant", sa.String(64), nullable=False, index=True),
        sa.Column("line", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("exchange", name="pk_texts"),
    )
    op.create_table(
        "erasures",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("exchange", sa.String(64), nullable=False, index=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("before", sa.Double()),
        sa.PrimaryKeyConstraint("number", name="pk_erasures"),
    )


def downgrade() -> None:
    """Takes them away, with all that is in them."""
    op.drop_table("erasures")
    op.drop_table("texts")
