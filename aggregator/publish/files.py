"""Output files: whole or not at all, and untouched where nothing changed."""

import tempfile
from pathlib import Path

from aggregator.atomic import LEFTOVERS, replace_file
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
            for leftover in folder.glob(LEFTOVERS):
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
            replace_file(path, data, 0o644)
        except OSError as error:
            raise PublishError(f"{path}: {error.strerror or error}") from error
        return True
