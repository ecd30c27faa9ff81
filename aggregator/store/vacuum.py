"""Giving the space of what was removed back to the disk."""

import os
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection
from sqlmodel import text

from aggregator.errors import StorageError
from aggregator.store.connection import Database

_TEMPORARY = ("/var/tmp", "/usr/tmp", "/tmp")  # noqa: S108  # where SQLite looks, in this order


def vacuum(database: Database, free: Callable[[Path], int]) -> tuple[int, int]:
    """Make the file as small as what it holds; gives its size before and after, in bytes.

    ``free`` tells how many bytes are free where a folder is. Raises StorageError, and changes
    nothing, if there are too few.
    """
    with database.guard(), database.engine.connect() as connection:
        bare = connection.execution_options(isolation_level="AUTOCOMMIT")
        if connection.dialect.name == "postgresql":
            return _vacuum_server(bare)
        size, pages, unused = (
            bare.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("page_size", "page_count", "freelist_count")
        )
        _check_room(database, size * (pages - unused), free)
        bare.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        before = database.path.stat().st_size
        bare.execute(text("VACUUM"))
        bare.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return before, database.path.stat().st_size


def _check_room(database: Database, needed: int, free: Callable[[Path], int]) -> None:
    """SQLite writes all that is in use to a temporary file, and from there to its write-ahead
    log, before the file can shrink."""
    here, temporary = database.path.parent.absolute(), _temporary_folder()
    both = here.stat().st_dev == temporary.stat().st_dev
    for folder, hint in (
        (here, "make room there"),
        (temporary, "make room there, or let SQLITE_TMPDIR name a folder that has it"),
    ):
        wanted, room = needed * (1 + both), free(folder)
        if room < wanted:
            raise StorageError(
                f"giving space back takes {megabytes(wanted)} in {folder} for a while, where "
                f"{megabytes(room)} are free: {hint}; nothing was changed"
            )


def _vacuum_server(connection: Connection) -> tuple[int, int]:
    """What is taken away for a while is the server's own disk, of which it tells nothing here."""
    size = text("SELECT pg_database_size(current_database())")
    before = connection.execute(size).scalar_one()
    connection.execute(text("VACUUM (FULL, ANALYZE)"))
    return before, connection.execute(size).scalar_one()


def megabytes(number: int) -> str:
    """A size as people say it."""
    return f"{number / 1_000_000:,.1f} MB"


def _temporary_folder() -> Path:
    named = (os.environ.get(name) for name in ("SQLITE_TMPDIR", "TMPDIR"))
    for name in (*named, *_TEMPORARY):
        if name and Path(name).is_dir() and os.access(name, os.W_OK | os.X_OK):
            return Path(name)
    return Path.cwd()
