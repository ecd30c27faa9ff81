import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS, ROUND_FACTOR, save_most_rounds
from tests.faults.world import FIRST, SECOND, World
from tests.origin import Origin, origin


@pytest.fixture(scope="session")
def publishers() -> Iterator[Origin]:
    """Publishers on every 127.x.y.z. One port for the whole session, because outputs contain it."""
    with origin("0.0.0.0") as publishers:
        yield publishers


@pytest.fixture
def world(tmp_path: Path, publishers: Origin) -> World:
    """An installation that has not run yet."""
    world = World(tmp_path / "world", publishers)
    world.root.mkdir()
    world.prepare()
    publishers.answers.clear()
    publishers.all_requests.clear()
    world.publish(FIRST)
    return world


@dataclass(frozen=True)
class Baseline:
    """An installation after its first run, and the outputs of undisturbed runs.

    ``from_nothing`` are the outputs if the second edition is the first that was fetched.
    """

    root: Path
    before: dict[str, bytes]  # after the first run
    after: dict[str, bytes]  # after the second run
    from_nothing: dict[str, bytes]


@pytest.fixture(scope="session")
def baseline(tmp_path_factory: pytest.TempPathFactory, publishers: Origin) -> Baseline:
    """The outputs of runs without any fault."""
    root = tmp_path_factory.mktemp("undisturbed")
    world = World(root / "world", publishers)
    world.root.mkdir()
    world.prepare()
    world.publish(FIRST)
    world.call("run", clock=FIRST)
    before = world.files()
    shutil.copytree(world.root, root / "first")
    world.publish(SECOND)
    world.call("run", "--all")
    after = world.files()
    assert {name for name, data in after.items() if before.get(name) != data}
    fresh = World(root / "fresh", publishers)
    fresh.root.mkdir()
    fresh.prepare()
    fresh.call("run", "--all")
    return Baseline(root / "first", before, after, fresh.files())


@pytest.fixture
def used_world(world: World, baseline: Baseline) -> World:
    """An installation that has run once; its publishers have published new entries since."""
    world.copy_from(baseline.root)
    world.publish(SECOND)
    return world


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Chooses where faults strike. Prints its seed, which pytest shows if the test fails."""
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(10**9))
    print(f"FAULT_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> range:
    """The rounds in which this test plays its fault."""
    return range(request.function.fault.rounds * ROUND_FACTOR)


_failed: set[str] = set()
_passed: set[str] = set()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    fault = getattr(getattr(item, "function", None), "fault", None)
    if fault is not None and report.when == "call":
        (_passed if report.passed else _failed).add(fault.number)


def pytest_sessionfinish() -> None:
    """Record the rounds of a long session, for docs/faults.md."""
    if ROUND_FACTOR > 1:
        rows = [FAULTS[number] for number in _passed - _failed]
        save_most_rounds({row.number: row.rounds * ROUND_FACTOR for row in rows if row.is_random})
