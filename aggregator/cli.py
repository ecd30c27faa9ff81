"""The commands: reads arguments, builds the shells, and turns errors into exit codes.

What a command prints is its product on stdout, and talk on stderr. Modules that only some
commands need are imported by those, so that ``--help`` and ``check`` start fast.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from aggregator import __version__
from aggregator.errors import AggregatorError, LockedError
from aggregator.show import Talk

if TYPE_CHECKING:
    from aggregator.model import RunReport
    from aggregator.project import Project
    from aggregator.store import Store

EXIT_STRICT, EXIT_USAGE, EXIT_ALL_FAILED, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 4, 130, 143

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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


class _Options:
    """The options that stand before the command."""

    def __init__(self, config: Path, talk: Talk) -> None:
        self.config = config
        self.talk = talk


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
    context.obj = _Options(config, Talk(verbose=verbose, quiet=quiet))


@app.command()
def run(
    context: typer.Context,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 if any subscription failed.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Poll what is due, match, and write the output feeds: what cron calls."""
    talk = _talk(context)
    with _exit_codes(talk):
        project = _project(context)
        report = _run(project, talk)
        if json:
            talk.json(report)
        talk.report(report)
        if report.polled and len(report.troubles) == report.polled:
            raise typer.Exit(EXIT_ALL_FAILED)
        if strict and report.troubles:
            raise typer.Exit(EXIT_STRICT)


@app.command()
def check(context: typer.Context) -> None:
    """Read feeds.toml and the clippings, and say what is wrong with them; touch nothing."""
    talk = _talk(context)
    with _exit_codes(talk):
        project = _project(context)
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
    talk = _talk(context)
    with _exit_codes(talk):
        from aggregator.reports import subscription_status

        project = _project(context)
        with _store(project) as store:
            rows = subscription_status(project.config, store, _now())
        talk.json(rows) if json else talk.table(rows)


@app.command()
def tags(context: typer.Context, json: AsJson = False) -> None:
    """Show every tag: its feed, clippings, entries and other names."""
    talk = _talk(context)
    with _exit_codes(talk):
        from aggregator.reports import tag_status

        project = _project(context)
        with _store(project) as store:
            rows = tag_status(project.config, project.clippings, store)
        talk.json(rows) if json else talk.table(rows)


@app.command()
def explain(
    context: typer.Context,
    entry: Annotated[str, typer.Argument(metavar="LINK-OR-ID", help="Its link, or its id.")],
    json: AsJson = False,
) -> None:
    """Say why an entry is in its tags' feeds."""
    talk = _talk(context)
    with _exit_codes(talk):
        from aggregator.reports import explanations

        project = _project(context)
        with _store(project) as store:
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
    port: Annotated[int, typer.Option(help="Port to serve the outputs on; 0: any.")] = 8000,
    serve: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the outputs until Ctrl-C.")
    ] = True,
) -> None:
    """See it work, with no network: a small site of feeds on this machine, polled twice."""
    talk = _talk(context)
    with _exit_codes(talk):
        from aggregator.demo import Demo

        with Demo(folder, port) as demonstration:
            project = _open(demonstration.config)
            for attempt in ("first", "second"):
                talk.say(f"The {attempt} run:")
                talk.report(_run(project, talk), everything=True)
            talk.say(f"The outputs are in {demonstration.outputs}")
            if serve:
                talk.say(f"Open {demonstration.address} in a browser; Ctrl-C ends the demo.")
                demonstration.serve()


def main() -> None:
    """The console script."""
    app()


def _talk(context: typer.Context) -> Talk:
    talk: Talk = context.obj.talk
    return talk


def _project(context: typer.Context) -> "Project":
    return _open(context.obj.config)


def _open(config: Path) -> "Project":
    from aggregator.project import open_project

    return open_project(config, os.environ, _now())


def _now() -> datetime:
    """The one place that reads the clock. Whole seconds, as feeds state them."""
    return datetime.now(UTC).replace(microsecond=0)


def _run(project: "Project", talk: Talk) -> "RunReport":
    """Hold the lock, open the shells, run the pipeline."""
    from aggregator import pipeline
    from aggregator.fetch import Fetcher
    from aggregator.publish import OutputFolder
    from aggregator.runlock import run_lock
    from aggregator.store import Store
    from aggregator.store.engine import database_path

    config = project.config

    async def go(store: Store, writer: OutputFolder, now: datetime) -> "RunReport":
        user_agent = f"aggregator/{__version__} (+{config.site.url})"
        with talk.progress() as progress:
            async with Fetcher(user_agent) as fetcher:
                return await pipeline.run(
                    config, project.clippings, store, fetcher, writer, progress, now
                )

    path = database_path(config.store_url, project.root)
    try:
        with run_lock(path):
            now = _now()
            writer = OutputFolder(project.root / config.publish.directory)
            with _store(project) as store:
                number = store.start_run(os.getpid(), now)
                report = asyncio.run(go(store, writer, now))
                store.finish_run(number, _now())
    except LockedError as error:
        with _store(project) as store:
            last = store.last_run()
        who = f"process {last[0]}, since {last[1]:%Y-%m-%d %H:%M:%S} UTC" if last else str(path)
        raise LockedError(f"another run is at work ({who}); this one did nothing") from error
    for warning in project.warnings:
        talk.detail(str(warning))
    return report


@contextmanager
def _store(project: "Project") -> Iterator["Store"]:
    from aggregator.store import Store

    store = Store(project.config.store_url, project.root)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _exit_codes(talk: Talk) -> Iterator[None]:
    """Errors that are raised on purpose become a message and an exit code; bugs stay bugs."""

    def terminate(*_: object) -> NoReturn:
        sys.exit(EXIT_TERMINATED)

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except AggregatorError as error:
        talk.error(str(error))
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        talk.error("interrupted; what was stored stays, and the next run goes on from there")
        raise typer.Exit(EXIT_INTERRUPTED) from None
