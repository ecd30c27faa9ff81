"""One run at a time: a lock of the kernel's, gone when its holder is, however it ends."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from aggregator.errors import LockedError, StorageError
from aggregator.files.atomic import os_error_message, sweep


@contextmanager
def run_lock(database: Path) -> Iterator[None]:
    """Hold the lock of this installation, a file beside its database; what was to become the database
    when a process was killed is taken away.

    Raises LockedError at once if another run holds it.
    """
    path = database.with_name(database.name + ".lock")
    # A file in place of a lock of the kernel's would outlive who was killed, and keep all others away.
    lock = FileLock(path, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise LockedError(f"another run holds {path}") from None
    except OSError as error:
        raise StorageError(f"{path}: {os_error_message(error)}") from error
    try:
        with suppress(OSError):
            sweep(database)
        yield
    finally:
        lock.release()
