"""Fixtures for all tests, and the markers that tests get from what they use.

`make check` runs the tests that have none of these markers; `make test` runs all.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import ON_POSTGRESQL
from tests.harness import Installation
from tests.origin import Origin, origin

TESTS = Path(__file__).parent

# Folders, files and tests that take more than about two seconds of a processor, or start the program
# as a process of its own many times.
SLOW = (
    "cluster/",
    "faults/",
    "fuzz/",
    "system/",
)
FAST = ("system/test_deploy.py",)
# Longest first: a run on several cores that starts one of these last ends long after the others.
LONGEST = ("system/test_soak.py", "system/test_year.py", "system/test_corpus.py")
POSTGRES = ("cluster/", "faults/test_machines.py")
S3 = ("publish/test_s3.py",)
# Fixtures whose tests keep state in the database that AGGREGATOR_TEST_DATABASE chooses.
STATEFUL = {"installation", "made", "store"}
# Fixtures of a module that take seconds: its tests share a process of xdist.
COSTLY = {"browser", "embedder", "made", "many_tongues", "storm"}
# A test that starts hundreds of processes, or simulates months, may take this long.
LONG_TIMEOUT_SECONDS = 3600


@pytest.fixture
def publisher() -> Iterator[Origin]:
    """A scripted publisher on loopback."""
    with origin() as told:
        yield told


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """An installation in an empty folder."""
    return Installation(tmp_path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their path and fixtures, group them for xdist, and put the longest first."""
    for item in items:
        name = _name(item)
        fixtures = set[str](getattr(item, "fixturenames", ()))
        if name.startswith(SLOW) and not name.startswith(FAST):
            item.add_marker("slow")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_SECONDS))
        if name.startswith(POSTGRES) or (ON_POSTGRESQL and fixtures & STATEFUL):
            item.add_marker("postgres")
        if "browser" in fixtures:
            item.add_marker("browser")
        if name.startswith(S3):
            item.add_marker("s3")
        group = _group(name, fixtures)
        if group:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_rank)


def _name(item: pytest.Item) -> str:
    """The path below tests/, and the name of the test: ``text/test_urls.py::test_folding``."""
    return f"{item.path.relative_to(TESTS).as_posix()}::{item.name}"


def _group(name: str, fixtures: set[str]) -> str | None:
    """Tests of one group run in one process of xdist: what is costly to prepare is prepared once."""
    if name.startswith(POSTGRES):
        return "postgres"
    if name.startswith(S3) or fixtures & COSTLY:
        return name.partition("::")[0]
    return None


def _rank(item: pytest.Item) -> int:
    name = _name(item)
    for rank, prefix in enumerate((*LONGEST, *POSTGRES)):
        if name.startswith(prefix):
            return rank
    return len(LONGEST) + len(POSTGRES)
