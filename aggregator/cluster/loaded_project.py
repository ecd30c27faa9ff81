"""The project as it is written now, for processes that outlive its editing."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from aggregator.errors import ConfigError
from aggregator.model import Subscription
from aggregator.publish.paths import source_files
from aggregator.run.project import Project


class Known:
    """A project, with its subscriptions by their keys."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.config = project.config
        self.clippings = project.clippings

    @cached_property
    def by_key(self) -> dict[str, Subscription]:
        """The subscriptions by their keys."""
        return {subscription.key: subscription for subscription in self.config.subscriptions}

    @cached_property
    def files(self) -> dict[str, str]:
        """The files of the pages of sources."""
        return source_files(self.config.sources)


class ProjectWatcher:
    """Reads feeds.toml and the clippings again when one of these files has changed.

    While there is a mistake in them, what was read before stays, and ``warn`` tells the mistake once.
    """

    def __init__(
        self, path: Path, open_it: Callable[[Path], Project], warn: Callable[[str], None]
    ) -> None:
        """Read them. Raises ConfigError."""
        self._path = path
        self._open = open_it
        self._warn = warn
        self._current = Known(open_it(path))
        self._stamp = self._stamped()

    def current(self) -> Known:
        """The project as it is now, or was when it was last right."""
        stamp = self._stamped()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._current = Known(self._open(self._path))
            except ConfigError as error:
                self._warn(f"{error}\nwhat was read before stays in use until that is mended")
        return self._current

    def _stamped(self) -> tuple[tuple[str, int, int], ...]:
        root = self._current.project.root
        found = {self._path.absolute()}
        for pattern in self._current.config.clippings:
            plain = root / pattern
            found.update([plain] if plain.exists() else root.glob(pattern))
        stats = []
        for path in sorted(found):
            try:
                told = path.stat()
            except OSError:
                continue
            stats.append((str(path), told.st_mtime_ns, told.st_size))
        return tuple(stats)
