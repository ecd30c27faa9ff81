"""The commands that keep a copy of the database, and put it back."""

from pathlib import Path
from typing import Annotated

import typer

from aggregator.cli.context import AsJson, acquire_lock, get_console, load_project, read_clock


def backup(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="Where to put it; default: beside the database.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Copy the database, also while a run is at work, and verify the copy."""
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
    file: Annotated[Path, typer.Argument(help="A backup.")],
    json: AsJson = False,
) -> None:
    """Put a backup in the place of the database, which is kept beside it."""
    from aggregator.store import backup as backups

    console, project = get_console(context), load_project(context)
    url, root = project.config.store_url, project.root
    with acquire_lock(root, url):
        result = backups.restore(url, root, file, read_clock())
    if json:
        console.json(result)
    kept = f"; what stood there is now {result.aside}" if result.aside else ""
    console.info(f"{result.file}: {result.entries:,} entries, as {file} has them{kept}")
