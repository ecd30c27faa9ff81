"""The commands: reads arguments, builds the shells, and turns errors into exit codes.

What a command prints is its product on stdout, and talk on stderr. Modules that only some
commands need are imported by those, so that ``--help`` and ``check`` start fast.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from aggregator import __version__
from aggregator.errors import AggregatorError, LockedError
from aggregator.show import Talk

if TYPE_CHECKING:
    from aggregator.discover import Search
    from aggregator.editing import NewSubscription
    from aggregator.fetch import Fetcher
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
import_app = typer.Typer(help="Bring subscriptions from another feed reader.")
export_app = typer.Typer(help="Take subscriptions to another feed reader.")
app.add_typer(import_app, name="import")
app.add_typer(export_app, name="export")
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
    everything: Annotated[
        bool,
        typer.Option("--all", help="Poll also what is not due, unless a publisher asked to wait."),
    ] = False,
    json: AsJson = False,
) -> None:
    """Poll what is due, match, and write the output feeds: what cron calls."""
    talk = _talk(context)
    with _exit_codes(talk):
        project = _project(context)
        report, was_offline = _run(project, talk, everything=everything)
        if json:
            talk.json(report)
        talk.report(report, still_offline=was_offline)
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
        if json:
            talk.json(rows)
            return
        talk.table(rows)
        for row in rows:
            if row.moved_to:
                talk.say(f'"{row.subscription}" has moved; in {context.obj.config}, write')
                talk.say(f'    url = "{row.moved_to}"')


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
def discover(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="URL", help="A page, or its site.")],
    add: Annotated[bool, typer.Option("--add", help="Write the best one into feeds.toml.")] = False,
    allow_private: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NETWORK", help="A private network to ask, such as 10.0.0.5/32; repeatable."
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Find the feeds of a page, and print them ready for feeds.toml."""
    talk = _talk(context)
    with _exit_codes(talk):
        from ipaddress import ip_network

        from aggregator.discover import discover as search
        from aggregator.editing import NewSubscription, subscriptions_toml
        from aggregator.parsing import ParsingPool
        from aggregator.urls import redact

        try:
            networks = tuple(map(ip_network, allow_private or ()))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

        written = context.obj.config.exists()
        site_url = _project(context).config.site.url if written else None

        async def go() -> "Search":
            with ParsingPool() as parser:
                async with _fetcher(site_url) as fetcher:
                    return await search(address, fetcher, parser, _now(), networks)

        result = asyncio.run(go())
        if result.trouble:
            talk.error(f"{redact(address)}: {result.trouble}")
            raise typer.Exit(EXIT_ALL_FAILED)
        new = [
            NewSubscription(
                found.url,
                found.title,
                found.language,
                tuple(map(str, networks)),
                f"{found.entries} entries"
                + (f", the newest of {found.newest:%Y-%m-%d}" if found.newest else ""),
            )
            for found in result.found
        ]
        if json:
            talk.json(result.found)
        elif add:
            _add(context, new[:1], talk)
        else:
            print(subscriptions_toml(new), end="")


@import_app.command("opml")
def import_opml(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The list that another reader exported.")],
) -> None:
    """Add the feeds of an OPML list to feeds.toml."""
    talk = _talk(context)
    with _exit_codes(talk):
        from aggregator.config import read_opml
        from aggregator.editing import NewSubscription

        try:
            feeds, warnings = read_opml(file.read_bytes())
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            talk.error(f"{file}: {reason}")
            raise typer.Exit(EXIT_USAGE) from None
        for warning in warnings:
            talk.warn(warning)
        new = [NewSubscription(f.url, f.title, comment=", ".join(f.folders)) for f in feeds]
        _add(context, new, talk)


@export_app.command("opml")
def export_opml(context: typer.Context) -> None:
    """Print the subscriptions as an OPML list, for another reader."""
    talk = _talk(context)
    with _exit_codes(talk):
        from aggregator.publish import render_subscriptions

        config = _project(context).config
        secret = [s.title for s in config.subscriptions if s.key != s.url or s.authorization]
        if secret:
            talk.warn(f"secrets were left out of: {', '.join(secret)}")
        sys.stdout.buffer.write(render_subscriptions(config.site, config.subscriptions))
        sys.stdout.buffer.flush()


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
                # Its publishers are this machine: nobody needs a rest.
                report, _ = _run(project, talk, everything=True, gap_seconds=0)
                talk.report(report, everything=True)
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


def _run(
    project: "Project", talk: Talk, *, everything: bool, gap_seconds: float | None = None
) -> tuple["RunReport", bool]:
    """Hold the lock, open the shells, run the pipeline.

    Gives its report, and whether the run before was offline.
    """
    from aggregator import pipeline
    from aggregator.parsing import ParsingPool
    from aggregator.publish import OutputFolder
    from aggregator.runlock import run_lock
    from aggregator.store import Store
    from aggregator.store.engine import database_path

    config = project.config

    async def go(store: Store, writer: OutputFolder, now: datetime) -> "RunReport":
        with talk.progress() as progress, ParsingPool() as parser:
            async with _fetcher(config.site.url, gap_seconds) as fetcher:
                return await pipeline.run(
                    config,
                    project.clippings,
                    store,
                    fetcher,
                    parser,
                    writer,
                    progress,
                    now,
                    everything=everything,
                )

    path = database_path(config.store_url, project.root)
    try:
        with run_lock(path):
            now = _now()
            writer = OutputFolder(project.root / config.publish.directory)
            with _store(project) as store:
                number = store.start_run(os.getpid(), now)
                was_offline = store.was_offline()
                report = asyncio.run(go(store, writer, now))
                store.finish_run(number, _now(), offline=report.offline)
    except LockedError as error:
        with _store(project) as store:
            last = store.last_run()
        who = f"process {last[0]}, since {last[1]:%Y-%m-%d %H:%M:%S} UTC" if last else str(path)
        raise LockedError(f"another run is at work ({who}); this one did nothing") from error
    for warning in project.warnings:
        talk.detail(str(warning))
    return report, was_offline


def _fetcher(site_url: str | None, gap_seconds: float | None = None) -> "Fetcher":
    from aggregator.fetch import GAP_SECONDS, Fetcher

    return Fetcher(
        f"aggregator/{__version__}" + (f" (+{site_url})" if site_url else ""),
        gap_seconds=GAP_SECONDS if gap_seconds is None else gap_seconds,
    )


def _add(context: typer.Context, new: "Sequence[NewSubscription]", talk: Talk) -> None:
    """Write new subscriptions into feeds.toml, and say so."""
    from aggregator.editing import add_subscriptions
    from aggregator.project import edit_config

    added = 0

    def edit(text: str) -> str:
        nonlocal added
        text, added = add_subscriptions(text, new)
        return text

    config = context.obj.config
    edit_config(config, edit, os.environ)
    known = f"; {len(new) - added} stood there already" if added < len(new) else ""
    talk.say(f"{config}: {added} subscriptions added{known}")


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
