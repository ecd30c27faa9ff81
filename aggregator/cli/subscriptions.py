"""The commands that discover, import and export subscriptions."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli.context import (
    AllowPrivate,
    AsJson,
    get_console,
    get_options,
    load_project,
    make_fetcher,
    parse_networks,
    read_clock,
)
from aggregator.cli.exit_codes import EXIT_ALL_FAILED, EXIT_USAGE
from aggregator.cli.signals import run_async

if TYPE_CHECKING:
    from aggregator.config.edit import NewSubscription
    from aggregator.discover import Discovery

import_app = typer.Typer(help="Import subscriptions from another feed reader.")
export_app = typer.Typer(help="Export subscriptions for another feed reader.")


def discover(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="URL", help="Address of a page or site.")],
    add: Annotated[bool, typer.Option("--add", help="Add the best one to feeds.toml.")] = False,
    allow_private: AllowPrivate = None,
    json: AsJson = False,
) -> None:
    """Find the feeds of a page, and print them as TOML for feeds.toml."""
    from aggregator.config.edit import NewSubscription, subscriptions_toml
    from aggregator.discover import discover as search
    from aggregator.parse.pool import ParsingPool
    from aggregator.text.urls import redact

    networks, console = parse_networks(allow_private), get_console(context)
    has_project = get_options(context).config.exists()
    site_url = load_project(context).config.site.url if has_project else None

    async def search_feeds() -> "Discovery":
        with ParsingPool() as parser:
            async with make_fetcher(site_url) as fetcher:
                return await search(address, fetcher, parser, read_clock(), networks)

    result = run_async(search_feeds())
    if result.error:
        console.error(f"{redact(address)}: {result.error}")
        raise typer.Exit(EXIT_ALL_FAILED)
    new = [
        NewSubscription(
            feed.url,
            feed.title,
            feed.language,
            tuple(map(str, networks)),
            f"{feed.entries} entries" + (f", newest {feed.newest:%Y-%m-%d}" if feed.newest else ""),
        )
        for feed in result.feeds
    ]
    if json:
        console.json(result.feeds)
    elif add:
        _add(context, new[:1])
    else:
        print(subscriptions_toml(new), end="")


@import_app.command("opml")
def import_opml(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The OPML file of another reader.")],
) -> None:
    """Add the feeds of an OPML list to feeds.toml."""
    from aggregator.config.edit import NewSubscription
    from aggregator.config.opml_import import read_opml

    console = get_console(context)
    try:
        feeds, warnings = read_opml(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        console.error(f"{file}: {reason}")
        raise typer.Exit(EXIT_USAGE) from None
    for warning in warnings:
        console.warn(warning)
    new = [NewSubscription(f.url, f.title, comment=", ".join(f.folders)) for f in feeds]
    _add(context, new)


@export_app.command("opml")
def export_opml(context: typer.Context) -> None:
    """Print the subscriptions as OPML."""
    from aggregator.model import Role
    from aggregator.publish.opml import render_subscriptions

    config = load_project(context).config
    subscriptions = [s for s in config.subscriptions if s.role is not Role.PRIVATE_CLIPPINGS]
    with_secrets = [s.title for s in subscriptions if s.key != s.url or s.authorization]
    if with_secrets:
        get_console(context).warn(f"secrets were left out of: {', '.join(with_secrets)}")
    sys.stdout.buffer.write(render_subscriptions(config.site, subscriptions))
    sys.stdout.buffer.flush()


def _add(context: typer.Context, new: "Sequence[NewSubscription]") -> None:
    """Add new subscriptions to feeds.toml, and print how many."""
    from aggregator.config.edit import add_subscriptions
    from aggregator.run.project import edit_config

    added = 0

    def edit(text: str) -> str:
        nonlocal added
        text, added = add_subscriptions(text, new)
        return text

    config_file = get_options(context).config
    edit_config(config_file, edit, os.environ)
    existing = f"; {len(new) - added} already there" if added < len(new) else ""
    get_console(context).info(f"{config_file}: {added} subscriptions added{existing}")
