"""Files that are whole or not there: nobody ever reads half of one."""

import contextlib
import os
import tempfile
from pathlib import Path

LEFTOVERS = ".tmp-*"  # of a process that was killed


def replace_file(path: Path, data: bytes, mode: int, *, sync_name: bool = True) -> None:
    """Make ``path`` hold ``data``, with the permissions ``mode``. Raises OSError.

    Who replaces many files syncs their names together, with ``sync_name=False`` and `sync_folder`.
    Assumes a local POSIX file system: a rename within a folder is atomic.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=LEFTOVERS.rstrip("*"), dir=path.parent)
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


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder outlive a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
