"""Entries have a picture and a source; feeds have notes and the version of their reader."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; every feed was read by a version before the first number."""
    op.add_column("entry", sa.Column("image", sa.String(), nullable=True))
    op.add_column("entry", sa.Column("source", sa.JSON(), nullable=True))
    op.create_index("ix_entry_published", "entry", ["feed_id", "published"])
    op.add_column("feed", sa.Column("notes", sa.String(), nullable=True))
    op.add_column(
        "feed", sa.Column("reader_version", sa.Integer(), nullable=False, server_default="0")
    )
