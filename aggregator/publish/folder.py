"""Writes output files: each is replaced atomically, and left alone if it has not changed."""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from aggregator.errors import PublishError
from aggregator.files.atomic import (
    TEMPORARY_PATTERN,
    os_error_message,
    sync_folder,
    write_atomically,
)
from aggregator.publish.paths import KINDS

_ABANDONED_SECONDS = 3600
_EXTENSIONS = {"gzip": ".gz", "br": ".br"}


class OutputFolder:
    """The folder that a web server serves.

    Each file has a compressed sibling for each of ``codings`` ("gzip", "br"), for servers that send
    those. ``exclusive``: no other process writes there, so the folder is listed only once, and all
    temporary files in it are abandoned.
    """

    def __init__(
        self, folder: Path, codings: tuple[str, ...] = (), *, exclusive: bool = True
    ) -> None:
        """Create the folder if it is missing. Raises PublishError if it cannot be written."""
        self._folder = folder
        self._codings = codings
        self._extensions = ["", *(_EXTENSIONS[coding] for coding in codings)]
        self._unsynced: set[Path] = set()
        self.written_bytes = 0
        with _publish_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                self._opened_at = os.fstat(file.fileno()).st_mtime  # the file system's own clock
            # One listing for all: there may be tens of thousands of files.
            self._names = self._list_and_tidy(0) if exclusive else None

    def tidy(self) -> None:
        """Remove temporary files that are an hour old: their writers were killed."""
        with _publish_errors(self._folder):
            self._list_and_tidy(_ABANDONED_SECONDS)

    def _list_and_tidy(self, seconds: int) -> set[str]:
        """The names of all files. Temporary ones that are older than ``seconds`` are removed."""
        names: set[str] = set()
        for root, _, files in os.walk(self._folder):  # no Path for each file: that is slow
            prefix = os.path.relpath(root, self._folder) + "/"
            for file in files:
                if not fnmatch(file, TEMPORARY_PATTERN):
                    names.add(f"{prefix}{file}".removeprefix("./"))
                elif not seconds or self._is_older(Path(root, file), seconds):
                    Path(root, file).unlink(missing_ok=True)
        return names

    def _is_older(self, path: Path, seconds: int) -> bool:
        try:
            return path.stat().st_mtime < self._opened_at - seconds
        except FileNotFoundError:  # it has just been renamed
            return False

    def has(self, name: str) -> bool:
        """Whether the file ``name`` exists, with all of its siblings."""
        names = (f"{name}{extension}" for extension in self._extensions)
        if self._names is None:
            return all((self._folder / each).is_file() for each in names)
        return self._names.issuperset(names)

    def differs(self, name: str, data: bytes) -> bool:
        """Whether the file ``name`` is missing or contains something other than ``data``."""
        path = self._folder / name
        with _publish_errors(path):
            return not (path.is_file() and path.read_bytes() == data)

    def write(self, name: str, data: bytes) -> bool:
        """Write ``data`` to the file ``name`` unless that is its content; returns whether it wrote.

        Raises PublishError.
        """
        path = self._folder / name
        differs = self.differs(name, data)
        with _publish_errors(path):
            if differs:
                self._refuse_link(path.parent)
                path.parent.mkdir(exist_ok=True)
            for coding, extension in _EXTENSIONS.items():
                sibling = path.with_name(path.name + extension)
                if coding not in self._codings:
                    if differs:  # it is from a time when this coding was configured
                        sibling.unlink(missing_ok=True)
                elif differs or not sibling.is_file():
                    from aggregator.files.compression import compress

                    self._replace(sibling, compress(data, coding))
            if differs:
                self._replace(path, data)
        if self._names is not None:
            self._names.update(f"{name}{extension}" for extension in self._extensions)
        return differs

    def _replace(self, path: Path, data: bytes) -> None:
        write_atomically(path, data, 0o644, sync_name=False)
        self.written_bytes += len(data)
        self._unsynced.add(path.parent)

    def sync(self) -> None:
        """Make the names of written files survive a power cut. Raises PublishError."""
        for folder in sorted(self._unsynced):
            with _publish_errors(folder):
                sync_folder(folder)
        self._unsynced.clear()

    def other_pages(self, folder: str, names: Collection[str]) -> list[str]:
        """The pages in ``folder`` that are not among ``names``."""
        pages = sorted((self._folder / folder).glob("*.html"))
        return [name for page in pages if (name := f"{folder}/{page.name}") not in names]

    def remove_other_pages(self, folder: str, names: Collection[str]) -> list[str]:
        """Remove the pages in ``folder`` that are not among ``names``; returns what it removed."""
        self._refuse_link(self._folder / folder)
        pages = self.other_pages(folder, names)
        for page in pages:
            self._remove(page)
        return pages

    def remove(self, slug: str) -> None:
        """Remove all files of the output feed with this slug, including its archive."""
        for kind in KINDS:
            self._remove(f"{slug}.{kind}")
        self.remove_archive(slug)

    def _remove(self, name: str) -> None:
        path = self._folder / name
        with _publish_errors(path):
            for extension in ("", *_EXTENSIONS.values()):
                path.with_name(path.name + extension).unlink(missing_ok=True)

    def has_archive(self, slug: str) -> bool:
        """Whether the output feed with this slug has an archive."""
        return (self._folder / slug).is_dir()

    def remove_archive(self, slug: str) -> bool:
        """Remove the archive of the output feed with this slug; returns whether it had one."""
        folder = self._folder / slug
        with _publish_errors(folder):
            if not self.has_archive(slug):
                return False
            shutil.rmtree(folder)
        return True

    def _refuse_link(self, folder: Path) -> None:
        """The output folder may be a link, but nothing in it may lead outside."""
        if folder != self._folder and folder.is_symlink():
            raise PublishError(
                f"{folder}: it is a link to {folder.readlink()}, and nothing outside the output "
                "folder is written or removed: remove the link"
            )


@contextmanager
def _publish_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into a PublishError that names ``path``."""
    try:
        yield
    except OSError as error:
        raise PublishError(f"{path}: {os_error_message(error)}") from error
