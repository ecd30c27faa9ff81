"""Times complete runs, each in a separate process, and compares them with other aggregators.

*cold*: nothing is stored; *warm*: every feed answers 304; *delta*: every feed has one new and one
edited entry; *quiet day*: three percent of the feeds have. All programs use the same server in turn,
so ratios are more meaningful than seconds. The programs do different work: ours also matches each
entry with the tags and writes the output feeds.

``python -m benchmarks.runs FEEDS ROUNDS`` uses other numbers than 1,000 and 3.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.peers import Program, programs, set_up
from benchmarks.server import address, serve_edition, serving
from benchmarks.timing import Timed, time_process
from benchmarks.workload import FEEDS, count_entries, editions

PHASES = {"cold": 0, "warm": 0, "delta": 1, "quiet day": 2}  # the edition that is served
ROUNDS = 3
_REPOSITORY = Path(__file__).resolve().parents[1]


def main(feeds: int = FEEDS, rounds: int = ROUNDS) -> None:
    """Print the table."""
    served = editions(feeds)
    clippings = (_REPOSITORY / "clippings" / "michel-bauwens.txt").read_text("utf-8")
    timings: dict[str, dict[str, Timed]] = {}
    with serving(*served) as port:
        urls = [address(port, number, path) for number, path in enumerate(served[0])]
        all_programs = programs(urls, clippings)
        for _ in range(rounds):
            for program in all_programs:
                _round(
                    program, port, timings.setdefault(program.name, {p: Timed() for p in PHASES})
                )
    size = sum(map(len, served[0].values())) / 1e6
    entries = count_entries(served[0])
    print(
        f"\n{feeds} feeds, {entries} entries, {size:.1f} MB; medians of {rounds}: wall / CPU s, MB\n"
    )
    table = Table("", *PHASES, box=None, pad_edge=False)
    ours = timings["aggregator"]
    for name, phases in timings.items():
        cells = []
        for phase, timed in phases.items():
            wall, own = median(timed.wall), median(ours[phase].wall)
            ratio = "" if timed is ours[phase] else f" ({wall / own:.1f} x)"
            cells.append(f"{wall:.1f} / {median(timed.cpu):.1f}, {timed.peak:.0f}{ratio}")
        table.add_row(name, *cells)
    Console(width=140).print(table)


def _round(program: Program, port: int, phases: dict[str, Timed]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        set_up(program, folder)
        if program.prepare:
            subprocess.run(program.prepare, cwd=folder, check=True)
        for phase, edition in PHASES.items():
            serve_edition(port, edition)
            time_process(program.command, folder, phases[phase])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
