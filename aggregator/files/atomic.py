"""Files that are whole or not there: nobody ever reads half of one."""

import contextlib
import errno
import fcntl
import glob
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

TEMPORARY_PATTERN = ".tmp-*"  # of a process that was killed
_NAMED = 40  # characters of a file's name that are in its temporary one: there is a longest


_TODO = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there",
    errno.EACCES: "let this user write there",
    errno.EPERM: "let this user write there",
    errno.EROFS: "let this user write there",
    errno.EISDIR: "take away what has its name",
    errno.ENOTDIR: "take away what has its name",
    errno.EEXIST: "take away what has its name",
    errno.ENOTEMPTY: "take away what has its name",
    errno.EIO: "see to that disk",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ENOSYS: "put it on a local disk",  # some file systems of networks have no locks
    errno.ENOLCK: "put it on a local disk",
}


def os_error_message(error: OSError) -> str:
    """What happened to a file, and what to do about it."""
    todo = _TODO.get(error.errno or 0)
    return f"{error.strerror or error}" + (f" ({todo})" if todo else "")


def write_atomically(path: Path, data: bytes, mode: int, *, sync_name: bool = True) -> None:
    """Make ``path`` hold ``data``, with the permissions ``mode``. Raises OSError.

    Who replaces many files syncs their names together, with ``sync_name=False`` and `sync_folder`.
    Assumes a local POSIX file system: a rename within a folder is atomic.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=temporary_prefix(path), dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)  # mkstemp's 0600 would hide it from others
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink(missing_ok=True)
        raise
    if sync_name:
        sync_folder(path.parent)


def temporary_prefix(path: Path) -> str:
    """How files are called that are to become ``path``."""
    return f"{TEMPORARY_PATTERN.rstrip('*')}{path.name[:_NAMED]}-"


def create_locked_temporary(path: Path) -> tuple[Path, int]:
    """A new file that is to become ``path``, and its descriptor: while that is open, no `sweep` of
    another process takes the file for what a killed one has left. Raises OSError."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=temporary_prefix(path), dir=path.parent)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return Path(name), descriptor
        os.close(descriptor)  # swept before it was held


def sweep(path: Path) -> None:
    """Take away what was to become ``path`` when its writer was killed. Raises OSError.

    For who is the only writer, or where all others hold what they write.
    """
    for left in path.parent.glob(f"{glob.escape(temporary_prefix(path))}*"):
        if not _is_held(left.with_name(_BESIDE.sub("", left.name))):
            left.unlink(missing_ok=True)


_BESIDE = re.compile("-(journal|wal|shm)$")  # what SQLite makes beside a file, which goes with that


def _is_held(path: Path) -> bool:
    """Whether it was made by `create_locked_temporary`, and its writer lives."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:  # another user's, of whom nobody can tell
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Of those who do this with one folder, one goes on, and the others wait. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder outlive a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
