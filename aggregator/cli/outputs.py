"""The commands that deal with what was published."""

from typing import Annotated

import typer

from aggregator.cli.shell import (
    EXIT_USAGE,
    exit_codes,
    project_of,
    read_clock,
    store_of,
    talk_of,
)


def prune(context: typer.Context) -> None:
    """Take away the feeds of tags and queries, and the pages of sources, that are no more."""
    talk = talk_of(context)
    with exit_codes(talk):
        from aggregator.publish import OutputFolder
        from aggregator.publish.pages import SOURCES, Pages
        from aggregator.runlock import run_lock
        from aggregator.store.engine import database_path

        project = project_of(context)
        config = project.config
        with run_lock(database_path(config.store_url, project.root)), store_of(project) as store:
            folder = OutputFolder(project.root / config.publish.directory, config.publish.compress)
            ended = store.prune()
            for channel in ended:
                folder.remove(channel.slug)
                talk.say(f"{channel.name}: took away {channel.slug}.atom and its archive")
            titles = {s.key: s.title for s in config.subscriptions}
            wanted = Pages(config.site, titles, ()).source_names()
            for name in folder.keep_only(SOURCES, wanted):
                talk.say(f"took away {name}")
            if not ended:
                talk.say("no feed has ended")


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
) -> None:
    """Serve the outputs over HTTP, and any query as a feed, until Ctrl-C."""
    talk = talk_of(context)
    with exit_codes(talk):
        project = project_of(context)
        try:
            from aggregator import serve as server
        except ModuleNotFoundError as error:
            talk.error(f"{error.name} is not installed: serve needs aggregator[serve]")
            raise typer.Exit(EXIT_USAGE) from None
        config = project.config
        folder = project.root / config.publish.directory
        application = server.application(
            config, tuple(project.clippings), folder, lambda: store_of(project), read_clock
        )
        talk.say(f"Serving {folder} on http://{host}:{port}/; Ctrl-C ends it.")
        server.serve(application, host, port)
