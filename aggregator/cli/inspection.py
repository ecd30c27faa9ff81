"""The commands that read the database: status, tags, explain."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from aggregator.cli.context import (
    AsJson,
    LinkOrId,
    get_console,
    get_options,
    load_project,
    open_store,
    read_clock,
)
from aggregator.cli.exit_codes import EXIT_USAGE

if TYPE_CHECKING:
    from aggregator.inspect.status import Explanation


def status(context: typer.Context, json: AsJson = False) -> None:
    """Show each subscription: state, entries, next poll and errors."""
    from aggregator.inspect.status import failed_jobs, subscription_status

    config_file, console = get_options(context).config, get_console(context)
    project = load_project(context)
    with open_store(project) as store:
        rows = subscription_status(project.config, store, read_clock())
        job_failures = failed_jobs(store)
    if json:
        console.json(rows)
        return
    console.table([replace(row, notes=()) for row in rows])  # they are long
    for row in rows:
        for note in row.notes:
            console.info(f'"{row.subscription}": {note}')
        if row.moved_to:
            console.info(f'"{row.subscription}" has moved; in {config_file}, write')
            console.info(f'    url = "{row.moved_to}"')
    for job in job_failures:
        console.info(f"workers failed {job.attempts} times to {job.name}: {job.reason}")


def tags(context: typer.Context, json: AsJson = False) -> None:
    """Show each tag: its feed, clippings, entries and aliases."""
    from aggregator.inspect.status import private_bookmarks, tag_status

    console, project = get_console(context), load_project(context)
    with open_store(project) as store:
        rows = tag_status(project.config, project.clippings, store)
        for warning in private_bookmarks(project.config, project.clippings, store):
            console.warn(warning)
    console.json(rows) if json else console.table(rows)


def explain(context: typer.Context, entry: LinkOrId, json: AsJson = False) -> None:
    """Explain why an entry has its tags."""
    from aggregator.inspect.status import explain_entries

    console, project = get_console(context), load_project(context)
    with open_store(project) as store:
        entries = explain_entries(entry, project.config, project.clippings, store)
    if not entries:
        console.error(f'no entry has the link or id "{entry}"')
        raise typer.Exit(EXIT_USAGE)
    if json:
        console.json(entries)
        return
    for explanation in entries:
        console.print("\n".join(_explanation_lines(explanation)))


def _explanation_lines(entry: "Explanation") -> Iterator[str]:
    yield entry.title
    yield f"  {entry.link or entry.id}"
    yield f"  in {entry.feed}"
    yield f"  first seen {entry.first_seen_at:%Y-%m-%d %H:%M} UTC"
    if entry.pruned_at:
        date = f"{entry.pruned_at:%Y-%m-%d}"
        yield f"  its content was removed on {date}; it is no longer matched"
    if all(match["near"] for match in entry.matches):
        yield "  no tag" + (", near misses:" if entry.matches else "")
    for match in entry.matches:
        yield from _match_lines(match)
    if entry.missed:
        yield "  other tags with the highest scores:"
    for match in entry.missed:
        yield from _match_lines(match)


def _match_lines(match: Mapping[str, Any]) -> Iterator[str]:
    note = " (one clipping: matched by name only)" if match["clippings"] == 1 else ""
    yield f"  #{match['tag']}  {match['score']} (needs {match['threshold']}){note}"
    for evidence in match["evidence"]:
        line = f"    {evidence['weight']:<6} {evidence['kind']}"
        where, detail = evidence["where"], evidence["detail"]
        if evidence["kind"] == "similar":
            similar = f"“{where}”" if where else "private clippings"
            yield f"{line}: similar to {similar} in {detail}"
        elif evidence["kind"] == "decision":
            yield f"{line}: your decision"
        elif evidence["kind"] == "narrower":
            yield f"{line}: it has the tag “{detail}”"
        else:
            yield f"{line}: “{detail}” in the {where}"
