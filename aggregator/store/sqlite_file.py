"""The SQLite file: created atomically, checked before it is opened, with advice when it fails."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from aggregator.errors import StorageError
from aggregator.files.atomic import create_locked_temporary, os_error_message

MAGIC = b"SQLite format 3\x00"
_READ_WRITE = "let this user read and write it and its folder"
_ADVICE = {  # by the message of SQLite
    "disk is full": "free some space there; nothing is lost, the next run continues",
    "disk I/O error": "free some space there if the disk is full, or repair it; stored data is kept",
    "readonly": _READ_WRITE,
    "unable to open": _READ_WRITE,
    "locked": "another program writes to it: try again when that has finished",
}


def prepare(path: Path) -> None:
    """Create the file of a new database, or check that an existing one is not truncated.

    A new file appears complete. SQLite takes an empty file for a new database, so a truncated one
    would silently start again without data. Raises StorageError.
    """
    try:
        log = path.with_name(f"{path.name}-wal")
        if not path.exists() and log.exists() and log.stat().st_size:
            raise StorageError(
                f"{path}: the database is missing, but its write-ahead log ({log.name}) exists: put the "
                "database back beside it, or remove the log too, which may contain the newest entries"
            )
        if not path.exists():
            _create(path)
        elif path.is_file() and not path.stat().st_size:
            raise StorageError(
                f"{path}: the file is empty (0 bytes), so it was truncated; "
                f"{advice(path, '')}, or remove the file to start without data"
            )
        elif _lost_its_log(path) and (trouble := find_damage(path)):
            raise StorageError(
                f"{path}: its write-ahead log is missing ({trouble}); {advice(path, '')}"
            )
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}; {advice(path, str(error))}") from error
    except OSError as error:
        raise StorageError(f"{path}: cannot be created: {os_error_message(error)}") from error


def advice(path: Path, reason: str) -> str:
    """What to do about ``reason``, a message of SQLite. Names the newest backup beside the file."""
    if todo := remedy(reason):
        return todo
    backups = sorted(path.parent.glob(f"{path.stem}-[0-9]*{path.suffix}"))
    newest = backups[-1] if backups else "FILE"
    return f'the file was not changed; if it is damaged, "aggregator restore {newest}" restores a backup'


def remedy(reason: str) -> str | None:
    """What to do about ``reason``, if it does not mean damage."""
    return next((todo for part, todo in _ADVICE.items() if part in reason), None)


def find_damage(path: Path, *, thorough: bool = False) -> str | None:
    """The damage that SQLite finds in a file, which is only read; None if there is none."""
    check = "integrity_check(1)" if thorough else "quick_check(1)"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            ((report,),) = database.execute(f"PRAGMA {check}")
    except (sqlite3.Error, ValueError) as error:  # damaged text may not be UTF-8
        return str(error)
    return None if report == "ok" else " ".join(str(report).split())


def _create(path: Path) -> None:
    temporary, descriptor = create_locked_temporary(path)
    try:
        with closing(sqlite3.connect(temporary)) as new:
            new.execute("PRAGMA user_version = 1")  # writes the first page
        temporary.chmod(0o644)
        # Unlike a rename, a link never replaces a file that another process has just created.
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)


def _lost_its_log(path: Path) -> bool:
    """Whether only the index of the log exists. SQLite creates and removes both together."""
    log, index = (path.with_name(f"{path.name}-{suffix}") for suffix in ("wal", "shm"))
    return index.exists() and not log.exists()
