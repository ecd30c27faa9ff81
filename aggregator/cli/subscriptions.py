"""Commands that find, bring and take subscriptions."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli.console import Console
from aggregator.cli.context import (
    EXIT_ALL_FAILED,
    EXIT_USAGE,
    AllowPrivate,
    AsJson,
    exit_codes,
    load_project,
    make_console,
    make_fetcher,
    parse_networks,
    read_clock,
    run_async,
)

if TYPE_CHECKING:
    from aggregator.config.edit import NewSubscription
    from aggregator.discover import Discovery

import_app = typer.Typer(help="Bring subscriptions from another feed reader.")
export_app = typer.Typer(help="Take subscriptions to another feed reader.")


def discover(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="URL", help="A page, or its site.")],
    add: Annotated[bool, typer.Option("--add", help="Write the best one into feeds.toml.")] = False,
    allow_private: AllowPrivate = None,
    json: AsJson = False,
) -> None:
    """Find the feeds of a page, and print them ready for feeds.toml."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.config.edit import NewSubscription, subscriptions_toml
        from aggregator.discover import discover as search
        from aggregator.parse.pool import ParsingPool
        from aggregator.text.urls import redact

        networks = parse_networks(allow_private)
        written = context.obj.config.exists()
        site_url = load_project(context).config.site.url if written else None

        async def go() -> "Discovery":
            with ParsingPool() as parser:
                async with make_fetcher(site_url) as fetcher:
                    return await search(address, fetcher, parser, read_clock(), networks)

        result = run_async(go())
        if result.error:
            talk.error(f"{redact(address)}: {result.error}")
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
            for found in result.feeds
        ]
        if json:
            talk.json(result.feeds)
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
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.config.edit import NewSubscription
        from aggregator.config.opml_import import read_opml

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
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.publish.opml import render_subscriptions

        config = load_project(context).config
        secret = [s.title for s in config.subscriptions if s.key != s.url or s.authorization]
        if secret:
            talk.warn(f"secrets were left out of: {', '.join(secret)}")
        sys.stdout.buffer.write(render_subscriptions(config.site, config.subscriptions))
        sys.stdout.buffer.flush()


def _add(context: typer.Context, new: "Sequence[NewSubscription]", talk: Console) -> None:
    """Write new subscriptions into feeds.toml, and say so."""
    from aggregator.config.edit import add_subscriptions
    from aggregator.run.project import edit_config

    added = 0

    def edit(text: str) -> str:
        nonlocal added
        text, added = add_subscriptions(text, new)
        return text

    config = context.obj.config
    edit_config(config, edit, os.environ)
    known = f"; {len(new) - added} stood there already" if added < len(new) else ""
    talk.say(f"{config}: {added} subscriptions added{known}")
