"""The commands that back up and restore the database."""

from pathlib import Path
from typing import Annotated

import typer

from aggregator.cli.context import AsJson, acquire_lock, get_console, load_project, read_clock


def backup(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="File to write; default: next to the database.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Back up the database, even during a run, and verify the copy."""
    from aggregator.store.backup import back_up, default_backup
    from aggregator.store.vacuum import megabytes

    console, project = get_console(context), load_project(context)
    url, root = project.config.store_url, project.root
    result = back_up(url, root, file or default_backup(url, root, read_clock()))
    if json:
        console.json(result)
    size = megabytes(result.size_bytes)
    console.info(f"{result.file}: {result.entries:,} entries, {size}, verified")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The backup to restore.")],
    json: AsJson = False,
) -> None:
    """Replace the database with a backup. The old database is kept next to it."""
    from aggregator.store import backup as backups

    console, project = get_console(context), load_project(context)
    url, root = project.config.store_url, project.root
    with acquire_lock(root, url):
        result = backups.restore(url, root, file, read_clock())
    if json:
        console.json(result)
    previous = f"; the previous database is now {result.aside}" if result.aside else ""
    console.info(f"{result.file}: {result.entries:,} entries, restored from {file}{previous}")
