"""The commands that correct, repeat and preview the matching."""

import json as json_format
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli.console import Console
from aggregator.cli.context import (
    AllowPrivate,
    AsJson,
    LinkOrId,
    exclusive,
    get_console,
    load_project,
    make_fetcher,
    open_outputs,
    open_store,
    parse_networks,
    read_clock,
)
from aggregator.cli.exit_codes import EXIT_USAGE
from aggregator.cli.signals import run_async

if TYPE_CHECKING:
    from aggregator.inspect.suggestions import Moves, Preview, Sources
    from aggregator.store import Store

TagName = Annotated[str, typer.Argument(metavar="TAG", help="Name or alias of the tag.")]
Undo = Annotated[bool, typer.Option("--undo", help="Undo your decision.")]


def confirm(context: typer.Context, entry: LinkOrId, tag: TagName, undo: Undo = False) -> None:
    """Give an entry a tag; matching learns from it as from a clipping."""
    _decide(context, entry, tag, None if undo else True)


def reject(context: typer.Context, entry: LinkOrId, tag: TagName, undo: Undo = False) -> None:
    """Take a tag from an entry for good."""
    _decide(context, entry, tag, None if undo else False)


def _decide(context: typer.Context, entry: str, tag: str, confirmed: bool | None) -> None:
    from aggregator.inspect.suggestions import decide

    console, project = get_console(context), load_project(context)
    with exclusive(project) as store:
        message = decide(
            entry, tag, confirmed, project.config, project.clippings, store, read_clock()
        )
    if message is None:
        console.error(f'no entry has the link or id "{entry}"')
        raise typer.Exit(EXIT_USAGE)
    console.info(message)


def retag(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would enter and leave each feed.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Match all stored entries again, without polling. Use it after changes to clippings or tags."""
    from aggregator.inspect.suggestions import preview_retag
    from aggregator.run import pipeline

    console, project = get_console(context), load_project(context)
    config = project.config
    with exclusive(project) as store:
        moves = preview_retag(config, project.clippings, store, keep=not dry_run)
        if not dry_run:
            writer = open_outputs(project)
            pipeline.retag(config, project.clippings, store, writer, read_clock())
    console.json(moves) if json else _print_moves(console, moves, dry_run=dry_run)


def _print_moves(console: Console, moves: Sequence["Moves"], *, dry_run: bool) -> None:
    for move in moves:
        console.print(f"#{move.tag}: {len(move.enters)} enter, {len(move.leaves)} leave")
        for sign, titles in (("+", move.enters), ("-", move.leaves)):
            for title in titles:
                console.print(f"  {sign} {title}")
    if not moves:
        console.info("nothing would change" if dry_run else "nothing changed")


def preview(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="FEED-URL", help="Address of the feed.")],
    allow_private: AllowPrivate = None,
    json: AsJson = False,
) -> None:
    """Show the entries of a feed and their tags, before you subscribe."""
    from aggregator.inspect.suggestions import preview_feed
    from aggregator.parse.pool import ParsingPool

    networks = parse_networks(allow_private)
    console, project = get_console(context), load_project(context)

    async def fetch_preview(store: "Store") -> "Preview":
        with ParsingPool() as parser:
            async with make_fetcher(project.config.site.url) as fetcher:
                return await preview_feed(
                    url, project.config, project.clippings, store, fetcher, parser,
                    read_clock(), networks,
                )  # fmt: skip

    with open_store(project) as store:
        result = run_async(fetch_preview(store))
    console.json(result) if json else _print_preview(console, result)
    if result.trouble:
        raise typer.Exit(EXIT_USAGE)


def _print_preview(console: Console, result: "Preview") -> None:
    if result.trouble:
        console.error(f"{result.url}: {result.trouble}")
        return
    tagged = sum(1 for entry in result.entries if entry.tags)
    console.print(f"{result.title}: {len(result.entries)} entries, {tagged} with a tag")
    for entry in result.entries:
        tags = _tag_list(entry.tags) or (entry.nearly and f"nearly {_tag_list(entry.nearly)}")
        console.print(f"  {entry.title}: {tags or '–'}")


def _tag_list(scores: dict[str, float]) -> str:
    return ", ".join(f"#{tag} {score:.2f}" for tag, score in scores.items())


suggest_app = typer.Typer(
    help="Suggest additions to feeds.toml.", no_args_is_help=True, rich_markup_mode=None
)


@suggest_app.command("sources")
def suggest_sources(context: typer.Context, json: AsJson = False) -> None:
    """List popular sites to subscribe to, and subscriptions without matches."""
    from aggregator.inspect import suggestions

    console, project = get_console(context), load_project(context)
    with open_store(project) as store:
        sources = suggestions.suggest_sources(project.config, project.clippings, store)
    console.json(sources) if json else _print_sources(console, sources)


def _print_sources(console: Console, sources: "Sources") -> None:
    for host, clipped, linked in sources.missing:
        console.print(f"{host}: clipped {clipped} times, linked from {linked} entries")
    if sources.missing:
        console.info('not subscribed; find their feeds with "aggregator discover SITE"')
    for title in sources.idle:
        console.print(f'"{title}": no entry ever had a tag')
    if not sources.missing and not sources.idle:
        console.info("nothing to suggest")


@suggest_app.command("aliases")
def suggest_aliases(context: typer.Context, json: AsJson = False) -> None:
    """List tags that look like two names of the same thing."""
    from aggregator.inspect import suggestions

    console, project = get_console(context), load_project(context)
    aliases = suggestions.suggest_aliases(project.config, project.clippings)
    if json:
        console.json(aliases)
        return
    for alias in aliases:
        tag, name = (
            json_format.dumps(each, ensure_ascii=False) for each in (alias.tag, alias.alias)
        )
        console.print(f"[tags.{tag}]\naliases = [{name}]  # {alias.why}")
    if not aliases:
        console.info("nothing to suggest")
