"""Opening the SQLite file."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlmodel import create_engine

from aggregator.errors import StorageError


def database_path(url: str, root: Path) -> Path:
    """The file that ``sqlite:///PATH`` names; relative paths start at the project folder."""
    return root / url.removeprefix("sqlite:///")


def open_engine(path: Path) -> Engine:
    """An engine for the file, whose folder is made if need be. Raises StorageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path.parent}: {error.strerror}") from error
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        # Readers (status, explain) go on while a run writes. After a power cut the last
        # transactions may be missing, never half there: the next run fetches them again.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine
