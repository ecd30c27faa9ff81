"""When each feed is polled next and why, hosts that asked us to wait, news of subscriptions.

Addresses lose their secrets: a feed is stored under its subscription's key.
"""

import sqlalchemy as sa
from alembic import op

from aggregator.text.urls import without_secrets

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_FEED = (
    sa.Column("validated_url", sa.String),
    sa.Column("next_poll_at", sa.DateTime),
    sa.Column("next_poll_reason", sa.String, nullable=False, server_default=""),
    sa.Column("lifetime_seconds", sa.Float),
    sa.Column("hints", sa.JSON, server_default="{}"),
    sa.Column("gap_seconds", sa.Float),
    sa.Column("newest_at", sa.DateTime),
    sa.Column("failing_since_at", sa.DateTime),
    sa.Column("told", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("gone_at", sa.DateTime),
    sa.Column("ended", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("moved_to", sa.String),
    sa.Column("moved_since_at", sa.DateTime),
    sa.Column("moved_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("move_adopted", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("warning", sa.String),
    sa.Column("silent", sa.Boolean, nullable=False, server_default=sa.false()),
)


def upgrade() -> None:
    """Add the columns and tables."""
    with op.batch_alter_table("feed") as feed:
        for column in _FEED:
            feed.add_column(column)
    with op.batch_alter_table("run") as run:
        run.add_column(sa.Column("offline", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "host",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("not_before", sa.DateTime, nullable=False),
    )
    op.create_table(
        "feed_event",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("message", sa.String, nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
    )
    feeds = sa.table("feed", *map(sa.column, ("id", "url", "atom_id", "validated_url")))
    connection = op.get_bind()
    taken = set(connection.execute(sa.select(feeds.c.url)).scalars())
    for number, url in connection.execute(sa.select(feeds.c.id, feeds.c.url)).all():
        key = without_secrets(url) if url.startswith("http") else url
        if key != url and key in taken:
            key = f"{key}#{number}"  # two that differed only in their secrets
        taken.add(key)
        change = {"url": key, "validated_url": key}
        connection.execute(sa.update(feeds).where(feeds.c.id == number).values(**change))
        same = sa.update(feeds).where(feeds.c.id == number, feeds.c.atom_id == url)
        connection.execute(same.values(atom_id=key))
