"""The commands that prune, vacuum, and serve the outputs."""

from typing import TYPE_CHECKING, Annotated

import typer

from aggregator.cli.context import (
    AsJson,
    exclusive,
    get_console,
    load_project,
    open_outputs,
    open_store,
    read_clock,
)
from aggregator.cli.exit_codes import EXIT_USAGE
from aggregator.errors import not_installed

if TYPE_CHECKING:
    from aggregator.model import Channel, PruneResult
    from aggregator.run.project import Project
    from aggregator.store import Store


def prune(
    context: typer.Context,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be removed.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Remove unconfigured feeds and pages, and old untagged content."""
    from aggregator.model import PruneResult
    from aggregator.run.prune import prune_all

    console, project = get_console(context), load_project(context)
    with exclusive(project) as store:
        channels, pages = _remove_ended(project, store, dry_run=dry_run)
        pruned = prune_all(
            project.config, project.clippings, store, read_clock(),
            ended=[channel.key for channel in channels] if dry_run else None,
        )  # fmt: skip
    if json:
        result = pruned or PruneResult()
        console.json(
            {
                "feeds": [channel.slug for channel in channels],
                "pages": pages,
                "entries": result.entries,
                "size_bytes": result.size_bytes,
                "dry_run": dry_run,
            }
        )
    action = "would remove" if dry_run else "removed"
    for channel in channels:
        console.info(f"{channel.name}: {action} {channel.slug}.atom and its archive")
    for name in pages:
        console.info(f"{action} {name}")
    if not channels:
        console.info("no feed to remove")
    console.info(_describe_pruned(pruned, action, project.config.keep_unmatched_days))


def _remove_ended(
    project: "Project", store: "Store", *, dry_run: bool
) -> "tuple[list[Channel], list[str]]":
    """Remove unconfigured feeds, pages and archives; returns the feeds, and the other names.

    Files are removed before rows: the next ``prune`` finds what could not be removed.
    """
    from aggregator.publish.paths import SOURCES, source_files

    config, outputs = project.config, open_outputs(project)
    ended = [channel for channel in store.published.channels() if channel.ended_at]
    source_pages = list(source_files(config.sources).values())
    if dry_run:
        pages = outputs.other_pages(SOURCES, source_pages)
    else:
        for channel in ended:
            outputs.remove(channel.slug)
        store.published.remove_ended_channels()
        pages = outputs.remove_other_pages(SOURCES, source_pages)
    unarchived = [
        channel.slug
        for channel in store.published.channels()
        if not channel.is_archived(archive_all=config.publish.archive_all)
    ]
    archives = filter(outputs.has_archive if dry_run else outputs.remove_archive, unarchived)
    return ended, [*pages, *(f"{slug}/" for slug in archives)]


def _describe_pruned(pruned: "PruneResult | None", action: str, days: int) -> str:
    """The line about the content of entries."""
    from aggregator.store.vacuum import megabytes

    if pruned is None:
        return (
            "content was not checked: feeds.toml or the clippings have changed, or a run was "
            'interrupted; do "aggregator run" first, then "aggregator prune"'
        )
    if not days:
        return "all content is kept: [store] keep_unmatched_days is 0"
    if not pruned.entries:
        return f"no content to remove: no untagged entry is older than {days} days"
    return (
        f"{action} the content of {pruned.entries:,} untagged entries that had not changed for "
        f"{days} days: {megabytes(pruned.size_bytes)} ({pruned.size_bytes:,} bytes)"
    )


def vacuum(context: typer.Context, json: AsJson = False) -> None:
    """Return unused database space to the disk. Needs as much free space meanwhile."""
    import shutil

    from aggregator.store.vacuum import megabytes
    from aggregator.store.vacuum import vacuum as vacuum_database

    console = get_console(context)
    with exclusive(load_project(context)) as store:
        before, after = vacuum_database(
            store.database, lambda folder: shutil.disk_usage(folder).free
        )
        name = store.name.rpartition("/")[2]
    if json:
        console.json({"before_bytes": before, "after_bytes": after})
    console.info(f"{name}: {megabytes(before)} before, {megabytes(after)} after")


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Serve the outputs, and any query as a feed, over HTTP."""
    console, project = get_console(context), load_project(context)
    config = project.config
    if config.publish.bucket:
        console.error(
            f"nothing to serve: the outputs are in {config.publish.directory}, "
            "which the object store or a CDN serves"
        )
        raise typer.Exit(EXIT_USAGE)
    try:
        from aggregator import serve as server
    except ModuleNotFoundError as error:
        console.error(not_installed(str(error.name), "serve"))
        raise typer.Exit(EXIT_USAGE) from None
    folder = project.root / config.publish.directory
    application = server.make_application(
        config, tuple(project.clippings), folder, lambda: open_store(project), read_clock
    )
    console.info(f"Serving {folder} on http://{host}:{port}/; Ctrl-C stops it.")
    server.serve(application, host, port)
