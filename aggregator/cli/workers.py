"""The commands for several machines: many workers on one PostgreSQL database."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli.context import (
    acquire_lock,
    exclusive,
    get_console,
    get_options,
    load_project,
    make_fetcher,
    open_config,
    open_outputs,
    open_store,
    write_metrics,
)
from aggregator.cli.run_report import print_report
from aggregator.errors import ConfigError, Diagnostic, StorageError, not_installed

if TYPE_CHECKING:
    from aggregator.cluster.loaded_project import ProjectWatcher
    from aggregator.model import RunReport
    from aggregator.store import Store
    from aggregator.store.advisory_locks import WorkerLocks

Alive = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        dir_okay=False,
        help="Touch this file every 10 seconds while the process works, for health checks.",
    ),
]


@contextmanager
def _needs_postgres() -> Iterator[None]:
    """Raises StorageError if the modules for PostgreSQL are not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("procrastinate", "psycopg", "psycopg_pool"):
            raise
        raise StorageError(not_installed(error.name, "postgres")) from error


@_needs_postgres()
def worker(
    context: typer.Context,
    concurrency: Annotated[
        int, typer.Option(min=1, max=256, help="Number of hosts to poll at the same time.")
    ] = 16,
    alive: Alive = None,
) -> None:
    """Run the jobs that `aggregator schedule` plans. SIGTERM or Ctrl-C stops it."""
    import asyncio

    from aggregator.cluster.jobs import Jobs
    from aggregator.cluster.queue import Queue
    from aggregator.cluster.worker import work
    from aggregator.parse.pool import ParsingPool
    from aggregator.store.engine import conninfo

    console = get_console(context)
    offline = False

    def report_job(job: str, report: "RunReport") -> None:
        nonlocal offline
        print_report(console, report, job=job, still_offline=offline)
        if report.polled:
            offline = report.offline

    async def run_worker() -> None:
        with _open_shared(context) as (projects, store, locks), ParsingPool() as parser:
            project = projects.current().project
            async with (
                Queue(conninfo(project.config.store_url)) as queue,
                make_fetcher(project.config.site.url) as fetcher,
            ):
                jobs = Jobs(
                    projects=projects,
                    store=store,
                    locks=locks,
                    queue=queue,
                    fetcher=fetcher,
                    parser=parser,
                    open_outputs=lambda loaded, part: open_outputs(
                        loaded.project, exclusive=False, part=part
                    ),
                    report=report_job,
                    write_metrics=partial(write_metrics, project.root),
                )
                open_outputs(project, exclusive=False, part=True).tidy()
                console.detail(f"working on {store.name}")
                async with _heartbeat(alive):
                    await work(jobs, concurrency, console.warn)

    asyncio.run(run_worker())


@_needs_postgres()
def schedule(
    context: typer.Context,
    every: Annotated[
        int, typer.Option(metavar="SECONDS", min=1, max=86400, help="Seconds between plans.")
    ] = 300,
    once: Annotated[bool, typer.Option("--once", help="Plan once and exit, for cron.")] = False,
    alive: Alive = None,
) -> None:
    """Plan the jobs of `aggregator worker`. SIGTERM or Ctrl-C stops it."""
    import asyncio

    from aggregator.cluster.queue import Queue
    from aggregator.cluster.worker import plan_once
    from aggregator.cluster.worker import schedule as plan_repeatedly
    from aggregator.store.engine import conninfo

    console = get_console(context)

    def report_plan(hosts: int) -> None:
        console.detail(f"{hosts} hosts to poll")

    async def run_scheduler() -> None:
        with _open_shared(context) as (projects, store, locks):
            async with Queue(conninfo(projects.current().config.store_url)) as queue:
                if once:
                    report_plan(await plan_once(projects, store, locks, queue))
                    return
                async with _heartbeat(alive):
                    await plan_repeatedly(
                        projects, store, locks, queue, every, console.warn, report_plan
                    )

    asyncio.run(run_scheduler())


def migrate(
    context: typer.Context,
    to: Annotated[
        str,
        typer.Option("--to", metavar="URL", help="Address of the new database, as in [store] url."),
    ],
) -> None:
    """Copy the database from SQLite to PostgreSQL or back."""
    import os

    from aggregator.config import database_url
    from aggregator.store import Store
    from aggregator.store.copy_database import copy_all
    from aggregator.store.engine import database_name
    from aggregator.text.urls import redact

    console, project = get_console(context), load_project(context)
    try:
        url = database_url(to, os.environ)
    except (KeyError, ValueError) as error:
        unset = isinstance(error, KeyError)
        reason = f"{to} names a variable that is not set" if unset else str(error)
        raise typer.BadParameter(reason, param_hint="--to") from error
    old, new = (database_name(each, project.root) for each in (project.config.store_url, url))
    if old == new:
        raise typer.BadParameter(f"{new} is the current database", param_hint="--to")
    with (
        exclusive(project) as source,
        acquire_lock(project.root, url),
        closing(Store(url, project.root)) as target,
    ):
        count = copy_all(
            source.database, target.database, lambda name, rows: console.detail(f"{name}: {rows}")
        )
    console.info(f"{count:,} rows copied from {old}, which is unchanged, to {new}")
    console.info(f'now set [store] url = "{redact(to)}" in {get_options(context).config}')


@contextmanager
def _open_shared(
    context: typer.Context,
) -> "Iterator[tuple[ProjectWatcher, Store, WorkerLocks]]":
    """The project, its database, and the locks that workers share.

    Raises ConfigError or StorageError.
    """
    from aggregator.cluster.loaded_project import ProjectWatcher
    from aggregator.store.advisory_locks import WorkerLocks
    from aggregator.store.engine import is_postgresql

    config_file = get_options(context).config
    projects = ProjectWatcher(config_file, open_config, get_console(context).warn)
    project = projects.current().project
    url = project.config.store_url
    if not is_postgresql(url):
        message = (
            '"store.url" is a file: several machines need a PostgreSQL database, such as '
            '"postgresql://user@host/database" (one machine needs "aggregator run" and cron)'
        )
        raise ConfigError((Diagnostic(str(config_file), None, message),))
    with open_store(project) as store, WorkerLocks(url, project.root) as locks:
        yield projects, store, locks


@asynccontextmanager
async def _heartbeat(alive: Path | None) -> AsyncIterator[None]:
    """Touch the file of ``--alive`` as long as the process works."""
    import asyncio

    from aggregator.cluster.heartbeat import send_heartbeats

    if alive is not None:
        try:
            alive.touch()
        except OSError as error:
            raise typer.BadParameter(f"{alive}: {error.strerror}", param_hint="--alive") from error
    task = asyncio.create_task(send_heartbeats(alive))
    try:
        yield
    finally:
        task.cancel()
