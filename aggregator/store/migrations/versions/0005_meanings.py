"""What texts mean, which takes long to find out."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "meaning",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
