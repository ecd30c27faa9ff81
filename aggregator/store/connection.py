"""The open database. Every query uses one of its transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from aggregator.errors import StorageError
from aggregator.store import engine, sqlite_file
from aggregator.store.engine import database_name, database_path, is_postgresql, open_engine
from aggregator.store.migrate import upgrade


class Database:
    """The database of ``[store] url``."""

    def __init__(self, url: str, root: Path) -> None:
        """Open, or create, the database; relative paths start at the project folder ``root``.

        Raises StorageError if it cannot be opened, is damaged, or is of a later version.
        """
        self.name = database_name(url, root)
        if not is_postgresql(url):
            self.path = database_path(url, root)
        self.engine = open_engine(url, root)
        self._file_id = self._current_file_id()
        try:
            with self.guard(), self.engine.begin() as connection:
                upgrade(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections; SQLite merges its write-ahead log into the file."""
        self.engine.dispose()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Errors of the database become a StorageError that names it and says what to do."""
        try:
            yield
        except StorageError as error:
            raise StorageError(f"{self.name}: {error}") from error
        # ValueError: a column contains no valid time, JSON or UTF-8, so the file is damaged.
        except (SQLAlchemyError, OSError, ValueError) as error:
            message = engine.database_message(error)
            raise StorageError(f"{self.name}: {message}; {self._advice(message)}") from error

    def _advice(self, message: str) -> str:
        if self.engine.dialect.name == "postgresql":
            return engine.advice(message)
        return sqlite_file.advice(self.path, message)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for reading."""
        with self.guard(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: all of it is stored, or nothing."""
        with self.guard(), self.engine.begin() as connection:
            yield connection
            if self._current_file_id() != self._file_id:
                raise StorageError(
                    "the file was removed or replaced while this command ran, so its last changes "
                    "are not stored: run it again"
                )

    def _current_file_id(self) -> tuple[int, int] | None:
        """Device and inode of the database file; None if there is none."""
        if self.engine.dialect.name == "postgresql":
            return None
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino
