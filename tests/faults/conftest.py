import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS, TIMES, note
from tests.faults.world import FIRST, SECOND, World
from tests.origin import Origin, origin


@pytest.fixture(scope="session")
def publishers() -> Iterator[Origin]:
    """On every 127.x.y.z, at one port for the whole session: addresses stand in outputs."""
    with origin("0.0.0.0") as told:
        yield told


@pytest.fixture
def world(tmp_path: Path, publishers: Origin) -> World:
    """An installation that has not run yet."""
    world = World(tmp_path / "world", publishers)
    world.root.mkdir()
    world.prepare()
    publishers.answers.clear()
    publishers.asked.clear()
    world.publish(FIRST)
    return world


@dataclass(frozen=True)
class Undisturbed:
    """An installation after its first run, and the outputs after that and after the second."""

    root: Path
    before: dict[str, bytes]
    after: dict[str, bytes]
    from_nothing: dict[str, bytes]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, publishers: Origin) -> Undisturbed:
    """What runs make that nothing disturbs."""
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
    return Undisturbed(root / "first", before, after, fresh.files())


@pytest.fixture
def settled(world: World, undisturbed: Undisturbed) -> World:
    """An installation that has run once; its publishers have new entries since."""
    world.become(undisturbed.root)
    world.publish(SECOND)
    return world


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Where faults strike; a test that fails tells its seed."""
    seed = int(os.environ.get("FAULT_SEED") or random.randrange(10**9))
    print(f"FAULT_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> range:
    """How often the fault of this test is to be played."""
    return range(request.function.fault.rounds * TIMES)


_failed: set[str] = set()
_passed: set[str] = set()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    carried = getattr(getattr(item, "function", None), "fault", None)
    if carried is not None and report.when == "call":
        (_passed if report.passed else _failed).add(carried.number)


def pytest_sessionfinish() -> None:
    """A long run is noted, for the page."""
    if TIMES > 1:
        held = _passed - _failed
        note({n: FAULTS[n].rounds * TIMES for n in held if FAULTS[n].at_random})
