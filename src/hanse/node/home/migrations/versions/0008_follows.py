"""Who follows which product; events by time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Keep who follows a product with the product's owner."""
    op.create_table(
        "follow",
        sa.Column("whom", sa.String(255), primary_key=True),
        sa.Column("product", sa.String(63), primary_key=True),
        sa.Column("since", sa.String(32), nullable=False),
    )
    op.create_index("event_by_time", "event", ["at"])
