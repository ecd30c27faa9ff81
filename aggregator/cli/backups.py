"""The commands that keep a copy of the database, and put it back."""

from pathlib import Path
from typing import Annotated

import typer

from aggregator.cli.context import (
    AsJson,
    acquire_lock,
    exit_codes,
    load_project,
    make_console,
    read_clock,
)


def backup(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(help="Where to put it; default: beside the database.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Copy the database, also while a run is at work, and verify the copy."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.store.backup import back_up, default_backup
        from aggregator.store.vacuum import megabytes

        project = load_project(context)
        url, root = project.config.store_url, project.root
        made = back_up(url, root, file or default_backup(url, root, read_clock()))
        if json:
            talk.json(made)
        talk.say(f"{made.file}: {made.entries:,} entries, {megabytes(made.size_bytes)}, verified")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A backup.")],
    json: AsJson = False,
) -> None:
    """Put a backup in the place of the database, which is kept beside it."""
    talk = make_console(context)
    with exit_codes(talk):
        from aggregator.store import backup as backups

        project = load_project(context)
        url, root = project.config.store_url, project.root
        with acquire_lock(root, url):
            made = backups.restore(url, root, file, read_clock())
        if json:
            talk.json(made)
        kept = f"; what stood there is now {made.aside}" if made.aside else ""
        talk.say(f"{made.file}: {made.entries:,} entries, as {file} has them{kept}")
