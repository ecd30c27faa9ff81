"""Backup and restore of the SQLite database. A backup may be made during a run."""

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

_LOGS = ("-wal", "-shm")  # files beside a database that is in use


@dataclass(frozen=True, slots=True)
class DatabaseCopy:
    """A verified copy. ``aside``: where `restore` put the database that it replaced."""

    file: Path
    size_bytes: int
    entries: int
    schema: str
    aside: Path | None = None


def default_backup(url: str, root: Path, now: datetime) -> Path:
    """A file beside the database, named after it and the time."""
    path = _file_of(url, root)
    return path.with_name(f"{path.stem}-{now:%Y%m%dT%H%M%SZ}{path.suffix}")


def back_up(url: str, root: Path, target: Path) -> DatabaseCopy:
    """Copy the database of ``[store] url`` to ``target``, whole or not at all.

    During a run, the copy has the transactions that are complete. Raises StorageError if the
    database is damaged; then an older backup at ``target`` is kept.
    """
    path = _file_of(url, root)
    _must_exist(path)
    with _storage_errors(target):
        if target.exists() and (target.samefile(path) or not _is_sqlite(target)):
            raise StorageError(
                f"{target}: the file exists and is not a backup; nothing was changed: name another file"
            )
        sweep(target)
    with _verified_copy(path, target) as (temporary, copy), _storage_errors(target):
        temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(target)
        sync_folder(target.parent)
    return copy


def restore(url: str, root: Path, source: Path, now: datetime) -> DatabaseCopy:
    """Replace the database by a copy of ``source``; keep the old one beside it.

    The caller holds the run lock. Raises StorageError, and changes nothing, if ``source`` is
    damaged, is not a database of aggregator, or is from a later version.
    """
    path = _file_of(url, root)
    _must_exist(source)
    with _storage_errors(path):
        if path.exists() and path.samefile(source):
            raise StorageError(f"{source}: this is the database itself: name a backup")
        path.parent.mkdir(parents=True, exist_ok=True)
    with _verified_copy(source, path) as (temporary, copy), _storage_errors(path):
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        previous = _keep_previous(path, now) if path.exists() else None
        temporary.replace(path)
        sync_folder(path.parent)
    return DatabaseCopy(copy.file, copy.size_bytes, copy.entries, copy.schema, previous)


def _keep_previous(path: Path, now: datetime) -> Path:
    """Give the old file a second name, so that there is a database at any time.

    Move its log too: SQLite would apply the log to the new database.
    """
    with contextlib.suppress(sqlite3.Error), closing(sqlite3.connect(path)) as old:
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # an undamaged one needs no log then
    previous = path.with_name(f"{path.name}.old-{now:%Y%m%dT%H%M%SZ}")
    number = 1
    while previous.exists():
        number += 1
        previous = path.with_name(f"{path.name}.old-{now:%Y%m%dT%H%M%SZ}-{number}")
    os.link(path, previous)
    for end in _LOGS:
        log = path.with_name(path.name + end)
        if log.exists():
            log.replace(previous.with_name(previous.name + end))
    return previous


@contextlib.contextmanager
def _verified_copy(source: Path, target: Path) -> Iterator[tuple[Path, DatabaseCopy]]:
    """A copy beside ``target``, in one file, synced; removed at the end unless it was renamed."""
    with _storage_errors(target):
        temporary, descriptor = create_locked_temporary(target)
    try:
        try:
            with (
                closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as old,
                closing(sqlite3.connect(temporary)) as new,
            ):
                old.backup(new)
                new.execute("PRAGMA journal_mode=DELETE")  # one file, which can be copied
        except (sqlite3.Error, ValueError) as error:  # names of tables may not be UTF-8
            raise StorageError(
                f"{source}, copied to {target}: {error} ({remedy(str(error)) or 'it is damaged'}); "
                "nothing was changed"
            ) from error
        if trouble := find_damage(temporary, thorough=True):
            raise StorageError(f"{source} is damaged ({trouble}); nothing was changed")
        copy = _inspect(temporary, source, target)
        with _storage_errors(target):
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            yield temporary, copy
    finally:
        for end in ("", "-journal", *_LOGS):
            temporary.with_name(temporary.name + end).unlink(missing_ok=True)
        os.close(descriptor)  # last: closing any descriptor of a file drops SQLite's locks on it


def _inspect(file: Path, source: Path, target: Path) -> DatabaseCopy:
    try:
        with closing(sqlite3.connect(file)) as database:
            ((schema,),) = database.execute("SELECT version_num FROM alembic_version")
            ((entries,),) = database.execute("SELECT count(*) FROM entry")
    except (sqlite3.Error, ValueError):
        raise StorageError(
            f"{source} is a database, but not one of aggregator; nothing was changed"
        ) from None
    if schema > HEAD:
        raise StorageError(
            f"{source}: its schema ({schema}) is newer than this program's ({HEAD}): update "
            "aggregator; nothing was changed"
        )
    return DatabaseCopy(target, file.stat().st_size, entries, schema)


def _file_of(url: str, root: Path) -> Path:
    if is_postgresql(url):
        raise StorageError(
            "[store] url names a PostgreSQL database: pg_dump and pg_restore make copies of it"
        )
    return database_path(url, root)


def _must_exist(path: Path) -> None:
    if not path.is_file():
        raise StorageError(f"{path}: no such file: name another")


def _is_sqlite(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path}: {os_error_message(error)}; nothing was changed") from error
