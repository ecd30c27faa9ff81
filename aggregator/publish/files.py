"""Output files: whole or not at all, and untouched where nothing changed."""

import contextlib
import os
import tempfile
from pathlib import Path

from aggregator.errors import PublishError


class OutputFolder:
    """The folder that a web server serves. Readers never see half a file.

    Assumes a local POSIX file system: a rename within the folder is atomic.
    """

    def __init__(self, folder: Path) -> None:
        """Create the folder if need be. Raises PublishError if it cannot be written."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for leftover in folder.glob(".tmp-*"):  # of a run that was killed
                leftover.unlink(missing_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise PublishError(f"{folder}: {error.strerror or error}") from error

    def write(self, name: str, data: bytes) -> bool:
        """Make the file ``name`` hold ``data``; gives whether it had to be written."""
        path = self._folder / name
        try:
            if path.is_file() and path.read_bytes() == data:
                return False
            self._replace(path, data)
        except OSError as error:
            raise PublishError(f"{path}: {error.strerror or error}") from error
        return True

    def _replace(self, path: Path, data: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(prefix=".tmp-", dir=self._folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)  # mkstemp's 0600 would hide it from the web server
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
            raise
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name outlives a power cut
        finally:
            os.close(folder)
