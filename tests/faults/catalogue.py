"""The table of faults. Each test declares its row with the decorator `fault`."""

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
MOST_ROUNDS = Path(__file__).with_name(
    "rounds.json"
)  # most rounds in a row that ever passed, by fault
SOAK_RESULTS = Path(__file__).with_name("soak_results.md")  # of the last long `make soak`
ROUND_FACTOR = int(os.environ.get("FAULT_ROUNDS", "1"))

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
    "P1": "A bad source never affects another one.",
    "P2": "A failure is one line that says what failed, why, and what to do; never a traceback.",
    "P3": "No stored entry is lost, and none is published twice.",
    "P4": "No reader ever sees half a file.",
    "P5": "Outputs are valid, whatever the input.",
    "P6": "No output contains code that a browser or feed reader would run.",
    "P7": "Each response is limited in time, bytes, redirects and CPU time.",
    "P8": "Private networks are contacted only where feeds.toml allows it.",
    "P9": "Nothing is announced twice, and unchanged files are not rewritten.",
    "P10": "The same state and the same clock give the same bytes.",
    "P11": "Secrets never leave the place where the operator wrote them.",
    "P12": "Files are read and written only in the places that feeds.toml names.",
}

Test = TypeVar("Test", bound=Callable[..., object])


@dataclass(frozen=True)
class Fault:
    """A row of the table.

    ``rounds`` is how often the test plays the fault by default. Faults with ``is_random`` strike at
    a random place in each round, and are played ``rounds`` × `ROUND_FACTOR` times.
    """

    number: str
    name: str
    produced: str
    must: str
    promises: tuple[str, ...]
    rounds: int
    is_random: bool


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
    """Add a fault to the table, and attach it to its test.

    With ``cases``, the test runs once for each ``case``. With ``rounds``, the fault is random, and
    the test gets the number of rounds from the fixture ``rounds``.
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

    def decorate(test: Test) -> Test:
        test.fault = row  # type: ignore[attr-defined]
        if cases:
            ids = [str(case)[:20] if str(case).isascii() else None for case in cases]
            return pytest.mark.parametrize("case", cases, ids=ids)(test)  # type: ignore[no-any-return]
        return test

    return decorate


def load_faults() -> dict[str, Fault]:
    """The complete table. Imports all tests, because they declare its rows."""
    package = Path(__file__).parent
    for module in pkgutil.iter_modules([str(package)]):
        if module.name.startswith("test_"):
            importlib.import_module(f"{__package__}.{module.name}")
    return dict(sorted(FAULTS.items(), key=lambda pair: ([*KINDS].index(pair[0][0]), pair[0])))


def load_most_rounds() -> dict[str, int]:
    """The most rounds in a row that each fault ever passed, by number of the fault."""
    most_rounds: dict[str, int] = json.loads(MOST_ROUNDS.read_text("utf-8"))
    return most_rounds


def save_most_rounds(rounds: dict[str, int]) -> None:
    """Store the rounds that were passed, where they are more than ever before."""
    most = load_most_rounds()
    most |= {number: times for number, times in rounds.items() if times > most.get(number, 0)}
    MOST_ROUNDS.write_text(json.dumps(dict(sorted(most.items())), indent=1) + "\n", "utf-8")


def page() -> str:
    """The text of docs/faults.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    faults, most = load_faults(), load_most_rounds()
    yield _HEAD.format(
        number=len(faults), rounds=sum(row.rounds for row in faults.values())
    )  # fmt: skip
    yield "| | promise |\n| --- | --- |"
    yield from (f"| {name} | {promise} |" for name, promise in PROMISES.items())
    yield _AFTER
    for kind, title in KINDS.items():
        yield f"\n## {title}\n"
        yield "| | fault | how it is produced | expected behaviour | promises | rounds | most |"
        yield "| --- | --- | --- | --- | --- | ---: | ---: |"
        for row in faults.values():
            if row.number[0] == kind:
                record = max(row.rounds, most.get(row.number, 0))
                cells = (row.number, row.name, row.produced, row.must, ", ".join(row.promises))
                yield f"| {' | '.join(map(_cell, cells))} | {row.rounds} | {record} |"
    yield _SOAK
    yield SOAK_RESULTS.read_text("utf-8").rstrip()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


_HEAD = """\
# Faults

<!-- Written by `python -m tests.faults` from the tests; edit those. -->

Things that go wrong in ten years of aggregating. The tests produce each of them for real:
{number} faults in {rounds} rounds. Each test runs the program as a separate process, with publishers
that are served on the same machine.
"""

_AFTER = """
*Rounds* is how often the tests play a fault: a random fault strikes at a different place in each
round; other faults have one round for each case. `FAULT_ROUNDS=100` plays the random faults a hundred
times as often. A failing test prints its seed, and `FAULT_SEED` repeats it. *Most* is the largest
number of rounds that passed in a row.

Some faults need strace, faketime, Turkish locales or a file system in memory. Where these are missing,
the tests are skipped; with `CI` set, they fail."""

_SOAK = """
## Everything at once

`make soak` produces many of these faults at random, from a seed, while publishers publish. After each
run and at the end it counts the entries that a reader would have missed or seen twice
(`tests/soak.py`). The last result over a simulated day or more:
"""
