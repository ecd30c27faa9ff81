"""Opens the database: a SQLite file, or PostgreSQL for several machines."""

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
    # A server without power sends nothing. After a minute of silence it counts as lost.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# The server must release our locks as soon when our machine loses power. By default it waits for two
# hours. Unix sockets ignore these settings.
_SET_KEEPALIVES = "; ".join(
    f"SET {name} = {value}"
    for name, value in {
        "tcp_keepalives_idle": CONNECTION["keepalives_idle"],
        "tcp_keepalives_interval": CONNECTION["keepalives_interval"],
        "tcp_keepalives_count": CONNECTION["keepalives_count"],
        "tcp_user_timeout": CONNECTION["tcp_user_timeout"],
    }.items()
)


def is_postgresql(url: str) -> bool:
    """Whether ``[store] url`` is a PostgreSQL database."""
    return url.startswith(_POSTGRESQL)


def database_path(url: str, root: Path) -> Path:
    """The file of ``sqlite:///PATH``; relative paths start at the project folder."""
    return root / url.removeprefix("sqlite:///")


def is_missing(url: str, root: Path) -> bool:
    """Whether the database is a file that does not exist."""
    return not is_postgresql(url) and not database_path(url, root).exists()


def database_name(url: str, root: Path) -> str:
    """The database in messages, without a password."""
    if not is_postgresql(url):
        return str(database_path(url, root))
    from sqlalchemy import make_url

    parts = make_url(url)
    return f"postgresql://{parts.host or 'localhost'}/{parts.database or ''}"


def database_message(error: Exception) -> str:
    """The message of a database or its driver, on one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def advice(reason: str) -> str:
    """What to do about ``reason``, a message of the server or of psycopg."""
    for pattern, todo in _ADVICE.items():
        if re.search(pattern, reason):
            return todo
    return "try again when the server is back; stored data is kept"


_ADVICE = {
    "authentication failed|no password supplied": "correct the user and password in [store] url",
    'role ".*" does not exist': "create it (createuser), or correct [store] url",
    'database ".*" does not exist': "create it (createdb), or correct [store] url",
    "failed to resolve host": "correct the host in [store] url, or check the network",
}


def conninfo(url: str) -> str:
    """``[store] url`` as PostgreSQL's own programs and psycopg expect it."""
    return "postgresql://" + url.removeprefix(_POSTGRESQL)


LOCK_TIMEOUT_SECONDS = 30  # while another process writes to the file
RETRY_SECONDS = 0.02
_NEVER_CREATE = {"mode": "rw", "uri": "true"}


def open_engine(url: str, root: Path) -> Engine:
    """An engine for the database. Creates the folder of a file. Raises StorageError."""
    # The pool raises what it logs with a traceback, and a SIGTERM there is no error.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    if is_postgresql(url):
        return _open_server(url)
    path = database_path(url, root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{path.parent}: {error.strerror}") from error
    prepare(path)
    # The file exists now. SQLite must not create it if somebody removes it while we use it.
    address = URL.create("sqlite", database=path.absolute().as_uri(), query=_NEVER_CREATE)
    engine = create_engine(address, connect_args={"timeout": LOCK_TIMEOUT_SECONDS})

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        # With a write-ahead log, status and explain can read while a run writes. After a power cut
        # the last transactions may be missing, but never half stored: the next run repeats them.
        _enable_wal(connection)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


def _enable_wal(connection: Any) -> None:
    """Start a write-ahead log, which a new file or a restored backup does not have yet.

    If another process uses the file, SQLite refuses at once: its timeout does not apply here.
    """
    deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)


def _open_server(url: str) -> Engine:
    """Connections are made on demand.

    After a restart of the server, one transaction fails and is repeated; then all connections are new.
    """
    try:
        engine = create_engine(url, connect_args=dict(CONNECTION), pool_recycle=3600)
    except ModuleNotFoundError as error:
        raise StorageError(not_installed(str(error.name), "postgres")) from error

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.autocommit = True  # a rollback of the first transaction would undo it
        connection.execute(_SET_KEEPALIVES)
        connection.autocommit = False

    return engine
