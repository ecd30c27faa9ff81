"""Many workers end in what one process ends in, to the byte, whatever befalls them."""

import pytest

from benchmarks.machines import many, one_process, outputs, stored, world
from tests import databases

FEEDS, HOSTS = 40, 8
ROUNDS = (0, 60, 75, 90, 110)


@pytest.fixture(scope="module")
def publishers():
    with world(FEEDS, HOSTS) as found:
        yield found


@pytest.fixture(scope="module")
def exclusive(publishers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    one_process(folder, publishers, ROUNDS)
    return outputs(folder), stored(folder, databases.SQLITE), publishers.seen().asked


def test_workers_publish_what_one_process_does(publishers, exclusive, tmp_path):
    files, entries, asked = exclusive
    assert sum(sum(paths.values()) for paths in asked.values()) > FEEDS
    _, planner = many(tmp_path, publishers, 3, rounds=ROUNDS)
    seen = publishers.seen()
    assert stored(tmp_path, planner.url) == entries
    assert outputs(tmp_path) == files
    assert seen.asked == asked  # each when it is due, once
    assert seen.at_once == 1


def test_killed_workers_and_a_restarted_server_lose_and_double_nothing(
    publishers, exclusive, tmp_path
):
    files, entries, asked = exclusive
    crew, planner = many(tmp_path, publishers, 3, chaos=True, rounds=ROUNDS, stalled_seconds=3)
    seen = publishers.seen()
    assert crew.killed
    assert stored(tmp_path, planner.url) == entries
    assert outputs(tmp_path) == files
    assert seen.at_once == 1
    # What a killed worker had been answered and not stored, another asks again.
    assert all(seen.asked[minute] >= paths for minute, paths in asked.items())
