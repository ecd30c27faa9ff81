"""Whole runs as cron sees them, each a process of its own, beside other aggregators.

*cold*: nothing is stored; *warm*: every feed answers 304; *delta*: every feed has one new entry
and one edited; *quiet day*: three feeds of a hundred have. All in one run over the same server, so
that ratios mean something where seconds do not. What the programs do is not the same: ours also
matches every entry with the tags, and writes their feeds.

``python -m benchmarks.runs FEEDS ROUNDS`` for other numbers than 1,000 and 3.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.peers import Program, programs, set_up
from benchmarks.server import address, serving, turn
from benchmarks.workload import FEEDS, count_entries, editions

PHASES = {"cold": 0, "warm": 0, "delta": 1, "quiet day": 2}  # and which edition is served
ROUNDS = 3
_REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass
class Timed:
    """One program in one phase: seconds of each round, and the most memory, in MB, of its tree."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: float = 0.0


def main(feeds: int = FEEDS, rounds: int = ROUNDS) -> None:
    """Print the table."""
    served = editions(feeds)
    clippings = (_REPOSITORY / "clippings" / "michel-bauwens.txt").read_text("utf-8")
    found: dict[str, dict[str, Timed]] = {}
    with serving(*served) as port:
        urls = [address(port, number, path) for number, path in enumerate(served[0])]
        every = programs(urls, clippings)
        for _ in range(rounds):
            for program in every:
                _round(program, port, found.setdefault(program.name, {p: Timed() for p in PHASES}))
    size = sum(map(len, served[0].values())) / 1e6
    entries = count_entries(served[0])
    print(
        f"\n{feeds} feeds, {entries} entries, {size:.1f} MB; medians of {rounds}: wall / CPU s, MB\n"
    )
    table = Table("", *PHASES, box=None, pad_edge=False)
    ours = found["aggregator"]
    for name, phases in found.items():
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
            turn(port, edition)
            _time(program, folder, phases[phase])


def _time(program: Program, folder: Path, timed: Timed) -> None:
    before, began = os.times(), time.monotonic()
    process = subprocess.Popen(
        program.command,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    watch = threading.Thread(target=_watch, args=(process, timed))
    watch.start()
    process.wait()
    timed.wall.append(time.monotonic() - began)
    watch.join()
    after = os.times()
    timed.cpu.append(
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def _watch(process: subprocess.Popen[bytes], timed: Timed) -> None:
    """Note the memory of a process and of all below it, twenty times a second."""
    while process.poll() is None:
        timed.peak = max(timed.peak, sum(map(_memory, _tree(process.pid))))
        time.sleep(0.05)


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:
        try:
            found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        except OSError:
            continue
    return found


def _memory(pid: int) -> float:
    """MB, with what it shares with others counted in parts."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
