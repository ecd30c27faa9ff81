"""What is kept of entries for which nobody asked: when their content was removed."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, an index of the entries that are whole, and the place where runs go on."""
    op.add_column("entry", sa.Column("pruned_at", sa.DateTime))
    op.add_column("entry", sa.Column("essence", sa.String))
    op.create_index(
        "ix_entry_whole", "entry", ["changed_at"], sqlite_where=sa.text("pruned_at IS NULL")
    )
    op.create_table(
        "pruning",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("changed_at", sa.DateTime, nullable=False),
        sa.Column("entry_id", sa.Integer, nullable=False),
    )
