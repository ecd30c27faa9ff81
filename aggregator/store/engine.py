"""Opening the database: a SQLite file, or PostgreSQL where one machine is too small."""

import logging
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, event
from sqlmodel import create_engine

from aggregator.errors import StorageError, not_installed
from aggregator.store.sqlite_file import prepare

_POSTGRESQL = "postgresql+psycopg://"
CONNECTION = {
    "application_name": "aggregator",
    "connect_timeout": 10,
    # A server that has lost its power says nothing: a minute of silence, and it has gone.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# And where our machine has lost its power, the server is to give our locks to others as soon: of itself
# it waits for two hours. A socket of the file system takes no notice of this.
_WATCH_US = "; ".join(
    f"SET {name} = {value}"
    for name, value in {
        "tcp_keepalives_idle": CONNECTION["keepalives_idle"],
        "tcp_keepalives_interval": CONNECTION["keepalives_interval"],
        "tcp_keepalives_count": CONNECTION["keepalives_count"],
        "tcp_user_timeout": CONNECTION["tcp_user_timeout"],
    }.items()
)


def is_postgresql(url: str) -> bool:
    """Whether ``[store] url`` names a PostgreSQL database, and no file."""
    return url.startswith(_POSTGRESQL)


def database_path(url: str, root: Path) -> Path:
    """The file that ``sqlite:///PATH`` names; relative paths start at the project folder."""
    return root / url.removeprefix("sqlite:///")


def is_missing(url: str, root: Path) -> bool:
    """Whether the database is a file that is not there."""
    return not is_postgresql(url) and not database_path(url, root).exists()


def database_name(url: str, root: Path) -> str:
    """The database in messages, where a password has no place."""
    if not is_postgresql(url):
        return str(database_path(url, root))
    from sqlalchemy import make_url

    whole = make_url(url)
    return f"postgresql://{whole.host or 'localhost'}/{whole.database or ''}"


def database_message(error: Exception) -> str:
    """What a database or its driver said, on one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def advice(reason: str) -> str:
    """What to do where a server has not let us in; ``reason`` is what it, or psycopg, said."""
    for words, todo in _ADVICE.items():
        if re.search(words, reason):
            return todo
    return "ask again when the server is back: what was stored stays"


_ADVICE = {
    "authentication failed|no password supplied": "correct user and password in [store] url",
    'role ".*" does not exist': "make it (createuser), or correct [store] url",
    'database ".*" does not exist': "make it (createdb), or correct [store] url",
    "failed to resolve host": "correct the host in [store] url, or mend the network",
}


def conninfo(url: str) -> str:
    """``[store] url`` as PostgreSQL's own programs and psycopg want it."""
    return "postgresql://" + url.removeprefix(_POSTGRESQL)


_PATIENCE_SECONDS = 30  # with whoever writes to the file
_MOMENT_SECONDS = 0.02
_AS_IT_IS = {"mode": "rw", "uri": "true"}


def open_engine(url: str, root: Path) -> Engine:
    """An engine for the database; the folder of a file is made if need be. Raises StorageError."""
    # It raises what it logs, with a traceback; and SIGTERM at the wrong moment is no error.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    if is_postgresql(url):
        return _open_server(url)
    path = database_path(url, root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path.parent}: {error.strerror}") from error
    prepare(path)
    # It is there now: SQLite is not to make it, should somebody take it away while we are at work.
    where = URL.create("sqlite", database=path.absolute().as_uri(), query=_AS_IT_IS)
    engine = create_engine(where, connect_args={"timeout": _PATIENCE_SECONDS})

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        # Readers (status, explain) go on while a run writes. After a power cut the last
        # transactions may be missing, never half there: the next run fetches them again.
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def _write_ahead(connection: Any) -> None:
    """A file that was a backup, or is new, has no write-ahead log yet. Where another process is at work
    on it, SQLite refuses to begin one at once: for this alone it has no patience."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(_MOMENT_SECONDS)


def _open_server(url: str) -> Engine:
    """Connections are made when they are wanted. One that a restart of the server has cut fails the
    transaction that meets it, whose work is done again, and then all are made anew."""
    try:
        engine = create_engine(url, connect_args=dict(CONNECTION), pool_recycle=3600)
    except ModuleNotFoundError as error:
        raise StorageError(not_installed(str(error.name), "postgres")) from error

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.autocommit = True  # or it would be undone with the first transaction
        connection.execute(_WATCH_US)
        connection.autocommit = False

    return engine
