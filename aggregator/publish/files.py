"""Output files: whole or not at all, and untouched where nothing changed."""

import os
import shutil
import tempfile
from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import Path

from aggregator.atomic import LEFTOVERS, replace_file, sync_folder
from aggregator.errors import PublishError

_EXTENSIONS = {"gzip": ".gz", "br": ".br"}


class OutputFolder:
    """The folder that a web server serves. Readers never see half a file.

    Each file has a sibling in each of ``codings`` ("gzip", "br"), for servers that hand those out.
    Assumes a local POSIX file system: a rename within the folder is atomic.
    """

    def __init__(self, folder: Path, codings: tuple[str, ...] = ()) -> None:
        """Create the folder if need be. Raises PublishError if it cannot be written."""
        self._folder = folder
        self._codings = codings
        self._touched: set[Path] = set()
        self.written_bytes = 0
        self._ends = [_EXTENSIONS[coding] for coding in codings]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
            # Once for all: there may be tens of thousands.
            found: set[str] = set()
            for where, _, names in os.walk(folder):
                inside = os.path.relpath(where, folder).removeprefix(".")
                for name in names:
                    if fnmatch(name, LEFTOVERS):
                        Path(where, name).unlink(missing_ok=True)
                    else:
                        found.add(f"{inside}/{name}" if inside else name)
            self._found = found
        except OSError as error:
            raise PublishError(f"{folder}: {error.strerror or error}") from error

    def has(self, name: str) -> bool:
        """Whether there was a file ``name`` when we came, or since, with all of its siblings."""
        return all(f"{name}{end}" in self._found for end in ("", *self._ends))

    def differs(self, name: str, data: bytes) -> bool:
        """Whether the file ``name`` is absent or holds something else than ``data``."""
        path = self._folder / name
        try:
            return not (path.is_file() and path.read_bytes() == data)
        except OSError as error:
            raise PublishError(f"{path}: {error.strerror or error}") from error

    def write(self, name: str, data: bytes) -> bool:
        """Make the file ``name`` hold ``data``; gives whether it had to be written."""
        path = self._folder / name
        try:
            differs = self.differs(name, data)
            if differs:
                path.parent.mkdir(exist_ok=True)
            for coding in _EXTENSIONS:
                sibling = _sibling(path, coding)
                if coding not in self._codings:
                    if differs:
                        sibling.unlink(missing_ok=True)  # of the time when they were wanted
                elif differs or not sibling.is_file():
                    from aggregator.encodings import compress

                    self._replace(sibling, compress(data, coding))
            if differs:
                self._replace(path, data)
        except OSError as error:
            raise PublishError(f"{path}: {error.strerror or error}") from error
        self._found.update(f"{name}{end}" for end in ("", *self._ends))
        return differs

    def _replace(self, path: Path, data: bytes) -> None:
        replace_file(path, data, 0o644, sync_name=False)
        self.written_bytes += len(data)
        self._touched.add(path.parent)

    def sync(self) -> None:
        """See to it that what was written outlives a power cut. Raises PublishError."""
        for folder in sorted(self._touched):
            try:
                sync_folder(folder)
            except OSError as error:
                raise PublishError(f"{folder}: {error.strerror or error}") from error
        self._touched.clear()

    def keep_only(self, folder: str, names: Collection[str]) -> list[str]:
        """Take away the pages of a folder that are not among ``names``; gives which."""
        others = pages_beside(self._folder, folder, names)
        for path in (self._folder / name for name in others):
            for file in (path, *(_sibling(path, coding) for coding in _EXTENSIONS)):
                file.unlink(missing_ok=True)
        return others

    def remove(self, slug: str) -> None:
        """Take away every file of the output feed with this slug, its archive included."""
        try:
            for extension in (".atom", ".json", ".html"):
                path = self._folder / f"{slug}{extension}"
                for file in (path, *(_sibling(path, coding) for coding in _EXTENSIONS)):
                    file.unlink(missing_ok=True)
        except OSError as error:
            raise PublishError(f"{self._folder / slug}: {error.strerror or error}") from error
        self.remove_archive(slug)

    def remove_archive(self, slug: str) -> bool:
        """Take away the archive of the output feed with this slug; gives whether it had one."""
        folder = self._folder / slug
        try:
            if not folder.is_dir():
                return False
            shutil.rmtree(folder)
        except OSError as error:
            raise PublishError(f"{folder}: {error.strerror or error}") from error
        return True


def pages_beside(outputs: Path, folder: str, names: Collection[str]) -> list[str]:
    """The pages in a folder of the outputs that are not among ``names``."""
    found = (f"{folder}/{path.name}" for path in sorted((outputs / folder).glob("*.html")))
    return [name for name in found if name not in names]


def _sibling(path: Path, coding: str) -> Path:
    return path.with_name(path.name + _EXTENSIONS[coding])
