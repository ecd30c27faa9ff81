"""Tables and columns get plain names; no value changes.

``ALTER TABLE … RENAME COLUMN`` also renames the column in indexes and foreign keys, in SQLite (since
3.25) as in PostgreSQL. Only PostgreSQL can rename an index, so SQLite creates it again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = {
    "band": "minhash_band",
    "host": "host_hold",
    "learned": "tag_model",
    "listing": "channel_story",
    "meaning": "embedding",
    "page": "archive_document",
    "parked": "job_failure",
    "ping": "hub_ping",
    "pruning": "prune_position",
}
_COLUMNS = {  # of the tables by their new names
    "archive_document": {"month": "name"},
    "channel": {"feed_id": "atom_id"},
    "channel_story": {"month": "document", "listed_at": "entered_at"},
    "entry": {
        "essence": "content_hash_without_numbers",
        "noise": "trivial_changes",
        "vocabulary": "matched_fingerprint",
    },
    "feed": {"ended": "gone_confirmed", "silent": "is_silent", "told": "operator_notified"},
    "job_failure": {"parked_at": "failed_at"},
    "story": {"listed": "ever_published", "unlisted": "placement_pending"},
}
_INDEXES = (  # old name, new name, columns
    ("ix_band_entry_id", "ix_minhash_band_entry_id", "minhash_band", ("entry_id",)),
    ("ix_listing_month", "ix_channel_story_document", "channel_story", ("channel", "document")),
    ("ix_listing_story_id", "ix_channel_story_story_id", "channel_story", ("story_id",)),
    (
        "ix_listing_window",
        "ix_channel_story_window",
        "channel_story",
        ("channel", "live", "entered_at"),
    ),
    ("ix_page_dirty", "ix_archive_document_dirty", "archive_document", ("dirty",)),
    ("ix_story_unlisted", "ix_story_placement_pending", "story", ("placement_pending",)),
)


def upgrade() -> None:
    """Rename tables, then columns, then indexes."""
    for old, new in _TABLES.items():
        op.rename_table(old, new)
    for table, columns in _COLUMNS.items():
        for old, new in columns.items():
            op.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
    for old, new, table, names in _INDEXES:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"ALTER INDEX {old} RENAME TO {new}")
        else:
            op.drop_index(old, table)
            op.create_index(new, table, list(names))
    op.drop_index("ix_entry_vocabulary", "entry")
    # Pruned entries are not matched again, unless the reader has decided about them.
    for name, column, condition in (
        ("ix_entry_matched_fingerprint", "matched_fingerprint", "pruned_at IS NULL"),
        ("ix_entry_unmatched", "id", "matched_fingerprint IS NULL"),
    ):
        where = sa.text(condition)
        op.create_index(name, "entry", [column], sqlite_where=where, postgresql_where=where)
