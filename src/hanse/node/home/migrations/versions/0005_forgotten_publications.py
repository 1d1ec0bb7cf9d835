"""Former publications whose data is no longer kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0001"


def upgrade() -> None:
    """Remember when a publication was forgotten, and what its signature was over."""
    op.add_column("publication", sa.Column("forgotten_at", sa.String(length=32)))
    op.add_column("publication", sa.Column("lines_sha256", sa.String(length=64)))
