"""The commands by which the reader and the matching come to terms."""

from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli.context import (
    EXIT_USAGE,
    AllowPrivate,
    AsJson,
    exclusive,
    exit_codes,
    load_project,
    make_console,
    make_fetcher,
    open_outputs,
    open_store,
    parse_networks,
    read_clock,
    run_async,
)

if TYPE_CHECKING:
    from aggregator.store import Store

Entry = Annotated[str, typer.Argument(metavar="LINK-OR-ID", help="Its link, or its id.")]
TagName = Annotated[str, typer.Argument(metavar="TAG", help="The tag's name, or an alias of it.")]


def confirm(
    context: typer.Context,
    entry: Entry,
    tag: TagName,
    undo: Annotated[bool, typer.Option("--undo", help="Take your decision back.")] = False,
) -> None:
    """Say that an entry belongs to a tag: it stands in its feed, and teaches like a clipping."""
    _decide(context, entry, tag, None if undo else True)


def reject(
    context: typer.Context,
    entry: Entry,
    tag: TagName,
    undo: Annotated[bool, typer.Option("--undo", help="Take your decision back.")] = False,
) -> None:
    """Say that an entry does not belong to a tag: it leaves its feed for good."""
    _decide(context, entry, tag, None if undo else False)


def _decide(context: typer.Context, entry: str, tag: str, confirmed: bool | None) -> None:
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.inspect.suggestions import decide

        project = load_project(context)
        with exclusive(project) as store:
            told = decide(
                entry, tag, confirmed, project.config, project.clippings, store, read_clock()
            )
        if told is None:
            talk.error(f'no entry has the link or id "{entry}"')
            raise typer.Exit(EXIT_USAGE)
        talk.say(told)


def retag(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would enter and leave each feed.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Match what is stored again, after new clippings, aliases or thresholds; poll nothing."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.inspect.suggestions import preview_retag
        from aggregator.run import pipeline

        project = load_project(context)
        config = project.config
        with exclusive(project) as store:
            moves = preview_retag(config, project.clippings, store, keep=not dry_run)
            if not dry_run:
                writer = open_outputs(project)
                pipeline.retag(config, project.clippings, store, writer, read_clock())
        talk.json(moves) if json else talk.moves(moves, dry_run=dry_run)


def preview(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="FEED-URL", help="A feed not yet subscribed to.")],
    allow_private: AllowPrivate = None,
    json: AsJson = False,
) -> None:
    """Show what a feed would give, before subscribing: its entries and the tags they belong to."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.inspect.suggestions import Preview, preview_feed
        from aggregator.parse.pool import ParsingPool

        networks = parse_networks(allow_private)
        project = load_project(context)

        async def go(store: "Store") -> Preview:
            with ParsingPool() as parser:
                async with make_fetcher(project.config.site.url) as fetcher:
                    return await preview_feed(
                        url, project.config, project.clippings, store, fetcher, parser,
                        read_clock(), networks,
                    )  # fmt: skip

        with open_store(project) as store:
            found = run_async(go(store))
        talk.json(found) if json else talk.preview(found)
        if found.trouble:
            raise typer.Exit(EXIT_USAGE)


suggest_app = typer.Typer(
    help="Suggest what to write into feeds.toml.", no_args_is_help=True, rich_markup_mode=None
)


@suggest_app.command("sources")
def sources(context: typer.Context, json: AsJson = False) -> None:
    """Sites clipped or linked to often that are not subscribed to, and sources never matched."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.inspect.suggestions import suggest_sources

        project = load_project(context)
        with open_store(project) as store:
            found = suggest_sources(project.config, project.clippings, store)
        talk.json(found) if json else talk.sources(found)


@suggest_app.command("aliases")
def aliases(context: typer.Context, json: AsJson = False) -> None:
    """Tags of the clippings that look like two names of one thing."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.inspect.suggestions import suggest_aliases

        project = load_project(context)
        found = suggest_aliases(project.config, project.clippings)
        talk.json(found) if json else talk.aliases(found)
