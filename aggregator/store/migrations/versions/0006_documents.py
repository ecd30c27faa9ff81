"""What the documents held that were served last; and what spares runs from counting entries."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables and the number of a feed's entries."""
    op.create_table(
        "document",
        sa.Column("feed_id", sa.Integer, sa.ForeignKey("feed.id"), primary_key=True),
        sa.Column("context", sa.String, nullable=False),
        sa.Column("entries", sa.String, nullable=False),
    )
    op.create_table(
        "site",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rendered", sa.String, nullable=False),
    )
    with op.batch_alter_table("feed") as feed:
        feed.add_column(sa.Column("entries", sa.Integer, nullable=False, server_default="0"))
    op.add_column("run", sa.Column("stages", sa.JSON))
    op.create_index("ix_entry_title", "entry", ["feed_id", "title"])
    op.create_index("ix_feed_event_key", "feed_event", ["key"])
    op.execute(
        "UPDATE feed SET entries = (SELECT count(*) FROM entry WHERE entry.feed_id = feed.id)"
    )
