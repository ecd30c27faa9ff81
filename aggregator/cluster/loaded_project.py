"""The project for processes that live longer than one version of feeds.toml."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from aggregator.errors import ConfigError
from aggregator.model import Subscription
from aggregator.publish.paths import source_files
from aggregator.run.project import Project


class LoadedProject:
    """A project with its vocabulary and other values that are computed once."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.config = project.config
        self.clippings = project.clippings

    @cached_property
    def by_key(self) -> dict[str, Subscription]:
        """The subscriptions by key."""
        return {subscription.key: subscription for subscription in self.config.subscriptions}

    @cached_property
    def source_files(self) -> dict[str, str]:
        """The page of each source, by the source's key."""
        return source_files(self.config.sources)


class ProjectWatcher:
    """Loads feeds.toml and the clippings again after one of the files changed.

    While a file has errors, the last valid project stays in use, and ``warn`` shows them once.
    """

    def __init__(
        self, path: Path, load: Callable[[Path], Project], warn: Callable[[str], None]
    ) -> None:
        """Raises ConfigError."""
        self._path = path
        self._load = load
        self._warn = warn
        self._current = LoadedProject(load(path))
        self._stamps = self._file_stamps()

    def current(self) -> LoadedProject:
        """The project as the files are now, or as they were when last valid."""
        stamps = self._file_stamps()
        if stamps != self._stamps:
            self._stamps = stamps
            try:
                self._current = LoadedProject(self._load(self._path))
            except ConfigError as error:
                self._warn(f"{error}\nthe previous configuration stays in use until this is fixed")
        return self._current

    def _file_stamps(self) -> list[tuple[str, int, int]]:
        """(path, modification time in ns, size in bytes) of each file."""
        root = self._current.project.root
        paths = {self._path.absolute()}
        for pattern in self._current.config.clippings:
            path = root / pattern
            paths.update([path] if path.exists() else root.glob(pattern))
        stamps = []
        for path in sorted(paths):
            try:
                stat = path.stat()
            except OSError:
                continue
            stamps.append((str(path), stat.st_mtime_ns, stat.st_size))
        return stamps
