"""Returns the space of deleted rows to the disk."""

import os
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, text

from aggregator.errors import StorageError
from aggregator.store.connection import Database

_TEMPORARY_FOLDERS = ("/var/tmp", "/usr/tmp", "/tmp")  # noqa: S108  # in SQLite's order


def vacuum(database: Database, free_bytes: Callable[[Path], int]) -> tuple[int, int]:
    """Make the database as small as its content; return its size before and after, in bytes.

    ``free_bytes``: the free space of a folder. Raises StorageError, and changes nothing, if there is
    too little of it.
    """
    with database.guard(), database.engine.connect() as connection:
        autocommit = connection.execution_options(isolation_level="AUTOCOMMIT")
        if connection.dialect.name == "postgresql":
            return _vacuum_server(autocommit)
        page_size, pages, free_pages = (
            autocommit.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("page_size", "page_count", "freelist_count")
        )
        _check_space(database.path, page_size * (pages - free_pages), free_bytes)
        autocommit.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        before = database.path.stat().st_size
        autocommit.execute(text("VACUUM"))
        autocommit.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return before, database.path.stat().st_size


def _check_space(path: Path, size_bytes: int, free_bytes: Callable[[Path], int]) -> None:
    """SQLite copies the content to a temporary file, and from there to its write-ahead log."""
    folder, temporary = path.parent.absolute(), _temporary_folder()
    is_same_disk = folder.stat().st_dev == temporary.stat().st_dev
    for place, hint in (
        (folder, "free some space there"),
        (temporary, "free some space there, or set SQLITE_TMPDIR to a folder with more"),
    ):
        needed, free = size_bytes * (1 + is_same_disk), free_bytes(place)
        if free < needed:
            raise StorageError(
                f"vacuum needs {megabytes(needed)} in {place} for a while, where "
                f"{megabytes(free)} are free: {hint}; nothing was changed"
            )


def _vacuum_server(connection: Connection) -> tuple[int, int]:
    """PostgreSQL needs space on the server's disk, which it does not report."""
    size = text("SELECT pg_database_size(current_database())")
    before = connection.execute(size).scalar_one()
    connection.execute(text("VACUUM (FULL, ANALYZE)"))
    return before, connection.execute(size).scalar_one()


def megabytes(size_bytes: int) -> str:
    """A size for messages."""
    return f"{size_bytes / 1_000_000:,.1f} MB"


def _temporary_folder() -> Path:
    configured = (os.environ.get(name) for name in ("SQLITE_TMPDIR", "TMPDIR"))
    for name in (*configured, *_TEMPORARY_FOLDERS):
        if name and Path(name).is_dir() and os.access(name, os.W_OK | os.X_OK):
            return Path(name)
    return Path.cwd()
