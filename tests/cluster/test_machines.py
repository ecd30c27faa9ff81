"""Many workers give the same outputs as one process, byte for byte, also with faults."""

import pytest

from benchmarks.machines import (
    count_requests,
    read_entries,
    read_outputs,
    run_in_one_process,
    run_with_workers,
    serve_publishers,
)
from tests import databases, forkserver

FEEDS, HOSTS = 40, 8
ROUNDS = (0, 60, 75, 90, 110)


def start(command, log):
    return forkserver.start_module(command, cwd=forkserver.REPOSITORY, stdout=log, stderr=log)


@pytest.fixture(scope="module")
def publishers():
    with serve_publishers(FEEDS, HOSTS) as publishers:
        yield publishers


@pytest.fixture(scope="module")
def single_process(publishers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    run_in_one_process(folder, publishers, ROUNDS)
    return read_outputs(folder), read_entries(folder, databases.SQLITE), publishers.take_log()


def test_workers_give_same_outputs_as_one_process(publishers, single_process, tmp_path):
    files, entries, log = single_process
    assert count_requests(log) > FEEDS
    _, planner = run_with_workers(tmp_path, publishers, 3, rounds=ROUNDS, start=start)
    workers_log = publishers.take_log()
    assert read_entries(tmp_path, planner.url) == entries
    assert read_outputs(tmp_path) == files
    assert workers_log.requests == log.requests  # each feed once, when it was due
    assert workers_log.max_concurrent == 1


def test_killed_workers_and_restarted_server_lose_nothing(publishers, single_process, tmp_path):
    files, entries, log = single_process
    crew, planner = run_with_workers(
        tmp_path, publishers, 3, chaos=True, rounds=ROUNDS, stalled_seconds=3, start=start
    )
    workers_log = publishers.take_log()
    assert crew.killed
    assert read_entries(tmp_path, planner.url) == entries
    assert read_outputs(tmp_path) == files
    assert workers_log.max_concurrent == 1
    # An answer that a killed worker did not store is requested again by another worker.
    assert all(workers_log.requests[minute] >= paths for minute, paths in log.requests.items())
