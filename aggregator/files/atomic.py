"""Atomic writes: a reader sees the old file or the new one, never a part of it."""

import contextlib
import errno
import fcntl
import glob
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

TEMPORARY_PATTERN = ".tmp-*"
MAX_PREFIX_CHARACTERS = 40  # of the final name: file systems limit the length of names
_SQLITE_SUFFIX = re.compile("-(journal|wal|shm)$")  # of files that SQLite keeps beside a database

_ADVICE = {
    "free some space there": (errno.ENOSPC, errno.EDQUOT),
    "let this user write there": (errno.EACCES, errno.EPERM, errno.EROFS),
    "remove what has its name": (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY),
    "check that disk": (errno.EIO,),
    "give it a shorter name": (errno.ENAMETOOLONG,),
    "put it on a local disk": (errno.ENOSYS, errno.ENOLCK),  # a network file system without locks
}


def os_error_message(error: OSError) -> str:
    """What happened to a file, and what to do about it."""
    message = error.strerror or str(error)
    for advice, numbers in _ADVICE.items():
        if error.errno in numbers:
            return f"{message} ({advice})"
    return message


def write_atomically(path: Path, data: bytes, mode: int, *, sync_name: bool = True) -> None:
    """Replace the content of ``path`` by ``data``, with the permissions ``mode``. Raises OSError.

    For many files in one folder, pass ``sync_name=False`` and call `sync_folder` once at the end.
    Assumes a POSIX file system, where a rename within a folder is atomic.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=temporary_prefix(path), dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)  # mkstemp creates it with 0600
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink(missing_ok=True)
        raise
    if sync_name:
        sync_folder(path.parent)


def temporary_prefix(path: Path) -> str:
    """The start of the names of temporary files for ``path``."""
    return f"{TEMPORARY_PATTERN.rstrip('*')}{path.name[:MAX_PREFIX_CHARACTERS]}-"


def create_locked_temporary(path: Path) -> tuple[Path, int]:
    """Create a temporary file for ``path``, and return it with its open descriptor. Raises OSError.

    While the descriptor is open, `sweep` in another process does not delete the file.
    """
    while True:
        descriptor, name = tempfile.mkstemp(prefix=temporary_prefix(path), dir=path.parent)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return Path(name), descriptor
        os.close(descriptor)  # it was swept before it was locked


def sweep(path: Path) -> None:
    """Delete the temporary files of ``path`` that a killed process left. Raises OSError.

    A file of `create_locked_temporary` stays while its writer lives. The caller must exclude any
    other writer of ``path``.
    """
    for leftover in path.parent.glob(f"{glob.escape(temporary_prefix(path))}*"):
        # A side file of SQLite has no lock of its own: its database has.
        if not _is_locked(leftover.with_name(_SQLITE_SUFFIX.sub("", leftover.name))):
            leftover.unlink(missing_ok=True)


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:  # another user's file: it may be locked
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False
    except OSError as error:  # any other error: a file system without locks
        return isinstance(error, BlockingIOError)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Wait until no other process has the lock of this folder, and hold it. Raises OSError."""
    with _open_folder(folder) as descriptor:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut. Raises OSError."""
    with _open_folder(folder) as descriptor:
        os.fsync(descriptor)


@contextlib.contextmanager
def _open_folder(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
