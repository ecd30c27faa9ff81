"""How the cost of a run grows with the subscriptions and with what is stored.

Installations of many sizes are made (`benchmarks.filled`), and in each three runs are timed as
`benchmarks.runs` times them. *nothing due*: what cron finds nearly always; *warm*: ``--all``, and
every feed answers 304; *10 new*: ten feeds are due, and each has one new entry, of a tag of its own.
What each run says that it did is checked. Prints the tables, and draws docs/scaling.svg.

It takes an hour or more, and 30 GB of disk where temporary files are. ``python -m
benchmarks.scaling MOST_SUBSCRIPTIONS MOST_ENTRIES`` leaves out what is larger: 1000 20000 takes a
minute. It draws the plot anew all the same.
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
from benchmarks.server import serving, turn
from benchmarks.timing import Timed, time_process

SUBSCRIPTIONS = (1_000, 10_000, 50_000)  # with the fewest entries
ENTRIES = (100_000, 1_000_000, 5_000_000)  # with the fewest subscriptions
NOTHING, WARM, NEW = PHASES = ("nothing due", "warm", f"{CHANGING} new")
ROUNDS = 3
PLOT = Path(__file__).resolve().parents[1] / "docs" / "scaling.svg"


@dataclass(frozen=True)
class Measured:
    """One installation. ``filled`` is how many seconds it took to make."""

    phases: dict[str, Timed]
    bytes_per_entry: float
    filled: float


def main(most_subscriptions: int = SUBSCRIPTIONS[-1], most_entries: int = ENTRIES[-1]) -> None:
    """Print the tables, and draw the plot."""
    subscriptions = _up_to(SUBSCRIPTIONS, most_subscriptions)
    entries = _up_to(ENTRIES, most_entries)
    by_subscriptions = [(number, entries[0]) for number in subscriptions]
    by_entries = [(subscriptions[0], number) for number in entries]
    found: dict[tuple[int, int], Measured] = {}
    for sizes in dict.fromkeys(by_subscriptions + by_entries):
        found[sizes] = _measure(*sizes)
        phases = found[sizes].phases.items()
        told = ", ".join(f"{phase} {median(timed.wall):.1f} s" for phase, timed in phases)
        print(f"{sizes[0]:,} subscriptions, {sizes[1]:,} entries: {told}", file=sys.stderr)
    print(f"\nRuns as processes of their own; medians of {ROUNDS}: wall / CPU s, MB\n")
    _print(f"subscriptions, with {entries[0]:,} entries", 0, by_subscriptions, found)
    _print(f"entries, with {subscriptions[0]:,} subscriptions", 1, by_entries, found)
    panels = [
        _panel(f"Subscriptions ({entries[0]:,} entries)", 0, by_subscriptions, found),
        _panel(f"Stored entries ({subscriptions[0]:,} subscriptions)", 1, by_entries, found),
    ]
    PLOT.write_text(draw("Seconds that a run takes", panels), "utf-8")


def _up_to(sizes: Sequence[int], most: int) -> list[int]:
    return [*(size for size in sizes if size < most), most]


def _measure(subscriptions: int, entries: int) -> Measured:
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
                    turn(port, edition)
                command = (*RUN, "--all") if phase == WARM else RUN
                _check(phase, subscriptions, json.loads(time_process(command, folder, timed)))
    return Measured(phases, size, filled.total_seconds())


def _check(phase: str, subscriptions: int, told: dict[str, Any]) -> None:
    """Raises ValueError if the run did something else than what is to be measured."""
    did = tuple(told[number] for number in ("polled", "not_modified", "new"))
    expected = {
        NOTHING: (0, 0, 0),
        WARM: (subscriptions, subscriptions, 0),
        NEW: (CHANGING, 0, CHANGING),
    }[phase]
    matches = told["matched"] >= CHANGING if phase == NEW else told["matched"] == 0
    writes = bool(told["written"]) or phase != NEW
    settled = not told["written"] or phase != NOTHING
    if did != expected or not (matches and writes and settled):
        raise ValueError(f"{phase}: {expected} were to be polled, not modified, new; but {told}")


def _print(
    title: str, which: int, sizes: Sequence[tuple[int, int]], found: dict[tuple[int, int], Measured]
) -> None:
    table = Table(title, box=None, pad_edge=False)
    for name in (*PHASES, "bytes per entry", "made in s"):
        table.add_column(name, justify="right")
    for size in sizes:
        one = found[size]
        cells = [
            f"{median(timed.wall):.2f} / {median(timed.cpu):.2f}, {timed.peak:.0f}"
            for timed in one.phases.values()
        ]
        table.add_row(
            f"{size[which]:,}", *cells, f"{one.bytes_per_entry:,.0f}", f"{one.filled:.0f}"
        )
    Console(width=140).print(table)
    print()


def _panel(
    title: str, which: int, sizes: Sequence[tuple[int, int]], found: dict[tuple[int, int], Measured]
) -> Panel:
    lines = [
        Line(phase, [(size[which], median(found[size].phases[phase].wall)) for size in sizes])
        for phase in PHASES
    ]
    return Panel(title, lines)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
