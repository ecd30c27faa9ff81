"""The program: its options, its everyday commands, and the list of all commands."""

import os
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from aggregator import __version__
from aggregator.cli import (
    backups,
    evaluation,
    inspection,
    matching,
    outputs,
    subscriptions,
    workers,
)
from aggregator.cli.console import Console
from aggregator.cli.context import (
    AsJson,
    Options,
    acquire_lock,
    get_console,
    get_options,
    load_project,
    make_fetcher,
    missing_database,
    open_config,
    open_outputs,
    open_store,
    read_clock,
    write_metrics,
)
from aggregator.cli.exit_codes import EXIT_ALL_FAILED, EXIT_STRICT, exit_codes
from aggregator.cli.run_report import print_report, print_stages, progress_bar
from aggregator.cli.signals import run_async
from aggregator.errors import BusyError, LockedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from aggregator.fetch.poller import Fetcher
    from aggregator.model import RunReport
    from aggregator.parse.pool import ParsingPool
    from aggregator.run.project import Project
    from aggregator.run.stale import OutputWriter
    from aggregator.store import Store


class _Program(TyperGroup):
    """Every command runs inside `exit_codes`."""

    def invoke(self, context: Any) -> Any:  # typer's own copy of click
        with exit_codes(lambda: context.obj.console if context.obj else Console()):
            return super().invoke(context)


app = typer.Typer(
    cls=_Program,
    help="Poll feeds, match their entries against your clippings, publish one Atom feed per tag.",
    epilog="Exit codes: 0 done, even if some subscriptions failed; 1 the same with --strict; "
    "2 configuration error, nothing changed; 3 could not store or publish; 4 all subscriptions "
    "failed; 75 another run holds the lock.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(requested: bool) -> None:
    if requested:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")] = Path(
        "feeds.toml"
    ),
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            help="Show more messages, and logs; -vv: also debug logs.",
        ),
    ] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only errors.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    context.obj = Options(config, Console(verbose=verbose > 0, quiet=quiet))
    if verbose and not quiet:
        from aggregator.cli.logs import show_logs

        show_logs(verbose)


def run(
    context: typer.Context,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if any subscription failed.")
    ] = False,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="Also poll feeds that are not due, unless their server asked to wait."
        ),
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show the time spent in each stage.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Poll due feeds, match entries, write the output feeds; for cron."""
    console, project = get_console(context), load_project(context)
    report, was_offline = run_once(project, console, everything=everything)
    if json:
        console.json(report)
    print_report(console, report, still_offline=was_offline)
    if profile:
        print_stages(console, report.stages)
    if report.polled and len(report.troubles) == report.polled:
        raise typer.Exit(EXIT_ALL_FAILED)
    if strict and report.troubles:
        raise typer.Exit(EXIT_STRICT)


def check(context: typer.Context) -> None:
    """Check feeds.toml and the clippings; change nothing."""
    console, project = get_console(context), load_project(context)
    config = project.config
    for warning in project.warnings:
        console.warn(str(warning))
    console.info(
        f"{get_options(context).config}: {len(config.subscriptions)} subscriptions, "
        f"{len(project.clippings)} clippings, {len(config.tags)} tags with settings"
    )


def schema() -> None:
    """Print the JSON Schema of feeds.toml, for editors."""
    import json

    from aggregator.config import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def demo(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option(help="Folder for the demo; default: a temporary folder.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port for the outputs; 0: any free port.")
    ] = 8000,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the outputs until Ctrl-C.")
    ] = True,
) -> None:
    """Try it without a network, on feeds served by this machine."""
    from aggregator.demo import open_demo

    console = get_console(context)
    with open_demo(folder, port) as demonstration:
        project = open_config(demonstration.config)
        for attempt in ("first", "second"):
            console.info(f"The {attempt} run:")
            # All feeds are on this machine, so requests need no pauses.
            report, _ = run_once(project, console, everything=True, gap_seconds=0)
            print_report(console, report, everything=True)
        console.info(f"The outputs are in {demonstration.outputs}")
        if serve:
            console.info(f"Open {demonstration.address} in a browser; Ctrl-C stops the demo.")
            demonstration.serve()


for _command in (
    run, check, inspection.status, inspection.tags, inspection.explain, schema, demo,
    backups.backup, backups.restore, evaluation.evaluate, matching.confirm, matching.reject,
    matching.retag, matching.preview, outputs.prune, outputs.vacuum, outputs.serve,
    workers.worker, workers.schedule, workers.migrate, subscriptions.discover,
):  # fmt: skip
    app.command()(_command)
app.add_typer(matching.suggest_app, name="suggest")
app.add_typer(subscriptions.import_app, name="import")
app.add_typer(subscriptions.export_app, name="export")


def run_once(
    project: "Project", console: Console, *, everything: bool, gap_seconds: float | None = None
) -> tuple["RunReport", bool]:
    """Hold the lock, open database, outputs and network, and run the pipeline.

    Returns its report, and whether the run before it was offline.
    """
    import logging

    from aggregator.run import pipeline
    from aggregator.run.timing import StageTimer

    config, logger = project.config, logging.getLogger("aggregator.run")
    timer = StageTimer(time.perf_counter, time.process_time)

    @asynccontextmanager
    async def open_network() -> "AsyncIterator[tuple[Fetcher, ParsingPool]]":
        from aggregator.parse.pool import ParsingPool

        with ParsingPool() as parser:
            async with make_fetcher(config.site.url, gap_seconds) as fetcher:
                yield fetcher, parser

    async def run_pipeline(store: "Store", writer: "OutputWriter", now: "datetime") -> "RunReport":
        with progress_bar(console) as progress:
            return await pipeline.run(
                config, project.clippings, store, open_network, writer, progress, timer, now,
                include_not_due=everything,
            )  # fmt: skip

    try:
        with acquire_lock(project.root, config.store_url):
            now = read_clock()
            writer = open_outputs(project)
            missing = missing_database(project)
            with open_store(project, may_create=True) as store:
                if missing:
                    todo = 'a new one was created; "aggregator restore FILE" restores a backup'
                    console.warn(f"{missing}: {todo}")
                logger.info("run of process %d on %s", os.getpid(), store.name)
                number = store.runs.start(os.getpid(), now)
                was_offline = store.runs.was_offline()
                report = run_async(run_pipeline(store, writer, now))
                store.runs.finish(
                    number, read_clock(), offline=report.offline, stages=report.stages
                )
                write_metrics(project.root, config, store, exclusive=True)
    except BusyError:
        raise
    except LockedError as error:
        holder = _lock_holder(project)
        raise LockedError(f"another run is in progress ({holder}); nothing was done") from error
    for cost in report.stages:
        stage = {"stage": cost.stage}
        logger.info("%.3f s, %d entries", cost.wall_seconds, cost.entries, extra=stage)
    for warning in project.warnings:
        console.detail(str(warning))
    return report, was_offline


def _lock_holder(project: "Project") -> str:
    """The run that holds the lock, according to the database; else the database's name."""
    from aggregator.store.engine import database_name, is_missing

    url, root = project.config.store_url, project.root
    if not is_missing(url, root):
        with open_store(project) as store:
            last_run = store.runs.last()
            # If it has finished, another command holds the lock, or a run that is just starting.
            if last_run and last_run[2] is None:
                return f"process {last_run[0]}, since {last_run[1]:%Y-%m-%d %H:%M:%S} UTC"
    return database_name(url, root)
