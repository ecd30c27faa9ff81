"""The commands of everyday, and the program that all commands belong to."""

import os
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator import __version__
from aggregator.cli import backups, evaluation, matching, outputs, subscriptions, workers
from aggregator.cli.console import Console
from aggregator.cli.context import (
    EXIT_ALL_FAILED,
    EXIT_STRICT,
    EXIT_USAGE,
    AsJson,
    Options,
    acquire_lock,
    exit_codes,
    load_project,
    make_console,
    make_fetcher,
    missing_database,
    open_config,
    open_outputs,
    open_store,
    read_clock,
    run_async,
    write_metrics,
)
from aggregator.errors import BusyError, LockedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from aggregator.fetch.poller import Fetcher
    from aggregator.model import RunReport
    from aggregator.parse.pool import ParsingPool
    from aggregator.run.project import Project
    from aggregator.run.stale import Writer
    from aggregator.store import Store

app = typer.Typer(
    help="Poll feeds, match their entries against your clippings, republish one Atom feed per tag.",
    epilog="Exit codes: 0 done, even if some subscriptions failed; 1 the same with --strict; "
    "2 configuration, nothing touched; 3 could not store or publish; 4 every subscription "
    "failed; 75 another run holds the lock.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")] = Path(
        "feeds.toml"
    ),
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what is wrong.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and stop.", is_eager=True, callback=_version
        ),
    ] = False,
) -> None:
    context.obj = Options(config, Console(verbose=verbose, quiet=quiet))


@app.command()
def run(
    context: typer.Context,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if any subscription failed.")
    ] = False,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Poll also what is not due, unless a publisher asked to wait."),
    ] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Tell where the time went, stage by stage.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Poll what is due, match, and write the output feeds: what cron calls."""
    talk = make_console(context)
    with exit_codes(talk):
        project = load_project(context)
        report, was_offline = _run(project, talk, everything=everything)
        if json:
            talk.json(report)
        talk.report(report, still_offline=was_offline)
        if profile:
            talk.stages(report.stages)
        if report.polled and len(report.troubles) == report.polled:
            raise typer.Exit(EXIT_ALL_FAILED)
        if strict and report.troubles:
            raise typer.Exit(EXIT_STRICT)


@app.command()
def check(context: typer.Context) -> None:
    """Read feeds.toml and the clippings, and say what is wrong with them; touch nothing."""
    talk = make_console(context)
    with exit_codes(talk):
        project = load_project(context)
        config = project.config
        for warning in project.warnings:
            talk.warn(str(warning))
        talk.say(
            f"{context.obj.config}: {len(config.subscriptions)} subscriptions, "
            f"{len(project.clippings)} clippings, {len(config.tags)} tags with settings"
        )


@app.command()
def status(context: typer.Context, json: AsJson = False) -> None:
    """Show each subscription: when it last answered, how many entries, what is wrong."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.inspect.status import failing_work, subscription_status

        project = load_project(context)
        with open_store(project) as store:
            rows = subscription_status(project.config, store, read_clock())
            failing = failing_work(store)
        if json:
            talk.json(rows)
            return
        talk.table(rows)
        for row in rows:
            if row.moved_to:
                talk.say(f'"{row.subscription}" has moved; in {context.obj.config}, write')
                talk.say(f'    url = "{row.moved_to}"')
        for work in failing:
            talk.say(f"workers failed {work.attempts} times to {work.name}: {work.reason}")


@app.command()
def tags(context: typer.Context, json: AsJson = False) -> None:
    """Show every tag: its feed, clippings, entries and other names."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.inspect.status import tag_status

        project = load_project(context)
        with open_store(project) as store:
            rows = tag_status(project.config, project.clippings, store)
        talk.json(rows) if json else talk.table(rows)


@app.command()
def explain(
    context: typer.Context,
    entry: Annotated[str, typer.Argument(metavar="LINK-OR-ID", help="Its link, or its id.")],
    json: AsJson = False,
) -> None:
    """Say why an entry is in its tags' feeds."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.inspect.status import explanations

        project = load_project(context)
        with open_store(project) as store:
            found = explanations(entry, project.config, project.clippings, store)
        if not found:
            talk.error(f'no entry has the link or id "{entry}"')
            raise typer.Exit(EXIT_USAGE)
        talk.json(found) if json else talk.explanations(found)


@app.command()
def schema() -> None:
    """Print the JSON Schema of feeds.toml, for editors."""
    import json

    from aggregator.config import json_schema

    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))


@app.command()
def demo(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option(help="Where to put it; default: a temporary folder.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to serve the outputs on; 0: any.")
    ] = 8000,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the outputs until Ctrl-C.")
    ] = True,
) -> None:
    """See it work, with no network: a small site of feeds on this machine, polled twice."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.demo import Demo

        with Demo(folder, port) as demonstration:
            project = open_config(demonstration.config)
            for attempt in ("first", "second"):
                talk.say(f"The {attempt} run:")
                # Its publishers are this machine: nobody needs a rest.
                report, _ = _run(project, talk, everything=True, gap_seconds=0)
                talk.report(report, everything=True)
            talk.say(f"The outputs are in {demonstration.outputs}")
            if serve:
                talk.say(f"Open {demonstration.address} in a browser; Ctrl-C ends the demo.")
                demonstration.serve()


app.command()(backups.backup)
app.command()(backups.restore)
app.command()(evaluation.evaluate)
app.command()(matching.confirm)
app.command()(matching.reject)
app.command()(matching.retag)
app.command()(matching.preview)
app.add_typer(matching.suggest_app, name="suggest")
app.command()(outputs.prune)
app.command()(outputs.vacuum)
app.command()(outputs.serve)
app.command()(workers.worker)
app.command()(workers.schedule)
app.command()(workers.migrate)
app.command()(subscriptions.discover)
app.add_typer(subscriptions.import_app, name="import")
app.add_typer(subscriptions.export_app, name="export")


def _running(project: "Project") -> str:
    """The run that is at work, as far as its database tells, which is its to make."""
    from aggregator.store.engine import database_name, is_missing

    url, root = project.config.store_url, project.root
    if not is_missing(url, root):
        with open_store(project) as store:
            last = store.runs.last()
            if last and last[2] is None:  # else it is another command, or a run that just begins
                return f"process {last[0]}, since {last[1]:%Y-%m-%d %H:%M:%S} UTC"
    return database_name(url, root)


def _run(
    project: "Project", talk: Console, *, everything: bool, gap_seconds: float | None = None
) -> tuple["RunReport", bool]:
    """Hold the lock, open the shells, run the pipeline.

    Gives its report, and whether the run before was offline.
    """
    from aggregator.run import pipeline
    from aggregator.run.timing import StageTimer

    config = project.config
    timer = StageTimer(time.perf_counter, time.process_time)

    @asynccontextmanager
    async def open_network() -> "AsyncIterator[tuple[Fetcher, ParsingPool]]":
        from aggregator.parse.pool import ParsingPool

        with ParsingPool() as parser:
            async with make_fetcher(config.site.url, gap_seconds) as fetcher:
                yield fetcher, parser

    async def go(store: "Store", writer: "Writer", now: "datetime") -> "RunReport":
        with talk.progress() as progress:
            return await pipeline.run(
                config,
                project.clippings,
                store,
                open_network,
                writer,
                progress,
                timer,
                now,
                everything=everything,
            )

    try:
        with acquire_lock(project.root, config.store_url):
            now = read_clock()
            writer = open_outputs(project)
            lost = missing_database(project)
            with open_store(project, begin_anew=True) as store:
                if lost:
                    todo = 'a new one was begun; "aggregator restore FILE" brings a backup back'
                    talk.warn(f"{lost}: {todo}")
                number = store.runs.start(os.getpid(), now)
                was_offline = store.runs.was_offline()
                report = run_async(go(store, writer, now))
                store.runs.finish(
                    number, read_clock(), offline=report.offline, stages=report.stages
                )
                write_metrics(project.root, config, store, exclusive=True)
    except BusyError:
        raise
    except LockedError as error:
        who = _running(project)
        raise LockedError(f"another run is at work ({who}); this one did nothing") from error
    for warning in project.warnings:
        talk.detail(str(warning))
    return report, was_offline
