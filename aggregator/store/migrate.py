"""Upgrades the schema with Alembic when the database is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from aggregator.errors import StorageError

HEAD = "0010"
_MIGRATION_LOCK = 7_216_021  # an advisory lock


def upgrade(connection: Connection) -> None:
    """Upgrade the schema to `HEAD`. Raises StorageError if it is of a later version."""
    if _current(connection) == HEAD:
        return
    with _atomic_upgrade(connection):
        current = _current(connection)
        if current != HEAD:  # another process may have upgraded it meanwhile
            _upgrade(connection, current)


@contextmanager
def _atomic_upgrade(connection: Connection) -> Iterator[None]:
    """All or nothing.

    Python's sqlite3 starts no transaction for DDL, so a killed upgrade would leave half a schema. And
    SQLite alters some tables by copying them: dropping the old table would break references to it,
    or delete the rows that refer to it.
    """
    if connection.dialect.name == "postgresql":
        # Workers that start at the same time must not all create the tables.
        connection.execute(text("SELECT pg_advisory_xact_lock(:it)"), {"it": _MIGRATION_LOCK})
        yield
        return
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    yield
    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
        raise StorageError(
            f"it cannot be upgraded: {len(broken)} foreign keys refer to missing rows"
        )
    connection.exec_driver_sql("COMMIT")
    connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def _upgrade(connection: Connection, current: str | None) -> None:
    # Imported here because almost every run finds a current schema.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in revisions:
        raise StorageError(
            f"its schema ({current}) is newer than this program's ({HEAD}): update aggregator"
        )
    command.upgrade(config, HEAD)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
