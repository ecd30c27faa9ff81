"""Stories, output feeds with their archives, and what must be rendered again.

Stories are made from the entries as they were published until now: those that show one page were
one entry, under the id of the copy stored first, the reader's own before all.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables, and fill them from what was published."""
    op.create_table(
        "story",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("atom_id", sa.String, nullable=False, unique=True),
        sa.Column("updated", sa.DateTime, nullable=False, index=True),
        sa.Column("revisions", sa.Integer, nullable=False),
        sa.Column("listed", sa.Boolean, nullable=False),
        sa.Column("unlisted", sa.Boolean, nullable=False, index=True),
    )
    # Plain ALTER: a table made anew would take with it what refers to the old one.
    op.execute("ALTER TABLE entry ADD COLUMN story_id INTEGER REFERENCES story (id)")
    op.add_column("entry", sa.Column("noise", sa.Integer, nullable=False, server_default="0"))
    op.create_index("ix_entry_story_id", "entry", ["story_id"])
    op.add_column("feed", sa.Column("dirty", sa.Boolean, nullable=False, server_default=sa.true()))
    op.create_index("ix_feed_dirty", "feed", ["dirty"])
    op.add_column("feed", sa.Column("rendered", sa.String, nullable=False, server_default=""))
    op.create_table(
        "band",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("entry_id", sa.Integer, sa.ForeignKey("entry.id"), primary_key=True, index=True),
    )
    op.create_table(
        "channel",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("slug", sa.String, nullable=False, unique=True),
        sa.Column("feed_id", sa.String, nullable=False),
        sa.Column("first_seen_at", sa.DateTime, nullable=False),
        sa.Column("ended_at", sa.DateTime),
        sa.Column("pruned", sa.Boolean, nullable=False),
        sa.Column("dirty", sa.Boolean, nullable=False, index=True),
        sa.Column("rendered", sa.String, nullable=False),
    )
    op.create_table(
        "page",
        sa.Column("channel", sa.String, sa.ForeignKey("channel.key"), primary_key=True),
        sa.Column("month", sa.String, primary_key=True),
        sa.Column("stories", sa.Integer, nullable=False),
        sa.Column("dirty", sa.Boolean, nullable=False, index=True),
        sa.Column("rendered", sa.String, nullable=False),
    )
    op.create_table(
        "listing",
        sa.Column("channel", sa.String, sa.ForeignKey("channel.key"), primary_key=True),
        sa.Column("story_id", sa.Integer, sa.ForeignKey("story.id"), primary_key=True, index=True),
        sa.Column("month", sa.String, nullable=False),
        sa.Column("live", sa.Boolean, nullable=False),
        sa.Column("listed_at", sa.DateTime, nullable=False),
    )
    op.create_index("ix_listing_window", "listing", ["channel", "live", "listed_at"])
    op.create_index("ix_listing_month", "listing", ["channel", "month"])
    op.create_table("ping", sa.Column("url", sa.String, primary_key=True))
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":  # PostgreSQL came later, and has nothing of before
        _make_stories(connection)
        _make_listings(connection)
    op.drop_table("tag")
    op.drop_index("ix_match_tag_live", "match")
    with op.batch_alter_table("match") as match:
        match.drop_column("live")
        match.add_column(sa.Column("near", sa.Boolean, nullable=False, server_default=sa.false()))
    # Matched once more: the feeds of all, unmatched and near-miss want every entry.
    connection.execute(sa.text("UPDATE entry SET vocabulary = 'before stories'"))


def _make_stories(connection: sa.Connection) -> None:
    rows = connection.execute(
        sa.text(
            "SELECT entry.id, entry.atom_id, page, COALESCE(updated, published, first_seen_at) "
            "FROM entry JOIN feed ON feed.id = entry.feed_id "
            "ORDER BY first_seen_at, feed.role <> 'clippings', feed.url, entry.atom_id, entry.key"
        )
    ).all()
    ids: dict[str, str] = {}
    updated: dict[str, str] = {}
    members: dict[str, list[int]] = {}
    for row, atom_id, page, date in rows:
        story = ids.setdefault(page, atom_id) if page else atom_id
        members.setdefault(story, []).append(row)
        updated[story] = max(updated.get(story, ""), date)
    for number, (story, entries) in enumerate(members.items(), 1):
        connection.execute(
            sa.text(
                "INSERT INTO story (id, atom_id, updated, revisions, listed, unlisted) "
                "VALUES (:id, :atom_id, :updated, 0, :listed, :unlisted)"
            ),
            {"id": number, "atom_id": story, "updated": updated[story], "listed": False, "unlisted": True},
        )  # fmt: skip
        connection.execute(
            sa.text("UPDATE entry SET story_id = :story WHERE id = :id"),
            [{"story": number, "id": entry} for entry in entries],
        )


def _make_listings(connection: sa.Connection) -> None:
    for statement in (
        "INSERT INTO channel (key, kind, name, slug, feed_id, first_seen_at, pruned, dirty, rendered) "
        "SELECT 'tag:' || key, 'tag', name, slug, feed_id, first_seen_at, FALSE, TRUE, '' FROM tag",
        "INSERT INTO listing (channel, story_id, month, live, listed_at) "
        "SELECT 'tag:' || tag, story.id, SUBSTR(story.updated, 1, 7), MAX(live), MIN(matched_at) "
        "FROM match JOIN entry ON entry.id = entry_id JOIN story ON story.id = story_id "
        "WHERE 'tag:' || tag IN (SELECT key FROM channel) GROUP BY tag, story.id",
        "INSERT INTO page (channel, month, stories, dirty, rendered) "
        "SELECT channel, month, COUNT(*), TRUE, '' FROM listing GROUP BY channel, month",
        "UPDATE story SET listed = TRUE",
    ):
        connection.execute(sa.text(statement))
