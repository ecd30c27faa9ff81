"""Files that are whole or not there: nobody ever reads half of one."""

import contextlib
import os
import tempfile
from pathlib import Path

LEFTOVERS = ".tmp-*"  # of a process that was killed


def replace_file(path: Path, data: bytes, mode: int) -> None:
    """Make ``path`` hold ``data``, with the permissions ``mode``. Raises OSError.

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
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name outlives a power cut
    finally:
        os.close(folder)
