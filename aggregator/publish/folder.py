"""Output files: whole or not at all, and untouched where nothing changed."""

import os
import shutil
import tempfile
from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import Path

from aggregator.errors import PublishError
from aggregator.files.atomic import (
    TEMPORARY_PATTERN,
    os_error_message,
    sync_folder,
    write_atomically,
)

_ABANDONED_SECONDS = 3600
_EXTENSIONS = {"gzip": ".gz", "br": ".br"}


class OutputFolder:
    """The folder that a web server serves. Readers never see half a file.

    Each file has a sibling in each of ``codings`` ("gzip", "br"), for servers that hand those out.
    Assumes a POSIX file system: a rename within the folder is atomic. ``exclusive``: nobody else writes
    there now, so what is there need be looked at but once, and what is half written is nobody's.
    """

    def __init__(
        self, folder: Path, codings: tuple[str, ...] = (), *, exclusive: bool = True
    ) -> None:
        """Create the folder if need be. Raises PublishError if it cannot be written."""
        self._folder = folder
        self._codings = codings
        self._touched: set[Path] = set()
        self.written_bytes = 0
        self._ends = [_EXTENSIONS[coding] for coding in codings]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                self._came_at = os.fstat(file.fileno()).st_mtime  # by the clock of the file system
            # Once for all: there may be tens of thousands.
            self._found = self._tidied(0) if exclusive else None
        except OSError as error:
            raise PublishError(f"{folder}: {os_error_message(error)}") from error

    def tidy(self) -> None:
        """Take away what has been half written for an hour: who did that is no more."""
        try:
            self._tidied(_ABANDONED_SECONDS)
        except OSError as error:
            raise PublishError(f"{self._folder}: {os_error_message(error)}") from error

    def _tidied(self, seconds: int) -> set[str]:
        """The names of all files, but for those that were half written so many seconds ago: they are
        taken away."""
        found: set[str] = set()
        for where, _, names in os.walk(self._folder):
            inside = os.path.relpath(where, self._folder).removeprefix(".")
            for name in names:
                if not fnmatch(name, TEMPORARY_PATTERN):
                    found.add(f"{inside}/{name}" if inside else name)
                elif not seconds or self._is_older(Path(where, name), seconds):
                    Path(where, name).unlink(missing_ok=True)
        return found

    def _is_older(self, path: Path, seconds: int) -> bool:
        try:
            return path.stat().st_mtime < self._came_at - seconds
        except FileNotFoundError:  # it has just been finished
            return False

    def has(self, name: str) -> bool:
        """Whether there is a file ``name``, with all of its siblings; if nobody else writes there:
        whether there was when we came, or since."""
        names = (f"{name}{end}" for end in ("", *self._ends))
        if self._found is None:
            return all((self._folder / each).is_file() for each in names)
        return all(each in self._found for each in names)

    def differs(self, name: str, data: bytes) -> bool:
        """Whether the file ``name`` is absent or holds something else than ``data``."""
        path = self._folder / name
        try:
            return not (path.is_file() and path.read_bytes() == data)
        except OSError as error:
            raise PublishError(f"{path}: {os_error_message(error)}") from error

    def write(self, name: str, data: bytes) -> bool:
        """Make the file ``name`` hold ``data``; gives whether it had to be written."""
        path = self._folder / name
        try:
            differs = self.differs(name, data)
            if differs:
                self._see_inside(path.parent)
                path.parent.mkdir(exist_ok=True)
            for coding in _EXTENSIONS:
                sibling = _sibling(path, coding)
                if coding not in self._codings:
                    if differs:
                        sibling.unlink(missing_ok=True)  # of the time when they were wanted
                elif differs or not sibling.is_file():
                    from aggregator.files.compression import compress

                    self._replace(sibling, compress(data, coding))
            if differs:
                self._replace(path, data)
        except OSError as error:
            raise PublishError(f"{path}: {os_error_message(error)}") from error
        if self._found is not None:
            self._found.update(f"{name}{end}" for end in ("", *self._ends))
        return differs

    def _replace(self, path: Path, data: bytes) -> None:
        write_atomically(path, data, 0o644, sync_name=False)
        self.written_bytes += len(data)
        self._touched.add(path.parent)

    def sync(self) -> None:
        """See to it that what was written outlives a power cut. Raises PublishError."""
        for folder in sorted(self._touched):
            try:
                sync_folder(folder)
            except OSError as error:
                raise PublishError(f"{folder}: {os_error_message(error)}") from error
        self._touched.clear()

    def beside(self, folder: str, names: Collection[str]) -> list[str]:
        """The pages in a folder that are not among ``names``."""
        pages = sorted((self._folder / folder).glob("*.html"))
        found = (f"{folder}/{path.name}" for path in pages)
        return [name for name in found if name not in names]

    def keep_only(self, folder: str, names: Collection[str]) -> list[str]:
        """Take away the pages of a folder that are not among ``names``; gives which."""
        self._see_inside(self._folder / folder)
        others = self.beside(folder, names)
        for path in (self._folder / name for name in others):
            for file in (path, *(_sibling(path, coding) for coding in _EXTENSIONS)):
                file.unlink(missing_ok=True)
        return others

    def _see_inside(self, folder: Path) -> None:
        """The output folder may be a link; what is in it may not lead out of it."""
        if folder != self._folder and folder.is_symlink():
            raise PublishError(
                f"{folder}: it is a link to {folder.readlink()}, and nothing is written or taken away "
                "outside the output folder: take the link away"
            )

    def remove(self, slug: str) -> None:
        """Take away every file of the output feed with this slug, its archive included."""
        try:
            for extension in (".atom", ".json", ".html"):
                path = self._folder / f"{slug}{extension}"
                for file in (path, *(_sibling(path, coding) for coding in _EXTENSIONS)):
                    file.unlink(missing_ok=True)
        except OSError as error:
            raise PublishError(f"{self._folder / slug}: {os_error_message(error)}") from error
        self.remove_archive(slug)

    def has_archive(self, slug: str) -> bool:
        """Whether the output feed with this slug has an archive."""
        return (self._folder / slug).is_dir()

    def remove_archive(self, slug: str) -> bool:
        """Take away the archive of the output feed with this slug; gives whether it had one."""
        folder = self._folder / slug
        try:
            if not self.has_archive(slug):
                return False
            shutil.rmtree(folder)
        except OSError as error:
            raise PublishError(f"{folder}: {os_error_message(error)}") from error
        return True


def _sibling(path: Path, coding: str) -> Path:
    return path.with_name(path.name + _EXTENSIONS[coding])
