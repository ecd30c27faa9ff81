"""Copies of the database: made while runs are at work, verified, and put back in its place."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aggregator.errors import StorageError
from aggregator.files.atomic import create_locked_temporary, os_error_message, sweep, sync_folder
from aggregator.store.engine import database_path, is_postgresql
from aggregator.store.migrate import HEAD
from aggregator.store.sqlite_file import MAGIC, find_damage, remedy

_LOGS = ("-wal", "-shm")  # what stands beside a file that is in use


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that was verified: where it is, what it holds, and, of a restored one, where the file
    is that stood there before."""

    file: Path
    size_bytes: int
    entries: int
    schema: str
    aside: Path | None = None


def default_backup(url: str, root: Path, now: datetime) -> Path:
    """A file beside the database, called after it and the time."""
    path = _file_of(url, root)
    return path.with_name(f"{path.stem}-{now:%Y%m%dT%H%M%SZ}{path.suffix}")


def back_up(url: str, root: Path, target: Path) -> Copied:
    """Copy the database of ``[store] url`` to ``target``, whole or not at all.

    A run may be at work: what it has stored until now is copied. Raises StorageError, and leaves a
    backup that is there as it is, if the database is damaged.
    """
    path = _file_of(url, root)
    _must_exist(path)
    with _words(target):
        if target.exists() and (target.samefile(path) or not _is_sqlite(target)):
            raise StorageError(
                f"{target}: it is there and is no backup, so it is left as it is: name another file"
            )
        sweep(target)
    with _verified_copy(path, target) as (temporary, told), _words(target):
        temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(target)
        sync_folder(target.parent)
    return told


def restore(url: str, root: Path, source: Path, now: datetime) -> Copied:
    """Put a copy of ``source`` in the place of the database, which is kept beside it.

    For who holds the run lock. Raises StorageError, and changes nothing, if ``source`` is damaged,
    is no database of ours, or is one of a later version.
    """
    path = _file_of(url, root)
    _must_exist(source)
    with _words(path):
        if path.exists() and path.samefile(source):
            raise StorageError(f"{source}: it is the database itself: name a backup of it")
        path.parent.mkdir(parents=True, exist_ok=True)
    with _verified_copy(source, path) as (temporary, told), _words(path):
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        aside = _keep_aside(path, now) if path.exists() else None
        temporary.replace(path)
        sync_folder(path.parent)
    return Copied(told.file, told.size_bytes, told.entries, told.schema, aside)


def _keep_aside(path: Path, now: datetime) -> Path:
    """Give the old file another name, beside its own: there is a database at any time.

    Its log goes with it: SQLite would read it into whatever file stands there.
    """
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(path)) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # unless it is damaged, it needs none then
    aside = path.with_name(f"{path.name}.old-{now:%Y%m%dT%H%M%SZ}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.old-{now:%Y%m%dT%H%M%SZ}-{number}")
    os.link(path, aside)
    for end in _LOGS:
        log = path.with_name(path.name + end)
        if log.exists():
            log.replace(aside.with_name(aside.name + end))
    return aside


@contextlib.contextmanager
def _verified_copy(source: Path, target: Path) -> Iterator[tuple[Path, Copied]]:
    """A copy beside ``target``, in one file, synced; gone at the end unless it was renamed."""
    with _words(target):
        temporary, held = create_locked_temporary(target)
    try:
        try:
            with (
                closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as old,
                closing(sqlite3.connect(temporary)) as new,
            ):
                old.backup(new)
                new.execute("PRAGMA journal_mode=DELETE")  # one file, that can be carried away
        except (sqlite3.Error, ValueError) as error:  # names of tables may be no text
            raise StorageError(
                f"{source}, copied to {target}: {error} ({remedy(str(error)) or 'it is damaged'}); "
                "nothing was changed"
            ) from error
        if trouble := find_damage(temporary, thorough=True):
            raise StorageError(f"{source}: it is damaged ({trouble}); nothing was changed")
        told = _look_into(temporary, source, target)
        with _words(target):
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            yield temporary, told
    finally:
        for end in ("", "-journal", *_LOGS):
            temporary.with_name(temporary.name + end).unlink(missing_ok=True)
        os.close(held)  # not before: SQLite's own locks on a file go with any descriptor of it


def _look_into(copy: Path, source: Path, target: Path) -> Copied:
    try:
        with closing(sqlite3.connect(copy)) as database:
            ((schema,),) = database.execute("SELECT version_num FROM alembic_version")
            ((entries,),) = database.execute("SELECT count(*) FROM entry")
    except (sqlite3.Error, ValueError):
        raise StorageError(
            f"{source}: it is a database, but none of aggregator; nothing was changed"
        ) from None
    if schema > HEAD:
        raise StorageError(
            f"{source}: its schema ({schema}) is newer than this program's ({HEAD}): update "
            "aggregator; nothing was changed"
        )
    return Copied(target, copy.stat().st_size, entries, schema)


def _file_of(url: str, root: Path) -> Path:
    if is_postgresql(url):
        raise StorageError(
            "[store] url names a PostgreSQL database: pg_dump and pg_restore make copies of it"
        )
    return database_path(url, root)


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise StorageError(f"{path}: there is no such file: name another")


def _is_sqlite(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


@contextlib.contextmanager
def _words(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: {os_error_message(error)}; nothing was changed") from error
