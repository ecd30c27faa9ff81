"""Faults of workers, of the machines they are on, and of the server that they share."""

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

LATER = "2026-11-26T15:00"  # when everything is due
THEIRS = "AGGREGATOR_TEST_URL"


class Shared(World):
    """One whose database is on a server."""

    address = f"env:{THEIRS}"

    def start(self, *arguments, clock=LATER, env=None, **settings):
        env = dict(os.environ if env is None else env) | {THEIRS: self.database}
        return super().start(*arguments, clock=clock, env=env, **settings)

    def plan(self):
        self.call("schedule", "--once")

    def ends_in(self, wanted):
        """Plan and wait until all is published: the same entries in the same feeds. What is world_after_run
        twice while a publisher is asked may have other seconds in ``updated`` under a clock that
        stands still."""
        until = time.monotonic() + 75
        while entries(self.files()) != entries(wanted) and time.monotonic() < until:
            self.plan()
            time.sleep(0.3)
        assert entries(self.files()) == entries(wanted)
        self.check_valid()

    @contextmanager
    def worker(self, **settings):
        """One at work, which ends well, and says what is in the list."""
        said: list[str] = []
        process = self.start("worker", **settings)
        try:
            yield said
        finally:
            code, err = interrupt(process, signal.SIGTERM)
            said += err.splitlines()
        assert code == 0, said
        assert "Traceback" not in err

    @contextmanager
    def asking(self):
        """One that asks a publisher, which answers when the event is set."""
        may_answer = delay_answer(self)
        with self.worker() as said:
            self.plan()
            wait_until(is_polled(self), "the publisher is polled")
            yield may_answer, said


def entries(files):
    """The ids, titles and texts in each feed; none stands in it twice."""
    found = {}
    for name, data in files.items():
        if name.endswith(".atom"):
            parts = [
                [entry.findtext(f"{ATOM}{part}") for part in ("id", "title", "content")]
                for entry in ElementTree.fromstring(data).iter(f"{ATOM}entry")
            ]
            assert len({key for key, *_ in parts}) == len(parts)
            found[name] = sorted(parts)
    return found


@pytest.fixture(scope="module")
def wanted(tmp_path_factory, publishers):
    """What runs of one process on a file make that nothing disturbs, before and after."""
    root = tmp_path_factory.mktemp("alone")
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
def first(tmp_path_factory, publishers):
    """An installation after its first run."""
    world = Shared(tmp_path_factory.mktemp("first"), publishers)
    world.database = databases.new_database()
    world.prepare()
    publishers.answers.clear()
    world.publish(FIRST)
    world.call("run", clock=FIRST)
    return world


@pytest.fixture
def shared(tmp_path, first, wanted, publishers):
    """A copy of that one; its publishers have new entries since."""
    return another(first, tmp_path / "shared", publishers)


def another(first, root, publishers):
    world = Shared(root, publishers)
    shutil.copytree(first.root, root)
    world.database = databases.new_database(like=first.database)
    publishers.answers.clear()
    publishers.asked.clear()
    publishers.most_at_once.clear()
    world.publish(SECOND)
    return world


def check_once(world):
    """Every publisher was asked once, and no host twice at once."""
    assert [len(world.origin.requests(f"/{number}")) for number, _ in enumerate(HOSTS)] == [1] * 4
    assert set(world.origin.most_at_once.values()) == {1}


@fault(
    "M01",
    "The server cannot be reached",
    produced="a port at which nobody listens, a name that nobody knows, a database and a user that are "
    "not there; for `run`, `status`, `worker` and `schedule`",
    must="3, with the server's name, why, and what to do, and without the password; outputs as they were",
    promises="P2 P11",
    cases=["port", "name", "database", "user"],
)
def test_the_server_cannot_be_reached(shared, wanted, case):
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
    shared.check_outputs(wanted[0])
    assert not shared.origin.asked


@fault(
    "M02",
    "The server is restarted in the midst of a run",
    produced="`pg_ctl restart -m immediate` while a publisher is asked",
    must="3 and one line, or nothing of it is noticed; the next run completes it; no publisher is asked "
    "twice for what is stored",
    promises="P2 P3 P9",
)
def test_the_server_is_restarted_in_a_run(shared, wanted):
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
    shared.ends_in(wanted[1])


@fault(
    "M03",
    "A worker is killed while it asks a publisher",
    produced="SIGKILL of a worker, after which another is started",
    must="within a minute another worker has done its job; the entries in the feeds are those of one process",
    promises="P2 P3 P4 P5",
)
def test_a_worker_is_killed(shared, wanted):
    may_answer = delay_answer(shared)
    lost = shared.start("worker")
    shared.plan()
    wait_until(is_polled(shared), "the publisher is polled")
    lost.kill()
    lost.communicate(timeout=60)
    may_answer.set()
    began = time.monotonic()
    with shared.worker() as said:
        shared.ends_in(wanted[1])
    assert time.monotonic() - began < 60
    assert said == []
    assert len(shared.origin.requests("/0")) == 2  # what the first was answered, nobody knows


@fault(
    "M04",
    "A worker is terminated or interrupted at any time",
    produced="SIGTERM or SIGINT after a random time, its start included",
    must="0, or 143 and 130 before it is at work; no traceback; outputs whole; another worker completes "
    "them, and no publisher is asked twice",
    promises="P2 P3 P4 P5",
    rounds=4,
)
def test_a_worker_is_terminated(first, tmp_path, publishers, wanted, rng, rounds):
    for number in rounds:
        world = another(first, tmp_path / str(number), publishers)
        world.plan()
        process = world.start("worker")
        time.sleep(rng.uniform(0, 4))
        how = rng.choice([signal.SIGTERM, signal.SIGINT])
        code, err = interrupt(process, how)
        check_end(how, code, err)
        world.check_intact()
        with world.worker() as said:
            world.ends_in(wanted[1])
        assert said == []
        check_once(world)
        world.check_clean()


@fault(
    "M05",
    "The server is restarted under workers",
    produced="`pg_ctl restart -m immediate` while a worker asks a publisher",
    must="the worker tells in a line what it waits for, or does again, and goes on; the entries in the feeds "
    "are those of one process",
    promises="P2 P3 P4 P5",
)
def test_the_server_is_restarted_under_workers(shared, wanted):
    with shared.asking() as (may_answer, said):
        databases.restart()
        may_answer.set()
        shared.ends_in(wanted[1])
    told = "; it is done again", "; waiting for it", "the database answers again"
    assert said
    assert all(line.endswith(told) for line in said), said


@fault(
    "M06",
    "A run while workers are at work",
    produced="`run` while a worker asks a publisher, and work for it while that run waits",
    must="the run waits until the publisher has answered; none is asked by both; the entries in the feeds are "
    "those of one process",
    promises="P3 P4 P5",
)
def test_a_run_while_workers_are_at_work(shared, wanted):
    with shared.asking() as (may_answer, said):
        run = shared.start("run")
        time.sleep(1.5)
        shared.plan()
        assert run.poll() is None
        may_answer.set()
        _, err = run.communicate(timeout=60)
        assert (run.returncode, err) == (0, "")
        shared.ends_in(wanted[1])
    assert said == []
    check_once(shared)


@fault(
    "M07",
    "A machine whose clock is wrong",
    produced="faketime: a worker two days ahead, and one a year behind, of an installation that has not run yet",
    must="all times are those of the server's clock",
    promises="P10",
    cases=["+2d", "-365d"],
)
def test_a_machine_whose_clock_is_wrong(tmp_path, publishers, wanted, case):
    world = Shared(tmp_path, publishers)
    world.database = databases.new_database()
    world.prepare()
    world.publish(SECOND)
    with world.worker(clock=None, env=faketime(case)):
        world.call("schedule", "--once", clock=None)

        def stored():
            return len(world.sql("SELECT 1 FROM entry WHERE title LIKE 'Undated%'")) == len(HOSTS)

        wait_until(stored, "all is stored")
    columns = "first_seen_at, changed_at"
    for times in world.sql(f"SELECT {columns} FROM entry WHERE title LIKE 'Undated%'"):
        for at in times:
            assert abs(datetime.now(UTC) - at.replace(tzinfo=UTC)) < timedelta(minutes=10)
