"""What commands open: the project, its database and outputs, the lock, and the clock."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator import __version__
from aggregator.cli.console import Console
from aggregator.errors import PublishError, StorageError

if TYPE_CHECKING:
    from aggregator.fetch.poller import Fetcher
    from aggregator.model import Config, Network
    from aggregator.publish.folder import OutputFolder
    from aggregator.publish.s3 import OutputBucket
    from aggregator.run.project import Project
    from aggregator.store import Store

AllowPrivate = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NETWORK", help="A private network to allow, such as 10.0.0.5/32; repeatable."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
LinkOrId = Annotated[str, typer.Argument(metavar="LINK-OR-ID", help="Link or id of the entry.")]


@dataclass(frozen=True, slots=True)
class Options:
    """The options before the command."""

    config: Path
    console: Console


def get_options(context: typer.Context) -> Options:
    """The options before the command."""
    options: Options = context.obj
    return options


def get_console(context: typer.Context) -> Console:
    """The console for results and messages of this command."""
    return get_options(context).console


def load_project(context: typer.Context) -> "Project":
    """The project of ``--config``. Raises ConfigError."""
    return open_config(get_options(context).config)


def open_config(config: Path) -> "Project":
    """A project by the path of its feeds.toml. Raises ConfigError."""
    from aggregator.run.project import open_project

    return open_project(config, os.environ, read_clock())


def parse_networks(allow_private: list[str] | None) -> "tuple[Network, ...]":
    """The values of ``--allow-private``. Raises BadParameter."""
    from ipaddress import ip_network

    try:
        return tuple(map(ip_network, allow_private or ()))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def read_clock() -> datetime:
    """The only place that reads the clock. Whole seconds, as in feeds."""
    return datetime.now(UTC).replace(microsecond=0)


def make_fetcher(site_url: str | None, gap_seconds: float | None = None) -> "Fetcher":
    """A fetcher with our User-Agent; ``gap_seconds`` is the pause between requests to a host."""
    from aggregator.fetch.poller import GAP_SECONDS, Fetcher

    return Fetcher(
        f"aggregator/{__version__}" + (f" (+{site_url})" if site_url else ""),
        gap_seconds=GAP_SECONDS if gap_seconds is None else gap_seconds,
    )


def open_outputs(
    project: "Project", *, exclusive: bool = True, part: bool = False
) -> "OutputFolder | OutputBucket":
    """The folder or bucket that the project publishes to.

    ``exclusive``: no other process writes to it now. ``part``: only a few of its files will be
    compared. Raises PublishError if it cannot be written.
    """
    settings = project.config.publish
    if settings.bucket:
        from aggregator.publish.s3 import OutputBucket

        return OutputBucket(settings.bucket, settings.compress, lazy=part)
    from aggregator.publish.folder import OutputFolder

    return OutputFolder(project.root / settings.directory, settings.compress, exclusive=exclusive)


def missing_database(project: "Project") -> str | None:
    """A message if there are outputs, but not the database that they were made from."""
    from aggregator.publish.paths import SITE
    from aggregator.store.engine import database_name, is_missing

    url, root = project.config.store_url, project.root
    outputs = root / project.config.publish.directory  # a bucket is not asked
    if not is_missing(url, root) or not (outputs / SITE[0]).exists():
        return None
    return f"{database_name(url, root)}: there is no database, but {outputs} exists"


@contextmanager
def open_store(project: "Project", *, may_create: bool = False) -> Iterator["Store"]:
    """The project's database; it is closed at the end.

    Raises StorageError, also if a database was lost, unless we ``may_create`` a new one.
    """
    from aggregator.store import Store

    if not may_create and (missing := missing_database(project)):
        todo = '"aggregator restore FILE" restores a backup, "aggregator run" creates a new one'
        raise StorageError(f"{missing}: {todo}")
    store = Store(project.config.store_url, project.root)
    try:
        yield store
    finally:
        store.close()


def acquire_lock(root: Path, url: str) -> AbstractContextManager[None]:
    """Hold the lock for writing to the database ``url`` of the project in ``root``.

    Raises LockedError or StorageError.
    """
    from aggregator.store.engine import database_path, is_postgresql

    if is_postgresql(url):
        from aggregator.store.advisory_locks import hold_run_lock

        return hold_run_lock(url, root)
    from aggregator.files.run_lock import run_lock

    return run_lock(database_path(url, root))


@contextmanager
def exclusive(project: "Project") -> Iterator["Store"]:
    """The database, with the lock. Raises LockedError."""
    with acquire_lock(project.root, project.config.store_url), open_store(project) as store:
        yield store


def write_metrics(root: Path, config: "Config", store: "Store", *, exclusive: bool = False) -> None:
    """Write the metrics file, if there is one to write; ``exclusive``: no other process does.

    Raises PublishError.
    """
    from aggregator.files.atomic import os_error_message, sweep, write_atomically
    from aggregator.run.metrics import render_metrics

    if config.publish.metrics:
        path = root / config.publish.metrics
        try:
            if exclusive:
                sweep(path)
            write_atomically(path, render_metrics(config, store), 0o644)
        except OSError as error:
            raise PublishError(f"{path}: {os_error_message(error)}") from error
