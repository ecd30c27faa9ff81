"""One run at a time. The kernel releases the lock when its process ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aggregator.errors import LockedError, StorageError
from aggregator.files.atomic import os_error_message, sweep


@contextmanager
def run_lock(database: Path) -> Iterator[None]:
    """Lock this installation with a file beside its database, and sweep the database's leftovers.

    Raises LockedError at once if another run has the lock, StorageError if there can be none.
    """
    path = database.with_name(f"{database.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        raise StorageError(f"{path}: {os_error_message(error)}") from error
    try:
        _lock(descriptor, path)
        with suppress(OSError):
            sweep(database)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # some network file systems say EACCES
        raise LockedError(f"another run holds {path}") from None
    except OSError as error:
        raise StorageError(f"{path}: {os_error_message(error)}") from error
