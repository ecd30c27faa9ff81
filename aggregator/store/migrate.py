"""Alembic, run from inside: the schema is brought up to date when the database is opened."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from aggregator.errors import StorageError

HEAD = "0009"
_MIGRATING = 7_216_021  # among the advisory locks of a database


def upgrade(connection: Connection) -> None:
    """Bring the schema to `HEAD`. Raises StorageError if it is from a later version of ours."""
    if _current(connection) == HEAD:
        return
    with _in_one_piece(connection):
        current = _current(connection)
        if current != HEAD:  # somebody else may have done it since
            _upgrade(connection, current)


@contextmanager
def _in_one_piece(connection: Connection) -> Iterator[None]:
    """All of it, or nothing, where that does not go by itself.

    Python's sqlite3 begins no transaction for DDL: killed in its midst, a schema would stay half
    made for ever. And SQLite alters many a table by making it anew: dropping the old one would
    break the references to it, or take with it what refers to it.
    """
    if connection.dialect.name == "postgresql":
        # Workers that are started together must not each make the tables.
        connection.execute(text("SELECT pg_advisory_xact_lock(:it)"), {"it": _MIGRATING})
        yield
        return
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    yield
    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
        raise StorageError(
            f"it cannot be brought up to date: {len(broken)} references lead nowhere"
        )
    connection.exec_driver_sql("COMMIT")
    connection.exec_driver_sql("PRAGMA foreign_keys=ON")


def _upgrade(connection: Connection, current: str | None) -> None:
    # Imported here because almost every run finds its schema up to date.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise StorageError(
            f"its schema ({current}) is newer than this program's ({HEAD}): update aggregator"
        )
    command.upgrade(config, HEAD)


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
