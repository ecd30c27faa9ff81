"""What a run prints: its report, the cost of its stages, and a progress bar."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aggregator.cli.console import Console, make_table, printable
from aggregator.model import FeedEventKind, RunReport, StageCost, Subscription

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from aggregator.run.poll import Progress


def print_report(
    console: Console,
    report: RunReport,
    *,
    everything: bool = False,
    still_offline: bool = False,
    job: str = "",
) -> None:
    """Warn of new troubles; where somebody is watching, also list all of them and a summary.

    ``everything``: as if somebody were watching. ``still_offline``: the run before was offline too
    and has said so. ``job``: the name of the worker's job, if it is not a whole run.
    """
    watched = (console.interactive or everything) and not console.quiet
    offline = report.offline and not still_offline
    if offline:
        console.warn("no network: no feed answered (not counted as failures)")
    for trouble in report.troubles:
        if watched or (offline and trouble.new):
            streak = f" ({trouble.streak} times in a row)" if trouble.streak > 1 else ""
            console.warn(f'"{trouble.title}": {trouble.reason}{streak}')
    # Broken and gone subscriptions are among the troubles.
    reported_kinds = (
        {FeedEventKind.BROKEN, FeedEventKind.GONE} if watched else {FeedEventKind.SILENT}
    )
    for event in report.events:
        if event.kind not in reported_kinds:
            console.warn(f'"{event.title}": {event.message}')
    if everything or console.verbose:
        for warning in report.warnings:
            console.info(warning)
    if watched:
        console.info((f"{job}: " if job else "") + _summary(report))


def _summary(report: RunReport) -> str:
    waiting = f", {report.waiting} not due" if report.waiting else ""
    pruned = f", {report.pruned} pruned" if report.pruned else ""
    return (
        f"{report.polled} polled ({report.fetched} fetched, {report.not_modified} not modified, "
        f"{len(report.troubles)} failed){waiting}; {report.new} new entries, "
        f"{report.modified} modified, {report.matched} new matches{pruned}; "
        f"{len(report.written)} files written"
    )


def print_stages(console: Console, costs: Sequence[StageCost]) -> None:
    """Where the time of a run went, and how much data each stage handled."""
    columns = ["wall s", "CPU s", "MB", "entries"]
    table = make_table(["stage", *columns], columns)
    for cost in costs:
        size = f"{cost.size_bytes / 1e6:.2f}" if cost.size_bytes else ""
        entries = f"{cost.entries:,}" if cost.entries else ""
        seconds = f"{cost.wall_seconds:.3f}", f"{cost.cpu_seconds:.3f}"
        table.add_row(cost.stage, *seconds, size, entries)
    # Child processes parse while the run goes on, so their wall time is not added.
    wall = sum(cost.wall_seconds for cost in costs if cost.stage != "parse")
    table.add_row("all", f"{wall:.3f}", f"{sum(c.cpu_seconds for c in costs):.3f}")
    console.stderr.print(table)


@contextmanager
def progress_bar(console: Console) -> Iterator["Progress"]:
    """A bar on a terminal, nothing elsewhere."""
    if console.quiet or not sys.stderr.isatty():
        from aggregator.run.poll import NullProgress

        yield NullProgress()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as RichProgress

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with RichProgress(*columns, console=console.stderr, transient=True) as bar:
        yield _ProgressBar(bar)


class _ProgressBar:
    def __init__(self, bar: "RichProgress") -> None:
        self._bar = bar

    def begin(self, total: int) -> None:
        self._task = self._bar.add_task("polling", total=total)

    def polled(self, subscription: Subscription, outcome: str) -> None:
        description = printable(f"{subscription.title}: {outcome}")[:60]
        self._bar.update(self._task, advance=1, description=description)
