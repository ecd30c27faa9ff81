"""Workers and the schedule as their operator starts them: processes, their output, their end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress

import pytest
import sqlalchemy

from aggregator.cli import commands
from aggregator.cli.console import Console
from aggregator.cli.context import open_config
from aggregator.cluster import worker as processes
from aggregator.cluster.jobs import Jobs
from aggregator.cluster.loaded_project import ProjectWatcher
from aggregator.cluster.queue import Job, RetryLater
from aggregator.errors import DISTRIBUTION, LockedError, PublishError, StorageError
from aggregator.model import MAX_ATTEMPTS
from aggregator.store import Store, advisory_locks
from aggregator.store.advisory_locks import WorkerLocks
from tests import databases
from tests.cli.test_commands import CLIPPING, call, start
from tests.harness import NOON, Installation, item, rss
from tests.origin import Answer, origin

TAGS = '[tags."Communs"]\n'


@pytest.fixture
def working(tmp_path, publisher):
    """An installation on PostgreSQL whose one publisher answers."""
    installation = Installation(tmp_path)
    installation.database = databases.new_database()
    publisher["/feed"] = rss(item("Les communs"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    return installation


@contextmanager
def worker(installation, *options, code=0):
    """A worker at work; what it said is in the list."""
    said: list[str] = []
    process = start(installation.root, *options, "worker")
    try:
        yield process, said
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        said += [out, err]
    assert process.returncode == code, said
    assert "Traceback" not in err


def wait_for(what, seconds=60):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)


def published(installation, text, name="communs.atom"):
    path = installation.outputs / name
    return path.exists() and text in path.read_text("utf-8")


def settled(installation, text="Les communs"):
    """Plan and wait until it is published, which may be the plan after that: a poll that is at work
    is not waited for."""

    def come():
        call(installation.root, "schedule", "--once")
        time.sleep(0.3)
        return published(installation, text)

    wait_for(come)


def test_what_is_planned_is_polled_matched_and_published(working, publisher):
    with worker(working) as (_, said):
        settled(working)
    assert said == ["", ""]  # silent when all is well
    assert len(publisher.requests("/feed")) == 1
    (row,) = json.loads(call(working.root, "status", "--json")[0])
    assert (row["state"], row["entries"]) == ("ok", 1)
    # A run finds nothing left to do, and what it would write is written.
    before = working.snapshot()
    assert call(working.root, "run") == ("", "")
    assert working.snapshot() == before


def test_a_run_waits_for_the_jobs_and_they_for_the_run(working, publisher):
    slow = Answer(rss(item("Les communs")).encode(), wait=lambda: time.sleep(2))
    publisher["/feed"] = slow
    with worker(working):
        call(working.root, "schedule", "--once")
        wait_for(lambda: publisher.asked)
        call(working.root, "run", "--all")  # waits for the answer to be stored
        assert working.snapshot()
        call(working.root, "retag")
        assert publisher.most_at_once == {"127.0.0.1": 1}


@pytest.mark.parametrize("cut", [False, True])
def test_a_run_that_waits_for_workers_in_vain_says_why(working, monkeypatch, cut):
    """Either they do not end, or the server goes."""
    call(working.root, "run")
    monkeypatch.setattr(advisory_locks, "LOCK_TIMEOUT_SECONDS", 60 if cut else 1)
    project = open_config(working.root / "feeds.toml")
    engine = sqlalchemy.create_engine(working.database)
    with engine.connect() as theirs:
        theirs.execute(advisory_locks._LOCK_SHARED, {"lock": advisory_locks._JOBS})
        if cut:
            waiting = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"
            ending = threading.Timer(2, working.sql, [waiting])
            ending.start()
        wrong = (StorageError, "terminat") if cut else (LockedError, "^workers have used")
        with pytest.raises(wrong[0], match=wrong[1]):
            commands.run_once(project, Console(quiet=True), everything=False)
    engine.dispose()


def test_a_signal_lets_the_jobs_at_work_end(working, publisher):
    publisher["/feed"] = Answer(rss(item("Les communs")).encode(), wait=lambda: time.sleep(2))
    with worker(working):
        call(working.root, "schedule", "--once")
        wait_for(lambda: publisher.asked)
    assert working.sql("SELECT title FROM entry WHERE title = 'Les communs'")
    assert call(working.root, "run") == ("", "")  # what it left, a run goes on with
    assert published(working, "Les communs")
    assert len(publisher.asked) == 1


def test_no_network_is_no_publishers_fault(working):
    hosts = [f"http://127.0.0.{n}:1/feed" for n in (1, 2, 3)]
    working.configure(hosts, TAGS)
    with worker(working) as (_, said):
        call(working.root, "schedule", "--once")
        wait_for(lambda: (working.outputs / "index.html").exists())
        time.sleep(1)
    assert "no network: no feed answered" in said[1]
    rows = json.loads(call(working.root, "status", "--json")[0])
    assert [row["failures"] for row in rows] == [0, 0, 0]


def test_where_others_answer_silence_is_the_publishers_fault(tmp_path):
    installation = Installation(tmp_path)
    installation.database = databases.new_database()
    with origin("0.0.0.0") as publisher:
        publisher["/feed"] = rss(item("Les communs"))
        good = publisher.url("/feed", "127.0.0.2")
        installation.configure([good], TAGS)
        with worker(installation):
            settled(installation)
            installation.configure([good, "http://127.0.0.3:1/feed"], TAGS)
            call(installation.root, "schedule", "--once")

            def failed():
                rows = json.loads(call(installation.root, "status", "--json")[0])
                return [row["failures"] for row in rows] == [0, 1]

            wait_for(failed)


def test_a_mistake_in_feeds_toml_does_not_stop_a_worker(working, publisher):
    right = (working.root / "feeds.toml").read_text("utf-8")
    with worker(working) as (_, said):
        settled(working)
        working.write("feeds.toml", f"{right}[nonsense]\n")
        publisher["/feed"] = rss(item("Les communs"), item("Communs, encore", "https://b.example/"))
        working.sql("UPDATE feed SET next_poll_at = NULL, fetched_at = NULL")
        working.write("feeds.toml", right.replace("site.example", "other.example"))
        settled(working, "Communs, encore")
    assert published(working, "https://other.example/communs.atom")
    assert said[1].count("nonsense") <= 1


def test_a_slow_host_keeps_no_other_waiting_unless_a_run_waits(working, monkeypatch):
    monkeypatch.setattr(advisory_locks, "CHECK_INTERVAL_SECONDS", 0.1)
    told = []

    def run():
        with advisory_locks.hold_run_lock(working.database, working.root):
            told.append("run")

    async def job(share, name, seconds):
        async with share.job_lock():
            told.append(f"{name} begins")
            await asyncio.sleep(seconds)
            told.append(f"{name} ends")

    async def go():
        with WorkerLocks(working.database, working.root) as share:
            slow = asyncio.create_task(job(share, "slow", 3))
            await asyncio.sleep(0.5)
            await job(share, "quick", 0)
            waiting = asyncio.create_task(asyncio.to_thread(run))
            await asyncio.sleep(1)
            await asyncio.gather(slow, waiting, job(share, "late", 0))

    asyncio.run(go())
    quick, late = ([f"{name} begins", f"{name} ends"] for name in ("quick", "late"))
    assert told == ["slow begins", *quick, "slow ends", "run", *late]


def test_a_job_that_is_cancelled_while_it_waits_for_a_run_holds_nothing(working, monkeypatch):
    """Neither the end of its worker, nor the next run."""
    monkeypatch.setattr(advisory_locks, "LOCK_TIMEOUT_SECONDS", 1)

    async def wait(share):
        async with share.job_lock():
            raise AssertionError

    async def cancelled_wait(share):
        waiting = asyncio.create_task(wait(share))
        await asyncio.sleep(0.5)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting

    async def go():
        with WorkerLocks(working.database, working.root) as share:
            with advisory_locks.hold_run_lock(working.database, working.root):
                await cancelled_wait(share)
            await asyncio.sleep(0.5)
            with advisory_locks.hold_run_lock(working.database, working.root):
                pass
            with advisory_locks.hold_run_lock(working.database, working.root):
                await cancelled_wait(share)
                ending = asyncio.to_thread(share.__exit__, None, None, None)
                await asyncio.wait_for(ending, 5)

    asyncio.run(go())


def test_what_a_stopped_worker_still_writes_is_waited_for(working, monkeypatch):
    """A thread cannot be stopped: until it ends, its job is at work, and no run begins."""
    begun, go_on, told = threading.Event(), threading.Event(), []

    def write(*_):
        begun.set()
        go_on.wait(30)
        told.append("written")
        return ()

    def run():
        with advisory_locks.hold_run_lock(working.database, working.root):
            told.append("run")

    async def go():
        projects = ProjectWatcher(working.root / "feeds.toml", open_config, print)
        with (
            closing(working.store()) as store,
            WorkerLocks(working.database, working.root) as share,
        ):
            jobs = Jobs(projects, store, share, *[None] * 6)  # type: ignore[arg-type]
            monkeypatch.setattr(Jobs, "_publish", write)
            publishing = asyncio.create_task(jobs.publish(Job("publish", "tag:communs")))
            await asyncio.to_thread(begun.wait, 30)
            publishing.cancel()
            running = asyncio.create_task(asyncio.to_thread(run))
            await asyncio.sleep(1)
            go_on.set()
            await asyncio.wait([publishing, running])
            assert publishing.cancelled()

    asyncio.run(go())
    assert told == ["written", "run"]


def test_of_two_schedules_one_plans(working):
    async def go():
        with (
            WorkerLocks(working.database, working.root) as one,
            WorkerLocks(working.database, working.root) as two,
        ):
            assert one.try_lead()
            assert not two.try_lead()
            assert one.try_lead()
        with WorkerLocks(working.database, working.root) as three:
            assert three.try_lead()

    asyncio.run(go())


def test_a_schedule_goes_on_until_it_is_stopped(working):
    process = start(working.root, "-v", "schedule", "--every", "1")
    with worker(working):
        wait_for(lambda: published(working, "Les communs"))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "1 hosts to poll" in err


def test_a_server_that_goes_and_comes_back_is_told_of(working):
    process = start(working.root, "-v", "schedule", "--every", "1")
    assert process.stderr.readline() == "1 hosts to poll\n"
    databases.restart()
    said = list(iter(process.stderr.readline, "the database answers again\n"))
    (line,) = (line for line in said if "hosts to poll" not in line)
    assert line.endswith("; waiting for it\n")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_what_always_fails_is_given_up_for_a_day_and_told(working, tmp_path):
    store = working.store()
    warnings: list[str] = []
    tried = processes.FailureCounter(store, warnings.append)

    async def broken(job):
        raise ValueError("a bug")

    async def go():
        handle = tried.wrap(broken)
        for number in range(MAX_ATTEMPTS - 1):
            with pytest.raises(RetryLater):
                await handle(Job("poll", "127.0.0.1", tries=number))
        await handle(Job("poll", "127.0.0.1", tries=MAX_ATTEMPTS))

    asyncio.run(go())
    (line,) = warnings
    assert line == (
        "poll 127.0.0.1: given up after 8 attempts, next try in a day: ValueError: a bug"
    )
    (row,) = json.loads(call(working.root, "status", "--json")[0])
    assert row["state"] == "parked"
    assert row["error"] == "given up after 8 attempts: ValueError: a bug"
    _, err = call(working.root, "-v", "schedule", "--once")
    assert err == "0 hosts to poll\n"
    for _ in range(MAX_ATTEMPTS):
        store.job_failures.record("publish tag:communs", "a bug", store.server_time())
    _, err = call(working.root, "status")
    assert "workers failed 8 times to publish tag:communs: a bug" in err
    working.sql("UPDATE job_failure SET failed_at = failed_at - INTERVAL '2 days'")
    assert call(working.root, "-v", "schedule", "--once")[1] == "1 hosts to poll\n"
    with worker(working):
        wait_for(
            lambda: not any(work.name.startswith("poll ") for work in store.job_failures.all())
        )
    store.close()


def test_what_cannot_be_published_is_told_until_it_is(working):
    store = working.store()
    warnings: list[str] = []
    tried = processes.FailureCounter(store, warnings.append)
    job = Job("publish", "tag:communs")

    async def full(job):
        raise PublishError("outputs/communs.atom: No space left on device")

    async def done(job):
        pass

    def do(handler):
        async def go():
            await tried.wrap(handler)(job)

        asyncio.run(go())

    with pytest.raises(RetryLater):
        do(full)
    _, err = call(working.root, "-v", "status")
    assert "workers failed 1 times to publish tag:communs: PublishError: outputs" in err
    (left,) = store.job_failures.all()
    for _ in range(MAX_ATTEMPTS - 2):
        store.job_failures.record(left.name, left.reason, left.failed_at)
    do(full)
    assert "and tried again when it is next planned" in warnings[-1]
    do(done)  # another job, which was never tried before
    assert not store.job_failures.all()
    store.close()


@pytest.mark.parametrize("command", ["worker", "schedule"])
def test_a_file_is_for_one_machine(tmp_path, command):
    installation = Installation(tmp_path)
    installation.database = databases.SQLITE
    installation.configure(["https://a.example/feed"])
    _, err = call(tmp_path, command, code=2)
    assert '"store.url" is a file: several machines need a PostgreSQL database' in err


def test_a_server_that_cannot_be_reached(tmp_path):
    installation = Installation(tmp_path)
    installation.database = f"postgresql+psycopg://me:SECRET@/db?host={tmp_path}"
    installation.configure(["https://a.example/feed"])
    for command in ("run", "worker", "status"):
        _, err = call(tmp_path, command, code=3)
        assert err.startswith("postgresql://localhost/db: ")
        assert err.count("\n") == 1
        assert "SECRET" not in err


def test_the_address_of_the_database_may_stand_in_the_environment(working):
    text = (working.root / "feeds.toml").read_text("utf-8")
    working.write("feeds.toml", text.replace(working.database, "env:OUR_DATABASE"))
    url = working.database.replace("+psycopg", "")
    call(working.root, "run", env=os.environ | {"OUR_DATABASE": url})
    assert working.sql("SELECT count(*) FROM entry") != [(0,)]
    _, err = call(working.root, "run", code=2)
    assert '"url" names the environment variable OUR_DATABASE, which is not set' in err
    _, err = call(working.root, "run", code=2, env=os.environ | {"OUR_DATABASE": "x:SECRET"})
    assert "the variable OUR_DATABASE: expected " in err
    assert "SECRET" not in err


def test_without_the_extra_a_message(working, tmp_path):
    (tmp_path / "psycopg.py").write_text("raise ModuleNotFoundError('no', name='psycopg')")
    process = subprocess.run(
        [sys.executable, "-m", "aggregator", "run"],
        cwd=working.root,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert process.returncode == 3
    assert f'pip install "{DISTRIBUTION}[postgres]"' in process.stderr


# -- moving ----------------------------------------------------------------------------------------


def test_everything_moves_to_postgresql_and_back(tmp_path, publisher):
    publisher["/feed"] = rss(item("Les communs"), item("Jardin", "https://b.example/"))
    installation = Installation(tmp_path)
    installation.database = databases.SQLITE
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    call(tmp_path, "run")
    files = installation.snapshot()
    server = databases.new_database()
    _, err = call(tmp_path, "migrate", "--to", server)
    assert "rows copied from" in err
    shown = server.replace("postgres:@", "…@")
    assert f'now set [store] url = "{shown}" in ' in err
    installation.database = server
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    call(tmp_path, "run")
    assert installation.snapshot() == files
    # What is new gets numbers of its own.
    publisher["/feed"] = rss(item("Communs, encore", "https://c.example/"))
    call(tmp_path, "run", "--all")
    assert published(installation, "Communs, encore")
    files, rows = installation.snapshot(), sum(map(len, installation.stored().values()))
    call(tmp_path, "migrate", "--to", "sqlite:///back.sqlite3")
    installation.database = "sqlite:///back.sqlite3"
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    assert sum(map(len, installation.stored().values())) == rows
    call(tmp_path, "run", "--all")
    assert installation.snapshot() == files
    assert len(publisher.requests("/feed")) == 3
    assert publisher.asked[-1].headers["If-None-Match"]  # what was known is known


def test_nothing_moves_onto_something(working):
    call(working.root, "run")
    _, err = call(working.root, "migrate", "--to", working.database, code=2)
    assert "is the current database" in err
    other = Installation(working.root / "other")
    other.database = databases.new_database()
    store = Store(other.database, working.root)
    store.runs.start(1, NOON)
    store.close()
    _, err = call(working.root, "migrate", "--to", other.database, code=3)
    assert "it is not empty (run): name a new database; nothing was changed" in err
    assert "expected" in call(working.root, "migrate", "--to", "mysql://x", code=2)[1]
