"""The commands for more than one machine: many workers on one PostgreSQL database."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli.context import (
    acquire_lock,
    exclusive,
    exit_codes,
    load_project,
    make_console,
    make_fetcher,
    open_config,
    open_outputs,
    open_store,
    write_metrics,
)
from aggregator.errors import ConfigError, Diagnostic, StorageError, not_installed

if TYPE_CHECKING:
    from aggregator.cli.console import Console
    from aggregator.cluster.loaded_project import ProjectWatcher
    from aggregator.cluster.queue import Queue
    from aggregator.model import RunReport
    from aggregator.store import Store
    from aggregator.store.advisory_locks import WorkerLocks

Alive = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        dir_okay=False,
        help="Touch this file every 10 s while the process goes on, for health checks.",
    ),
]


def worker(
    context: typer.Context,
    concurrency: Annotated[
        int, typer.Option(min=1, max=256, help="Hosts that are polled at once.")
    ] = 16,
    alive: Alive = None,
) -> None:
    """Poll, match and publish what `aggregator schedule` has planned, until SIGTERM or Ctrl-C."""
    talk = make_console(context)
    with exit_codes(talk), _extra():
        import asyncio

        from aggregator.cluster.jobs import Jobs
        from aggregator.cluster.worker import work
        from aggregator.parse.pool import ParsingPool

        offline = False

        def tell(job: str, report: "RunReport") -> None:
            nonlocal offline
            talk.report(report, job=job, still_offline=offline)
            if report.polled:
                offline = report.offline

        async def go() -> None:
            with _shells(context, talk) as (projects, store, turns), ParsingPool() as parser:
                config = projects.current().config
                async with (
                    _queue(config.store_url) as queue,
                    make_fetcher(config.site.url) as fetcher,
                ):
                    jobs = Jobs(
                        projects=projects,
                        store=store,
                        turns=turns,
                        queue=queue,
                        poller=fetcher,
                        parser=parser,
                        open_outputs=lambda known, part: open_outputs(
                            known.project, exclusive=False, part=part
                        ),
                        tell=tell,
                        write_metrics=partial(write_metrics, projects.current().project.root),
                    )
                    open_outputs(projects.current().project, exclusive=False, part=True).tidy()
                    talk.detail(f"working on {store.name}")
                    async with _shown(alive):
                        await work(jobs, concurrency, talk.warn)

        asyncio.run(go())


def schedule(
    context: typer.Context,
    every: Annotated[
        int, typer.Option(metavar="SECONDS", min=1, max=86400, help="How often it is planned.")
    ] = 300,
    once: Annotated[bool, typer.Option("--once", help="Plan once, and end: for cron.")] = False,
    alive: Alive = None,
) -> None:
    """Plan what `aggregator worker` polls and publishes, until SIGTERM or Ctrl-C."""
    talk = make_console(context)
    with exit_codes(talk), _extra():
        import asyncio

        from aggregator.cluster.worker import plan_once
        from aggregator.cluster.worker import schedule as plan_on

        def told(number: int) -> None:
            talk.detail(f"{number} hosts to poll")

        async def go() -> None:
            with _shells(context, talk) as (projects, store, turns):
                async with _queue(projects.current().config.store_url) as queue:
                    if once:
                        told(await plan_once(projects, store, turns, queue))
                        return
                    async with _shown(alive):
                        await plan_on(projects, store, turns, queue, every, talk.warn, told)

        asyncio.run(go())


def migrate(
    context: typer.Context,
    to: Annotated[
        str, typer.Option("--to", metavar="URL", help="The new database, as in [store] url.")
    ],
) -> None:
    """Copy all that is stored into a new database, from SQLite to PostgreSQL or back."""
    talk = make_console(context)
    with exit_codes(talk):
        import os

        from aggregator.config import database_url
        from aggregator.store import Store
        from aggregator.store.copy_database import copy_all
        from aggregator.store.engine import database_name
        from aggregator.text.urls import redact

        project = load_project(context)
        try:
            url = database_url(to, os.environ)
        except (KeyError, ValueError) as error:
            unset = isinstance(error, KeyError)
            reason = f"{to} names a variable that is not set" if unset else str(error)
            raise typer.BadParameter(reason, param_hint="--to") from error
        old, new = (database_name(each, project.root) for each in (project.config.store_url, url))
        if old == new:
            raise typer.BadParameter(f"{new} is where all is stored already", param_hint="--to")
        with (
            exclusive(project) as source,
            acquire_lock(project.root, url),
            closing(Store(url, project.root)) as target,
        ):
            number = copy_all(
                source.database, target.database, lambda name, rows: talk.detail(f"{name}: {rows}")
            )
        talk.say(f"{number:,} rows copied from {old}, which stays as it is, to {new}")
        talk.say(f'in {context.obj.config}, write [store] url = "{redact(to)}" from now on')


@contextmanager
def _shells(
    context: typer.Context, talk: "Console"
) -> "Iterator[tuple[ProjectWatcher, Store, WorkerLocks]]":
    """The project, its database, and our share of it. Raises ConfigError or StorageError."""
    from aggregator.cluster.loaded_project import ProjectWatcher
    from aggregator.store.advisory_locks import WorkerLocks
    from aggregator.store.engine import is_postgresql

    path = context.obj.config
    projects = ProjectWatcher(path, open_config, talk.warn)
    known = projects.current()
    url, root = known.config.store_url, known.project.root
    if not is_postgresql(url):
        message = (
            '"store.url" is a file: several machines need a PostgreSQL database, such as '
            '"postgresql://user@host/database" (one machine needs "aggregator run" and cron)'
        )
        raise ConfigError((Diagnostic(str(path), None, message),))
    with open_store(known.project) as store, WorkerLocks(url, root) as turns:
        yield projects, store, turns


@contextmanager
def _extra() -> Iterator[None]:
    """Raises StorageError if what workers need is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("procrastinate", "psycopg", "psycopg_pool"):
            raise
        raise StorageError(not_installed(error.name, "postgres")) from error


@asynccontextmanager
async def _shown(alive: Path | None) -> AsyncIterator[None]:
    """While this lasts, we are seen to be alive."""
    import asyncio

    from aggregator.cluster.heartbeat import show_life

    if alive is not None:
        try:
            alive.touch()
        except OSError as error:
            raise typer.BadParameter(f"{alive}: {error.strerror}", param_hint="--alive") from error
    showing = asyncio.create_task(show_life(alive))
    try:
        yield
    finally:
        showing.cancel()


@asynccontextmanager
async def _queue(url: str) -> "AsyncIterator[Queue]":
    """Raises StorageError."""
    from aggregator.cluster.queue import Queue
    from aggregator.store.engine import conninfo

    async with Queue(conninfo(url)) as queue:
        yield queue
