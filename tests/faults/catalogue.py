"""The table of faults. Each row is carried by the test that produces the fault: `fault`."""

import importlib
import json
import os
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
PLAYED = Path(__file__).with_name("played.json")  # the most rounds that a fault was played in a row
SOAKED = Path(__file__).with_name("soaked.md")  # what `make soak` counted
TIMES = int(os.environ.get("FAULT_ROUNDS", "1"))

KINDS = {
    "R": "Runs",
    "D": "Disk and database",
    "M": "Several machines and their server",
    "W": "Network",
    "X": "Documents",
    "N": "Names",
    "S": "Secrets",
}
PROMISES = {
    "P1": "One bad source never costs another anything.",
    "P2": "A failure is one line that names what failed, why, and what to do; never a traceback.",
    "P3": "Nothing accepted is lost, and nothing is published twice.",
    "P4": "NullProgress reads half a file.",
    "P5": "Outputs are valid, whatever came in.",
    "P6": "Nothing in an output can run.",
    "P7": "An answer is bounded in time, bytes, redirects and processor.",
    "P8": "Private networks are asked only where feeds.toml allows it.",
    "P9": "NullProgress is told twice, and unchanged files stay untouched.",
    "P10": "The same state under the same clock gives the same bytes.",
    "P11": "A secret stays where it was written.",
    "P12": "Nothing is read or written outside the places that feeds.toml names.",
}

Test = TypeVar("Test", bound=Callable[..., object])


@dataclass(frozen=True)
class Fault:
    """A row. ``rounds`` is how often its test plays it by default; those of ``at_random`` are
    played `TIMES` as often, each time otherwise."""

    number: str
    name: str
    produced: str
    must: str
    promises: tuple[str, ...]
    rounds: int
    at_random: bool


FAULTS: dict[str, Fault] = {}


def fault(
    number: str,
    name: str,
    *,
    produced: str,
    must: str,
    promises: str,
    rounds: int | None = None,
    cases: Iterable[object] = (),
) -> Callable[[Test], Test]:
    """Put a fault into the table, and mark its test.

    With ``cases`` the test is given each as ``case``; with ``rounds`` it plays that many, at
    random, and takes them from the fixture of that name.
    """
    cases = list(cases)
    row = Fault(
        number,
        name,
        produced,
        must,
        tuple(promises.split()),
        rounds or len(cases) or 1,
        bool(rounds),
    )
    assert number[0] in KINDS, number
    assert not set(row.promises) - set(PROMISES), row.promises
    assert FAULTS.setdefault(number, row) == row, f"two faults have the number {number}"

    def carry(test: Test) -> Test:
        test.fault = row  # type: ignore[attr-defined]
        if cases:
            names = [str(case)[:20] if str(case).isascii() else None for case in cases]
            return pytest.mark.parametrize("case", cases, ids=names)(test)  # type: ignore[no-any-return]
        return test

    return carry


def collected() -> dict[str, Fault]:
    """The whole table: the tests, which carry it, are imported."""
    package = Path(__file__).parent
    for module in pkgutil.iter_modules([str(package)]):
        if module.name.startswith("test_"):
            importlib.import_module(f"{__package__}.{module.name}")
    return dict(sorted(FAULTS.items(), key=lambda pair: ([*KINDS].index(pair[0][0]), pair[0])))


def played() -> dict[str, int]:
    """The most rounds that each fault was played in a row, as a long run has noted."""
    found: dict[str, int] = json.loads(PLAYED.read_text("utf-8"))
    return found


def note(rounds: dict[str, int]) -> None:
    """Remember how many rounds were played, where that is more than ever."""
    most = played() | {n: r for n, r in rounds.items() if r > played().get(n, 0)}
    PLAYED.write_text(json.dumps(dict(sorted(most.items())), indent=1) + "\n", "utf-8")


def page() -> str:
    """The text of docs/faults.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    faults, most = collected(), played()
    yield _HEAD.format(
        number=len(faults), rounds=sum(row.rounds for row in faults.values())
    )  # fmt: skip
    yield "| | promise |\n| --- | --- |"
    yield from (f"| {name} | {promise} |" for name, promise in PROMISES.items())
    yield _AFTER
    for kind, title in KINDS.items():
        yield f"\n## {title}\n"
        yield "| | fault | how it is produced | what must happen | holds | rounds | most |"
        yield "| --- | --- | --- | --- | --- | ---: | ---: |"
        for row in faults.values():
            if row.number[0] == kind:
                record = max(row.rounds, most.get(row.number, 0))
                cells = (row.number, row.name, row.produced, row.must, ", ".join(row.promises))
                yield f"| {' | '.join(map(_cell, cells))} | {row.rounds} | {record} |"
    yield _SOAK
    yield SOAKED.read_text("utf-8").rstrip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


_HEAD = """\
# Faults

<!-- Written by `python -m tests.faults` from the tests; edit those. -->

What goes wrong in ten years of aggregating, produced for real, each time the tests run:
{number} faults in {rounds} rounds. Each is played with the program as a process of its own, on an
installation that publishers on this machine serve.
"""

_AFTER = """
*Rounds* is how often a fault is played whenever the tests run: those that strike at random strike
elsewhere each time, the others once in each of their cases. `FAULT_ROUNDS=100` plays those at random
a hundred times as often; a test that fails tells its seed, and `FAULT_SEED` plays it again. *Most* is
the most that were ever played in a row, all of which held.

strace, faketime, the Turkish locales and a file system in memory produce some of them. Where they
are absent, those are skipped, but never under `CI`."""

_SOAK = """
## Everything at once

`make soak` lets many of these strike at random from a seed while publishers publish, and counts, in
the end and after each run, what every reader would have missed or seen twice (`tests/soak.py`). When it was
last played for a day or more:
"""
