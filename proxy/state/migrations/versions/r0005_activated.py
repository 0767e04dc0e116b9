"""When a version of a policy was put in force, if it ever was"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column. Which of the versions before it were in force is not known: all may be gone back to, as before."""
    op.add_column("policies", sa.Column("activated", sa.BigInteger))
    op.execute("UPDATE policies SET activated = created")


def downgrade() -> None:
    """Takes it away."""
    with op.batch_alter_table("policies") as table:
        table.drop_column("activated")
