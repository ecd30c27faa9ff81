"""The SQLite file itself: made whole, looked at before it is opened, and what to do if it fails."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from aggregator.errors import StorageError
from aggregator.files.atomic import create_locked_temporary, os_error_message

MAGIC = b"SQLite format 3\x00"
_READ_WRITE = "let this user read and write it and its folder"
_ADVICE = {  # by what SQLite says
    "disk is full": "make room there; what was stored stays, and the next run goes on from there",
    "disk I/O error": "make room there, if the disk is full, or mend it; what was stored stays",
    "readonly": _READ_WRITE,
    "unable to open": _READ_WRITE,
    "locked": "another program writes to it: run again when that has ended",
}


def prepare(path: Path) -> None:
    """Make the file of a new database, or see that an old one is none that was cut off.

    A new one appears whole, or SQLite would take one of no bytes for new: what had been truncated
    would be begun anew, and nobody told. Raises StorageError.
    """
    try:
        log = path.with_name(f"{path.name}-wal")
        if not path.exists() and log.exists() and log.stat().st_size:
            raise StorageError(
                f"{path}: there is no database, but its write-ahead log ({log.name}) is there: put the "
                "database back beside it, or take the log away as well, which may hold the newest entries"
            )
        if not path.exists():
            _make(path)
        elif path.is_file() and not path.stat().st_size:
            raise StorageError(
                f"{path}: it is empty (0 bytes), which no database of ours ever is; "
                f"{advice(path, '')}, or remove the file to begin anew"
            )
        elif _has_lost_its_log(path) and (trouble := find_damage(path)):
            raise StorageError(
                f"{path}: its write-ahead log is gone ({trouble}); {advice(path, '')}"
            )
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}; {advice(path, str(error))}") from error
    except OSError as error:
        raise StorageError(f"{path}: it cannot be made: {os_error_message(error)}") from error


def advice(path: Path, reason: str) -> str:
    """What to do about ``reason``, which SQLite gives; names the newest backup that stands beside."""
    if todo := remedy(reason):
        return todo
    backups = sorted(path.parent.glob(f"{path.stem}-[0-9]*{path.suffix}"))
    newest = backups[-1] if backups else "FILE"
    return f'the file is left as it is; if it is damaged, "aggregator restore {newest}" puts a backup in its place'


def remedy(reason: str) -> str | None:
    """What to do about ``reason``, where that is no damage."""
    return next((todo for part, todo in _ADVICE.items() if part in reason), None)


def find_damage(path: Path, *, thorough: bool = False) -> str | None:
    """What SQLite finds wrong with a file, which is only read; None if nothing is."""
    check = "integrity_check(1)" if thorough else "quick_check(1)"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            ((found,),) = database.execute(f"PRAGMA {check}")
    except (sqlite3.Error, ValueError) as error:  # what is damaged may be no text
        return str(error)
    return None if found == "ok" else " ".join(str(found).split())


def _make(path: Path) -> None:
    temporary, held = create_locked_temporary(path)
    try:
        with closing(sqlite3.connect(temporary)) as new:
            new.execute("PRAGMA user_version = 1")  # writes the first page
        temporary.chmod(0o644)
        # Unlike a rename, a link never takes the place of a file that somebody else just made.
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(held)


def _has_lost_its_log(path: Path) -> bool:
    """SQLite makes and takes away both together: the index of a log that is not there means that
    somebody else took the log."""
    log, index = (path.with_name(f"{path.name}-{end}") for end in ("wal", "shm"))
    return index.exists() and not log.exists()
