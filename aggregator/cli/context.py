"""What all commands share: options, exit codes, the clock, and the shells they open."""

import asyncio
import errno
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

from aggregator import __version__
from aggregator.cli.console import Console
from aggregator.errors import AggregatorError, PublishError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.fetch.poller import Fetcher
    from aggregator.model import Config, Network
    from aggregator.publish.folder import OutputFolder
    from aggregator.publish.s3 import OutputBucket
    from aggregator.run.project import Project
    from aggregator.store import Store

_Result = TypeVar("_Result")
EXIT_STRICT, EXIT_USAGE, EXIT_LACKING, EXIT_ALL_FAILED, EXIT_INTERRUPTED = 1, 2, 3, 4, 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AllowPrivate = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NETWORK", help="A private network to ask, such as 10.0.0.5/32; repeatable."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


class Options:
    """The options that stand before the command."""

    def __init__(self, config: Path, talk: Console) -> None:
        self.config = config
        self.talk = talk


def parse_networks(allow_private: list[str] | None) -> "tuple[Network, ...]":
    """Those of ``--allow-private``. Raises BadParameter."""
    from ipaddress import ip_network

    try:
        return tuple(map(ip_network, allow_private or ()))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def make_console(context: typer.Context) -> Console:
    """How this command talks."""
    talk: Console = context.obj.talk
    return talk


def load_project(context: typer.Context) -> "Project":
    """The project of ``--config``. Raises ConfigError."""
    return open_config(context.obj.config)


def open_config(config: Path) -> "Project":
    """A project by the path of its feeds.toml. Raises ConfigError."""
    from aggregator.run.project import open_project

    return open_project(config, os.environ, read_clock())


def read_clock() -> datetime:
    """The one place that reads the clock. Whole seconds, as feeds state them."""
    return datetime.now(UTC).replace(microsecond=0)


def make_fetcher(site_url: str | None, gap_seconds: float | None = None) -> "Fetcher":
    """A fetcher that says who we are; ``gap_seconds`` is the rest of a host between requests."""
    from aggregator.fetch.poller import GAP_SECONDS, Fetcher

    return Fetcher(
        f"aggregator/{__version__}" + (f" (+{site_url})" if site_url else ""),
        gap_seconds=GAP_SECONDS if gap_seconds is None else gap_seconds,
    )


def open_outputs(
    project: "Project", *, exclusive: bool = True, part: bool = False
) -> "OutputFolder | OutputBucket":
    """Where the project publishes; ``exclusive``: nobody else does so now; ``part``: of what is there,
    little will be asked. Raises PublishError if nothing can be written there."""
    settings = project.config.publish
    if settings.bucket:
        from aggregator.publish.s3 import OutputBucket

        return OutputBucket(settings.bucket, settings.compress, lazy=part)
    from aggregator.publish.folder import OutputFolder

    return OutputFolder(project.root / settings.directory, settings.compress, exclusive=exclusive)


def missing_database(project: "Project") -> str | None:
    """What to tell where outputs stand, but the file that they were made from does not."""
    from aggregator.publish.paths import SITE
    from aggregator.store.engine import database_name, is_missing

    url, root = project.config.store_url, project.root
    outputs = root / project.config.publish.directory  # a bucket is not asked
    if not is_missing(url, root) or not (outputs / SITE[0]).exists():
        return None
    return f"{database_name(url, root)}: there is no database, though {outputs} holds what one knew"


@contextmanager
def open_store(project: "Project", *, begin_anew: bool = False) -> Iterator["Store"]:
    """The project's database, closed at the end. Raises StorageError, also where it is gone, unless
    we may ``begin_anew``."""
    from aggregator.errors import StorageError
    from aggregator.store import Store

    lost = None if begin_anew else missing_database(project)
    if lost:
        todo = '"aggregator restore FILE" brings a backup back, "aggregator run" begins a new one'
        raise StorageError(f"{lost}: {todo}")
    store = Store(project.config.store_url, project.root)
    try:
        yield store
    finally:
        store.close()


def acquire_lock(root: Path, url: str) -> AbstractContextManager[None]:
    """Held while one may write to the database of ``[store] url`` of the project in ``root``.

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
    """The store, while no run is at work. Raises LockedError."""
    with acquire_lock(project.root, project.config.store_url), open_store(project) as store:
        yield store


def write_metrics(root: Path, config: "Config", store: "Store", *, exclusive: bool = False) -> None:
    """The figures for node_exporter; ``exclusive``: nobody else writes them. Raises PublishError."""
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


@contextmanager
def exit_codes(talk: Console) -> Iterator[None]:
    """Errors that are raised on purpose become a message and an exit code; bugs stay bugs."""
    with _signals(_stop):
        try:
            yield
        except AggregatorError as error:
            talk.error(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            talk.error("interrupted; what was stored stays, and the next run goes on from there")
            sys.exit(EXIT_INTERRUPTED)
        except Exception as error:
            lacking = _lacking(error)
            if lacking is None:
                raise
            talk.error(f"{lacking}; what was stored stays, and the next run goes on from there")
            raise typer.Exit(EXIT_LACKING) from None


def _lacking(error: BaseException | None) -> str | None:
    """What the system did not give to this process, and what to do, if that is why."""
    while error is not None:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return "out of memory: give this process more (ulimit -v), or the machine"
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return "too many open files: let this process have more (ulimit -n)"
        if isinstance(error, BlockingIOError) or "can't start new thread" in str(error):
            return "no new process or thread: let this user have more (ulimit -u), or more memory"
        error = error.__cause__
    return None


def run_async(work: Coroutine[Any, Any, _Result]) -> _Result:
    """`asyncio.run`, which SIGINT, SIGTERM and SIGHUP end.

    What a handler raises is lost if it strikes in a callback of a weak reference, as there are many
    while children are started; so what waits is also cancelled. While the loop is made, signals wait.
    """
    stopped: list[int] = []
    open_to = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)

    async def main() -> _Result:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop(number: int, _: object) -> None:
            stopped.append(number)
            loop.call_soon_threadsafe(task.cancel)
            if asyncio.current_task(loop) is task:  # it may have much to do before it waits again
                _stop(number, None)

        with _signals(stop):
            try:
                signal.pthread_sigmask(signal.SIG_SETMASK, open_to)
                return await work
            finally:
                work.close()  # where it was not even begun

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        _stop(stopped[0], None)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, open_to)


def _stop(number: int, _: object) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


@contextmanager
def _signals(handler: "Callable[[int, Any], None]") -> Iterator[None]:
    """Let it handle `_SIGNALS`, but for those that are to be ignored (nohup).

    What it raises where nothing can be raised, as in a callback of a weak reference, is no error either.
    Once it has ended the program, which is SystemExit, no other signal changes how.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    handled = [number for number, now in before.items() if now is not signal.SIG_IGN]
    tell = sys.unraisablehook

    def tell_errors(lost: "sys.UnraisableHookArgs") -> None:
        if not isinstance(lost.exc_value, (KeyboardInterrupt, SystemExit)):
            tell(lost)

    sys.unraisablehook = tell_errors
    for number in handled:
        signal.signal(number, handler)
    try:
        yield
    except SystemExit:
        before = dict.fromkeys(before, signal.SIG_IGN)
        raise
    finally:
        for number in handled:
            signal.signal(number, before[number])
        sys.unraisablehook = tell
