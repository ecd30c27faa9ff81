"""Alembic, run from inside: the schema is brought up to date when the database is opened."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from aggregator.errors import StorageError

HEAD = "0008"


def upgrade(connection: Connection) -> None:
    """Bring the schema to `HEAD`. Raises StorageError if it is from a later version of ours."""
    current = _current(connection)
    if current == HEAD:
        return
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
