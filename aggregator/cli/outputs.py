"""The commands that deal with what was published, and with what is no longer wanted."""

from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli.context import (
    EXIT_USAGE,
    AsJson,
    exclusive,
    exit_codes,
    load_project,
    make_console,
    open_outputs,
    open_store,
    read_clock,
)
from aggregator.errors import not_installed

if TYPE_CHECKING:
    from aggregator.model import Channel, PruneResult
    from aggregator.run.project import Project
    from aggregator.store import Store


def prune(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would be taken away.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Take away the feeds of tags and queries, and the pages of sources, that are no more, and the
    content of old entries that belong to no tag."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.model import PruneResult
        from aggregator.run.prune import prune_all

        project = load_project(context)
        with exclusive(project) as store:
            channels, pages = _plan(project, store) if dry_run else _take_away(project, store)
            pruned = prune_all(
                project.config, project.clippings, store, read_clock(),
                ended=[channel.key for channel in channels] if dry_run else None,
            )  # fmt: skip
        if json:
            found = pruned or PruneResult()
            talk.json(
                {
                    "feeds": [channel.slug for channel in channels],
                    "pages": pages,
                    "entries": found.entries,
                    "size_bytes": found.size_bytes,
                    "dry_run": dry_run,
                }
            )
        takes = "would take away" if dry_run else "took away"
        for channel in channels:
            talk.say(f"{channel.name}: {takes} {channel.slug}.atom and its archive")
        for name in pages:
            talk.say(f"{takes} {name}")
        if not channels:
            talk.say("no feed has ended")
        talk.say(_told(pruned, takes, project.config.keep_unmatched_days))


def _plan(project: "Project", store: "Store") -> "tuple[list[Channel], list[str]]":
    """The feeds that have ended; the pages of sources that are no more, and the archives."""
    from aggregator.publish.paths import SOURCES

    outputs = open_outputs(project)
    ended = _ended(store)
    pages = outputs.beside(SOURCES, _pages_of_sources(project))
    left = filter(outputs.has_archive, _without_archive(project, store))
    return ended, [*pages, *(f"{slug}/" for slug in left)]


def _take_away(project: "Project", store: "Store") -> "tuple[list[Channel], list[str]]":
    """Take them out of the outputs and the store; gives what they were.

    In this order: what could not be taken out of the outputs is still known to the next ``prune``.
    """
    from aggregator.publish.paths import SOURCES

    outputs = open_outputs(project)
    ended = _ended(store)
    for channel in ended:
        outputs.remove(channel.slug)
    store.published.remove_ended_channels()
    pages = outputs.keep_only(SOURCES, _pages_of_sources(project))
    left = [slug for slug in _without_archive(project, store) if outputs.remove_archive(slug)]
    return ended, [*pages, *(f"{slug}/" for slug in left)]


def _ended(store: "Store") -> "list[Channel]":
    return [channel for channel in store.published.channels() if channel.ended_at]


def _without_archive(project: "Project", store: "Store") -> list[str]:
    archive_all = project.config.publish.archive_all
    channels = store.published.channels()
    return [c.slug for c in channels if not c.is_archived(archive_all=archive_all)]


def _pages_of_sources(project: "Project") -> list[str]:
    from aggregator.publish.paths import source_files

    return list(source_files(project.config.sources).values())


def _told(pruned: "PruneResult | None", takes: str, days: int) -> str:
    """What is said of the content of entries."""
    from aggregator.store.vacuum import megabytes

    if pruned is None:
        return (
            "no content was looked at: feeds.toml or the clippings have changed, or a run was cut "
            'short; "aggregator run" matches what is stored, and then "aggregator prune" can tell'
        )
    if not days:
        return "all content is kept: [store] keep_unmatched_days is 0"
    if not pruned.entries:
        return f"no entry without a tag has content that is older than {days} days"
    return (
        f"{takes} the content of {pruned.entries:,} entries of no tag that had not changed for "
        f"{days} days: {megabytes(pruned.size_bytes)} ({pruned.size_bytes:,} bytes)"
    )


def vacuum(context: typer.Context, json: AsJson = False) -> None:
    """Give the space of what was pruned back to the disk, which takes as much again for a while."""
    talk = make_console(context)
    with exit_codes(talk):
        import shutil

        from aggregator.store.vacuum import megabytes
        from aggregator.store.vacuum import vacuum as vacuum_database

        with exclusive(load_project(context)) as store:
            before, after = vacuum_database(
                store.database, lambda folder: shutil.disk_usage(folder).free
            )
            name = store.name.rpartition("/")[2]
        if json:
            talk.json({"before_bytes": before, "after_bytes": after})
        talk.say(f"{name}: {megabytes(before)} before, {megabytes(after)} after")


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Serve the outputs over HTTP, and any query as a feed, until Ctrl-C."""
    talk = make_console(context)
    with exit_codes(talk):
        project = load_project(context)
        if project.config.publish.bucket:
            talk.error(
                f"nothing to serve: the outputs are in {project.config.publish.directory}, which "
                "is served by the store itself, or by what stands before it"
            )
            raise typer.Exit(EXIT_USAGE)
        try:
            from aggregator import serve as server
        except ModuleNotFoundError as error:
            talk.error(not_installed(str(error.name), "serve"))
            raise typer.Exit(EXIT_USAGE) from None
        config = project.config
        folder = project.root / config.publish.directory
        application = server.application(
            config, tuple(project.clippings), folder, lambda: open_store(project), read_clock
        )
        talk.say(f"Serving {folder} on http://{host}:{port}/; Ctrl-C ends it.")
        server.serve(application, host, port)
