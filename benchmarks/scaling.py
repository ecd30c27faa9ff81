"""Measures how the cost of a run grows with subscriptions and with stored entries.

In installations of many sizes (`benchmarks.filled`), three runs are timed as in `benchmarks.runs`.
*nothing due*: the usual case with cron; *warm*: ``--all``, and every feed answers 304; *10 new*: ten
feeds are due, and each has one new entry with another tag. The report of each run is checked. Prints
the tables, and draws docs/scaling.svg.

It takes an hour or more, and 30 GB in the folder of temporary files. ``python -m benchmarks.scaling
MAX_SUBSCRIPTIONS MAX_ENTRIES`` omits larger sizes: 1000 20000 takes a minute. It also redraws the
plot.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.editions import CHANGING, editions
from benchmarks.filled import RUN, addresses, fill, schedule
from benchmarks.plot import Line, Panel, draw
from benchmarks.server import serve_edition, serving
from benchmarks.timing import Timed, time_process

SUBSCRIPTIONS = (1_000, 10_000, 50_000)  # with the fewest entries
ENTRIES = (100_000, 1_000_000, 5_000_000)  # with the fewest subscriptions
NOTHING, WARM, NEW = PHASES = ("nothing due", "warm", f"{CHANGING} new")
ROUNDS = 3
PLOT = Path(__file__).resolve().parents[1] / "docs" / "scaling.svg"


@dataclass(frozen=True)
class Measurement:
    """One installation. ``fill_seconds``: the time to create it."""

    phases: dict[str, Timed]
    bytes_per_entry: float
    fill_seconds: float


def main(max_subscriptions: int = SUBSCRIPTIONS[-1], max_entries: int = ENTRIES[-1]) -> None:
    """Print the tables, and draw the plot."""
    subscriptions = _up_to(SUBSCRIPTIONS, max_subscriptions)
    entries = _up_to(ENTRIES, max_entries)
    by_subscriptions = [(number, entries[0]) for number in subscriptions]
    by_entries = [(subscriptions[0], number) for number in entries]
    measurements: dict[tuple[int, int], Measurement] = {}
    for sizes in dict.fromkeys(by_subscriptions + by_entries):
        measurements[sizes] = _measure(*sizes)
        phases = measurements[sizes].phases.items()
        summary = ", ".join(f"{phase} {median(timed.wall):.1f} s" for phase, timed in phases)
        print(f"{sizes[0]:,} subscriptions, {sizes[1]:,} entries: {summary}", file=sys.stderr)
    print(f"\nRuns as separate processes; medians of {ROUNDS}: wall / CPU s, MB\n")
    _print(f"subscriptions, with {entries[0]:,} entries", 0, by_subscriptions, measurements)
    _print(f"entries, with {subscriptions[0]:,} subscriptions", 1, by_entries, measurements)
    panels = [
        _panel(f"Subscriptions ({entries[0]:,} entries)", 0, by_subscriptions, measurements),
        _panel(f"Stored entries ({subscriptions[0]:,} subscriptions)", 1, by_entries, measurements),
    ]
    PLOT.write_text(draw("Seconds that a run takes", panels), "utf-8")


def _up_to(sizes: Sequence[int], maximum: int) -> list[int]:
    return [*(size for size in sizes if size < maximum), maximum]


def _measure(subscriptions: int, entries: int) -> Measurement:
    began = datetime.now(UTC).replace(microsecond=0)
    served = editions(subscriptions, ROUNDS + 1, began)
    with tempfile.TemporaryDirectory() as name, serving(*served) as port:
        folder = Path(name)
        path = fill(folder, port, subscriptions, entries, began)
        filled = datetime.now(UTC) - began
        size = path.stat().st_size / entries
        changing = addresses(port, CHANGING)
        phases = {phase: Timed() for phase in PHASES}
        for edition in range(1, ROUNDS + 1):
            for phase, timed in phases.items():
                schedule(path, changing if phase == NEW else ())
                if phase == NEW:
                    serve_edition(port, edition)
                command = (*RUN, "--all") if phase == WARM else RUN
                _check(phase, subscriptions, json.loads(time_process(command, folder, timed)))
    return Measurement(phases, size, filled.total_seconds())


def _check(phase: str, subscriptions: int, report: dict[str, Any]) -> None:
    """Raises ValueError if the run did not do the work that is to be measured."""
    numbers = tuple(report[number] for number in ("polled", "not_modified", "new"))
    expected = {
        NOTHING: (0, 0, 0),
        WARM: (subscriptions, subscriptions, 0),
        NEW: (CHANGING, 0, CHANGING),
    }[phase]
    matches = report["matched"] >= CHANGING if phase == NEW else report["matched"] == 0
    writes = bool(report["written"]) or phase != NEW
    settled = not report["written"] or phase != NOTHING
    if numbers != expected or not (matches and writes and settled):
        raise ValueError(f"{phase}: {expected} polled, not modified, new expected; but {report}")


def _print(
    title: str,
    which: int,
    sizes: Sequence[tuple[int, int]],
    measurements: dict[tuple[int, int], Measurement],
) -> None:
    table = Table(title, box=None, pad_edge=False)
    for name in (*PHASES, "bytes per entry", "created in s"):
        table.add_column(name, justify="right")
    for size in sizes:
        measurement = measurements[size]
        cells = [
            f"{median(timed.wall):.2f} / {median(timed.cpu):.2f}, {timed.peak:.0f}"
            for timed in measurement.phases.values()
        ]
        table.add_row(
            f"{size[which]:,}",
            *cells,
            f"{measurement.bytes_per_entry:,.0f}",
            f"{measurement.fill_seconds:.0f}",
        )
    Console(width=140).print(table)
    print()


def _panel(
    title: str,
    which: int,
    sizes: Sequence[tuple[int, int]],
    measurements: dict[tuple[int, int], Measurement],
) -> Panel:
    lines = [
        Line(
            phase, [(size[which], median(measurements[size].phases[phase].wall)) for size in sizes]
        )
        for phase in PHASES
    ]
    return Panel(title, lines)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
