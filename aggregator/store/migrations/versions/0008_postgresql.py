"""What several machines need: jobs that were given up, dates of revisions that do not depend on who
came first, and, on PostgreSQL, its own kinds of columns and indexes.

There all numbers are of 64 bits, moments know their zone, and texts are in the order of their
bytes, as in SQLite: what is published does not depend on the language of the server. An index of
texts that strangers write (PostgreSQL refuses those above 2,704 bytes) is one of their digests.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KINDS = (
    ("integer", "BIGINT"),
    ("character varying", 'TEXT COLLATE "C"'),
    ("timestamp without time zone", "TIMESTAMPTZ"),
)
_COLUMNS = sa.text(
    "SELECT table_name, column_name FROM information_schema.columns "
    "WHERE table_schema = current_schema() AND table_name = ANY(:tables) AND data_type = :kind"
)
_TABLES = [
    "band",
    "channel",
    "decision",
    "document",
    "entry",
    "feed",
    "feed_event",
    "host",
    "learned",
    "listing",
    "match",
    "meaning",
    "page",
    "parked",
    "ping",
    "pruning",
    "run",
    "site",
    "story",
]
_NUMBERED = ("feed", "entry", "story", "feed_event", "run", "learned", "pruning", "site")
_INDEXES = (
    "ALTER TABLE feed DROP CONSTRAINT feed_url_key",
    "CREATE UNIQUE INDEX ix_feed_name ON feed (md5(url))",
    "CREATE INDEX ix_feed_url ON feed USING hash (url)",
    "ALTER TABLE entry DROP CONSTRAINT entry_feed_id_key_key",
    "CREATE UNIQUE INDEX ix_entry_name ON entry (feed_id, md5(key))",
    "CREATE INDEX ix_entry_key ON entry USING hash (key)",
    "ALTER TABLE story DROP CONSTRAINT story_atom_id_key",
    "CREATE UNIQUE INDEX ix_story_name ON story (md5(atom_id))",
    "CREATE INDEX ix_story_atom_id ON story USING hash (atom_id)",
    "DROP INDEX ix_entry_atom_id, ix_entry_page, ix_entry_title, ix_feed_event_key, ix_entry_whole",
    "CREATE INDEX ix_entry_atom_id ON entry USING hash (atom_id)",
    "CREATE INDEX ix_entry_page ON entry USING hash (page)",
    "CREATE INDEX ix_entry_title ON entry USING hash (title)",
    "CREATE INDEX ix_feed_event_key ON feed_event USING hash (key)",
    "CREATE INDEX ix_entry_whole ON entry (changed_at) WHERE pruned_at IS NULL",
    "CREATE INDEX ix_entry_feed ON entry (feed_id)",
    # What waits for the next step of a run is little: so are the indexes that find it.
    "DROP INDEX ix_feed_dirty, ix_channel_dirty, ix_page_dirty, ix_story_unlisted, ix_entry_story_id",
    "CREATE INDEX ix_feed_dirty ON feed (id) WHERE dirty",
    "CREATE INDEX ix_channel_dirty ON channel (key) WHERE dirty",
    "CREATE INDEX ix_page_dirty ON page (channel, month) WHERE dirty",
    "CREATE INDEX ix_story_unlisted ON story (id) WHERE unlisted",
    "CREATE INDEX ix_entry_story_id ON entry (story_id) WHERE story_id IS NOT NULL",
    "CREATE INDEX ix_entry_ungrouped ON entry (id) WHERE story_id IS NULL",
)


def upgrade() -> None:
    """Add the table and the column; make PostgreSQL's columns and indexes what they should be."""
    op.create_table(
        "parked",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("parked_at", sa.DateTime, nullable=False),
    )
    op.add_column("story", sa.Column("revised", sa.DateTime))
    few = sa.text("revised IS NOT NULL")
    op.create_index(
        "ix_story_revised", "story", ["revised"], sqlite_where=few, postgresql_where=few
    )
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for old, new in _KINDS:
        found = connection.execute(_COLUMNS, {"tables": _TABLES, "kind": old}).all()
        for table, column in found:
            op.execute(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE {new}')
    for table in _NUMBERED:
        op.execute(f"ALTER SEQUENCE {table}_id_seq AS BIGINT")
    for statement in _INDEXES:
        op.execute(statement)
