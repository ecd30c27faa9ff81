"""The first tables: feed, entry, match, tag, run."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "feed",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("url", sa.String, nullable=False, unique=True),
        sa.Column("role", sa.String, nullable=False),
        sa.Column("atom_id", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("link", sa.String),
        sa.Column("language", sa.String),
        sa.Column("rights", sa.String),
        sa.Column("etag", sa.String),
        sa.Column("last_modified", sa.String),
        sa.Column("body_hash", sa.String),
        sa.Column("fetched_at", sa.DateTime),
        sa.Column("first_succeeded_at", sa.DateTime),
        sa.Column("succeeded_at", sa.DateTime),
        sa.Column("not_before", sa.DateTime),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("last_error", sa.String),
    )
    op.create_table(
        "entry",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("feed_id", sa.Integer, sa.ForeignKey("feed.id"), nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("atom_id", sa.String, nullable=False, index=True),
        sa.Column("page", sa.String, index=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("link", sa.String),
        sa.Column("summary", sa.String, nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("text", sa.String, nullable=False),
        sa.Column("authors", sa.JSON),
        sa.Column("categories", sa.JSON),
        sa.Column("enclosures", sa.JSON),
        sa.Column("published", sa.DateTime),
        sa.Column("updated", sa.DateTime),
        sa.Column("language", sa.String),
        sa.Column("rights", sa.String),
        sa.Column("content_hash", sa.String, nullable=False),
        sa.Column("first_seen_at", sa.DateTime, nullable=False),
        sa.Column("changed_at", sa.DateTime, nullable=False),
        sa.Column("vocabulary", sa.String, index=True),
        sa.UniqueConstraint("feed_id", "key"),
    )
    op.create_table(
        "match",
        sa.Column("entry_id", sa.Integer, sa.ForeignKey("entry.id"), primary_key=True),
        sa.Column("tag", sa.String, primary_key=True),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("evidence", sa.JSON),
        sa.Column("matched_at", sa.DateTime, nullable=False),
        sa.Column("live", sa.Boolean, nullable=False),
    )
    op.create_index("ix_match_tag_live", "match", ["tag", "live"])
    op.create_table(
        "tag",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("slug", sa.String, nullable=False, unique=True),
        sa.Column("feed_id", sa.String, nullable=False),
        sa.Column("first_seen_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("finished_at", sa.DateTime),
    )
