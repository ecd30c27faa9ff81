"""Many workers give the same outputs as one process, byte for byte, also with faults."""

import pytest

from benchmarks.machines import many, one_process, outputs, stored, world
from tests import databases

FEEDS, HOSTS = 40, 8
ROUNDS = (0, 60, 75, 90, 110)


@pytest.fixture(scope="module")
def publishers():
    with world(FEEDS, HOSTS) as publishers:
        yield publishers


@pytest.fixture(scope="module")
def single_process(publishers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    one_process(folder, publishers, ROUNDS)
    return outputs(folder), stored(folder, databases.SQLITE), publishers.seen().asked


def test_workers_give_same_outputs_as_one_process(publishers, single_process, tmp_path):
    files, entries, asked = single_process
    assert sum(sum(paths.values()) for paths in asked.values()) > FEEDS
    _, planner = many(tmp_path, publishers, 3, rounds=ROUNDS)
    seen = publishers.seen()
    assert stored(tmp_path, planner.url) == entries
    assert outputs(tmp_path) == files
    assert seen.asked == asked  # each feed once, when it was due
    assert seen.at_once == 1


def test_killed_workers_and_restarted_server_lose_nothing(publishers, single_process, tmp_path):
    files, entries, asked = single_process
    crew, planner = many(tmp_path, publishers, 3, chaos=True, rounds=ROUNDS, stalled_seconds=3)
    seen = publishers.seen()
    assert crew.killed
    assert stored(tmp_path, planner.url) == entries
    assert outputs(tmp_path) == files
    assert seen.at_once == 1
    # An answer that a killed worker did not store is requested again by another worker.
    assert all(seen.asked[minute] >= paths for minute, paths in asked.items())
