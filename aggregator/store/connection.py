"""The open database: what every query goes through."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from aggregator.errors import StorageError
from aggregator.store import engine, sqlite_file
from aggregator.store.engine import database_name, database_path, is_postgresql, open_engine
from aggregator.store.migrate import upgrade


class Database:
    """A context for transactions on the database of ``[store] url``."""

    def __init__(self, url: str, root: Path) -> None:
        """Open, or create, the database of ``[store] url`` in the project folder ``root``.

        Raises StorageError if it cannot be opened, is damaged, or is of a later version.
        """
        self.name = database_name(url, root)
        if not is_postgresql(url):
            self.path = database_path(url, root)
        self.engine = open_engine(url, root)
        self._file = self._its_file()
        try:
            with self.guard(), self.engine.begin() as connection:
                upgrade(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the database back: a file has its write-ahead log merged into it."""
        self.engine.dispose()

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Errors of the database become a StorageError that names it and says what to do."""
        try:
            yield
        except StorageError as error:
            raise StorageError(f"{self.name}: {error}") from error
        # ValueError: what stands in a column is no time, no JSON or no UTF-8: the file is damaged.
        except (SQLAlchemyError, OSError, ValueError) as error:
            reason = engine.database_message(error)
            raise StorageError(f"{self.name}: {reason}; {self._advice(reason)}") from error

    def _advice(self, reason: str) -> str:
        if self.engine.dialect.name == "postgresql":
            return engine.advice(reason)
        return sqlite_file.advice(self.path, reason)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """One question, without the objects of a session."""
        with self.guard(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: all of it is stored, or nothing."""
        with self.guard(), Session(self.engine, expire_on_commit=False) as session:
            yield session
            if self._its_file() != self._file:
                raise StorageError(
                    "it was taken away, or another put in its place, while this command was at work; "
                    "what it was about to store is not stored: run again"
                )
            session.commit()

    def _its_file(self) -> tuple[int, int] | None:
        """Which file has the name of the database, if any has."""
        if self.engine.dialect.name == "postgresql":
            return None
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino
