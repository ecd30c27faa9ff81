"""Faults of workers, their machines, and the database server that they share."""

import os
import shutil
import signal
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from tests import databases
from tests.atomrules import ATOM
from tests.faults.catalogue import fault
from tests.faults.helpers import (
    check_end,
    check_one_line,
    delay_answer,
    faketime,
    is_polled,
    wait_until,
)
from tests.faults.world import FIRST, HOSTS, SECOND, World, interrupt

LATER = "2026-11-26T15:00"  # all feeds are due
URL_VARIABLE = "AGGREGATOR_TEST_URL"


class SharedWorld(World):
    """An installation with its database on a server."""

    address = f"env:{URL_VARIABLE}"

    def start(self, *arguments, clock=LATER, env=None, **settings):
        env = dict(os.environ if env is None else env) | {URL_VARIABLE: self.database}
        return super().start(*arguments, clock=clock, env=env, **settings)

    def schedule(self):
        self.call("schedule", "--once")

    def wait_for_outputs(self, expected):
        """Enqueue jobs until the feeds have the same entries as ``expected``.

        Only ids, titles and texts are compared: with a stopped clock, a story that is placed again
        while a publisher is polled may get other seconds in ``updated``.
        """
        deadline = time.monotonic() + 75
        while entries(self.files()) != entries(expected) and time.monotonic() < deadline:
            self.schedule()
            time.sleep(0.3)
        assert entries(self.files()) == entries(expected)
        self.check_valid()

    @contextmanager
    def worker(self, **settings):
        """Run a worker until the block ends; then the list has its messages."""
        messages: list[str] = []
        process = self.start("worker", **settings)
        try:
            yield messages
        finally:
            code, err = interrupt(process, signal.SIGTERM)
            messages += err.splitlines()
        assert code == 0, messages
        assert "Traceback" not in err

    @contextmanager
    def waiting_worker(self):
        """Run a worker that polls a publisher, which answers only after the event is set."""
        may_answer = delay_answer(self)
        with self.worker() as messages:
            self.schedule()
            wait_until(is_polled(self), "the publisher is polled")
            yield may_answer, messages


def entries(files):
    """The ids, titles and texts of the entries in each feed. No id may occur twice in a feed."""
    entries_by_file = {}
    for name, data in files.items():
        if name.endswith(".atom"):
            parts = [
                [entry.findtext(f"{ATOM}{part}") for part in ("id", "title", "content")]
                for entry in ElementTree.fromstring(data).iter(f"{ATOM}entry")
            ]
            assert len({key for key, *_ in parts}) == len(parts)
            entries_by_file[name] = sorted(parts)
    return entries_by_file


@pytest.fixture(scope="module")
def expected(tmp_path_factory, publishers):
    """The outputs of two runs of one process with a SQLite file, without faults."""
    root = tmp_path_factory.mktemp("single")
    world = World(root, publishers)
    world.prepare()
    publishers.answers.clear()
    world.publish(FIRST)
    world.call("run", clock=FIRST)
    before = world.files()
    world.publish(SECOND)
    world.call("run", clock=LATER)
    assert world.files() != before
    return before, world.files()


@pytest.fixture(scope="module")
def template(tmp_path_factory, publishers):
    """An installation after its first run."""
    world = SharedWorld(tmp_path_factory.mktemp("first"), publishers)
    world.database = databases.new_database()
    world.prepare()
    publishers.answers.clear()
    world.publish(FIRST)
    world.call("run", clock=FIRST)
    return world


@pytest.fixture
def shared(tmp_path, template, expected, publishers):
    """A copy of `template`; its publishers have published new entries since."""
    return make_copy(template, tmp_path / "shared", publishers)


def make_copy(template, root, publishers):
    world = SharedWorld(root, publishers)
    shutil.copytree(template.root, root)
    world.database = databases.new_database(like=template.database)
    publishers.answers.clear()
    publishers.all_requests.clear()
    publishers.max_concurrent.clear()
    world.publish(SECOND)
    return world


def check_polled_once(world):
    """Every publisher was polled once, and no host had two requests at the same time."""
    assert [len(world.origin.requests(f"/{number}")) for number, _ in enumerate(HOSTS)] == [1] * 4
    assert set(world.origin.max_concurrent.values()) == {1}


@fault(
    "M01",
    "The server cannot be reached",
    produced="a port without a server, an unknown host name, database or user; for `run`, `status`, `worker` and "
    "`schedule`",
    must="exit code 3, with the server's name, the reason and what to do, and without the password; outputs "
    "unchanged",
    promises="P2 P11",
    cases=["port", "name", "database", "user"],
)
def test_server_cannot_be_reached(shared, expected, case):
    shared.database = {
        "port": "postgresql://me:CANARY@127.0.0.1:1/db",
        "name": "postgresql://me:CANARY@nowhere.invalid/db",
        "database": shared.database.replace("/test_", "/none_"),
        "user": shared.database.replace("postgres:@", "nobody-at-all:CANARY@"),
    }[case]
    for command in (["run"], ["status"], ["worker"], ["schedule", "--once"]):
        _, err = shared.call(*command, code=3)
        check_one_line(err, "postgresql://", "; ")
        assert "CANARY" not in err
    shared.check_outputs(expected[0])
    assert not shared.origin.all_requests


@fault(
    "M02",
    "The server is restarted during a run",
    produced="`pg_ctl restart -m immediate` while a publisher is polled",
    must="exit code 3 and one line, or the run completes; the next run completes the work; no publisher is "
    "polled again after its feed was stored",
    promises="P2 P3 P9",
)
def test_server_is_restarted_during_run(shared, expected):
    may_answer = delay_answer(shared)
    process = shared.start("run")
    wait_until(is_polled(shared), "the publisher is polled")
    databases.restart()
    may_answer.set()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 3, err
    check_one_line(err, "postgresql://", "; ")
    shared.check_intact()
    shared.call("run")
    shared.wait_for_outputs(expected[1])


@fault(
    "M03",
    "A worker is killed while it polls",
    produced="SIGKILL of a worker, then another worker is started",
    must="within a minute another worker has done its job; the feeds have the same entries as with one process",
    promises="P2 P3 P4 P5",
)
def test_worker_is_killed(shared, expected):
    may_answer = delay_answer(shared)
    killed = shared.start("worker")
    shared.schedule()
    wait_until(is_polled(shared), "the publisher is polled")
    killed.kill()
    killed.communicate(timeout=60)
    may_answer.set()
    began = time.monotonic()
    with shared.worker() as messages:
        shared.wait_for_outputs(expected[1])
    assert time.monotonic() - began < 60
    assert messages == []
    assert len(shared.origin.requests("/0")) == 2  # the killed worker stored nothing


@fault(
    "M04",
    "A worker is terminated or interrupted at any time",
    produced="SIGTERM or SIGINT at a random moment, also while it starts",
    must="exit code 0, or 143 or 130 before it has started; no traceback; outputs intact; another worker "
    "completes the work, and no publisher is polled twice",
    promises="P2 P3 P4 P5",
    rounds=4,
)
def test_worker_is_terminated(template, tmp_path, publishers, expected, rng, rounds):
    for number in rounds:
        world = make_copy(template, tmp_path / str(number), publishers)
        world.schedule()
        process = world.start("worker", may_fork=False)
        time.sleep(rng.uniform(0, 4))
        signal_number = rng.choice([signal.SIGTERM, signal.SIGINT])
        code, err = interrupt(process, signal_number)
        check_end(signal_number, code, err)
        world.check_intact()
        with world.worker() as messages:
            world.wait_for_outputs(expected[1])
        assert messages == []
        check_polled_once(world)
        world.check_clean()


@fault(
    "M05",
    "The server is restarted while a worker polls",
    produced="`pg_ctl restart -m immediate` while a worker polls a publisher",
    must="the worker reports in one line that it waits or repeats a job, and continues; the feeds have the same "
    "entries as with one process",
    promises="P2 P3 P4 P5",
)
def test_server_is_restarted_while_worker_polls(shared, expected):
    with shared.waiting_worker() as (may_answer, messages):
        databases.restart()
        may_answer.set()
        shared.wait_for_outputs(expected[1])
    endings = "; retrying", "; waiting for it", "the database answers again"
    assert messages
    assert all(line.endswith(endings) for line in messages), messages


@fault(
    "M06",
    "A run while workers are active",
    produced="`run` while a worker polls a publisher; new jobs for the worker while that run waits",
    must="the run waits until the publisher has answered; no publisher is polled by both; the feeds have the "
    "same entries as with one process",
    promises="P3 P4 P5",
)
def test_run_while_workers_are_active(shared, expected):
    with shared.waiting_worker() as (may_answer, messages):
        run = shared.start("run")
        time.sleep(1.5)
        shared.schedule()
        assert run.poll() is None
        may_answer.set()
        _, err = run.communicate(timeout=60)
        assert (run.returncode, err) == (0, "")
        shared.wait_for_outputs(expected[1])
    assert messages == []
    check_polled_once(shared)


@fault(
    "M07",
    "A machine with a wrong clock",
    produced="faketime: a worker two days ahead, or a year behind, in a new installation",
    must="all stored times are those of the server's clock",
    promises="P10",
    cases=["+2d", "-365d"],
)
def test_machine_with_wrong_clock(tmp_path, publishers, expected, case):
    world = SharedWorld(tmp_path, publishers)
    world.database = databases.new_database()
    world.prepare()
    world.publish(SECOND)
    with world.worker(clock=None, env=faketime(case)):
        world.call("schedule", "--once", clock=None)

        def is_stored():
            return len(world.sql("SELECT 1 FROM entry WHERE title LIKE 'Undated%'")) == len(HOSTS)

        wait_until(is_stored, "all entries are stored")
    columns = "first_seen_at, changed_at"
    for times in world.sql(f"SELECT {columns} FROM entry WHERE title LIKE 'Undated%'"):
        for at in times:
            assert abs(datetime.now(UTC) - at.replace(tzinfo=UTC)) < timedelta(minutes=10)
