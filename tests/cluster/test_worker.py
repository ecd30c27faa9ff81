"""Workers and the scheduler as processes: their work, their messages, their end."""

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
from tests.cli.test_commands import CLIPPING, call
from tests.forkserver import start
from tests.harness import NOON, Installation, item, rss
from tests.origin import Answer, origin

TAGS = '[tags."Communs"]\n'


@pytest.fixture
def working(tmp_path, publisher):
    """An installation on PostgreSQL with one publisher that works."""
    installation = Installation(tmp_path)
    installation.database = databases.new_database()
    publisher["/feed"] = rss(item("Les communs"))
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    return installation


@contextmanager
def worker(installation, *options, code=0):
    """Run a worker until the block ends; then the list has its stdout and stderr."""
    streams: list[str] = []
    process = start(installation.root, *options, "worker")
    try:
        yield process, streams
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        streams += [out, err]
    assert process.returncode == code, streams
    assert "Traceback" not in err


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(0.05)


def is_published(installation, text, name="communs.atom"):
    path = installation.outputs / name
    return path.exists() and text in path.read_text("utf-8")


def wait_until_published(installation, text="Les communs"):
    """Enqueue jobs until the text is published. The scheduler does not wait for running polls."""

    def schedule_and_check():
        call(installation.root, "schedule", "--once")
        time.sleep(0.3)
        return is_published(installation, text)

    wait_for(schedule_and_check)


def test_worker_polls_matches_and_publishes(working, publisher):
    with worker(working) as (_, streams):
        wait_until_published(working)
    assert streams == ["", ""]  # no output means all is well
    assert len(publisher.requests("/feed")) == 1
    (row,) = json.loads(call(working.root, "status", "--json")[0])
    assert (row["state"], row["entries"]) == ("ok", 1)
    # A run then has nothing to do.
    before = working.snapshot()
    assert call(working.root, "run") == ("", "")
    assert working.snapshot() == before


def test_run_and_jobs_wait_for_each_other(working, publisher):
    slow = Answer(rss(item("Les communs")).encode(), wait=lambda: time.sleep(2))
    publisher["/feed"] = slow
    with worker(working):
        call(working.root, "schedule", "--once")
        wait_for(lambda: publisher.all_requests)
        call(working.root, "run", "--all")  # waits for the answer to be stored
        assert working.snapshot()
        call(working.root, "retag")
        assert publisher.max_concurrent == {"127.0.0.1": 1}


@pytest.mark.parametrize("server_stops", [False, True])
def test_run_that_cannot_get_the_lock_says_why(working, monkeypatch, server_stops):
    """Either workers keep the lock, or the server ends the connection."""
    call(working.root, "run")
    monkeypatch.setattr(advisory_locks, "LOCK_TIMEOUT_SECONDS", 60 if server_stops else 1)
    project = open_config(working.root / "feeds.toml")
    engine = sqlalchemy.create_engine(working.database)
    with engine.connect() as worker_connection:
        worker_connection.execute(advisory_locks._LOCK_SHARED, {"lock": advisory_locks._JOBS})
        if server_stops:
            terminate = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"
            threading.Timer(2, working.sql, [terminate]).start()
        error, message = (
            (StorageError, "terminat") if server_stops else (LockedError, "^workers have used")
        )
        with pytest.raises(error, match=message):
            commands.run_once(project, Console(quiet=True), everything=False)
    engine.dispose()


def test_signal_lets_running_jobs_end(working, publisher):
    publisher["/feed"] = Answer(rss(item("Les communs")).encode(), wait=lambda: time.sleep(2))
    with worker(working):
        call(working.root, "schedule", "--once")
        wait_for(lambda: publisher.all_requests)
    assert working.sql("SELECT title FROM entry WHERE title = 'Les communs'")
    assert call(working.root, "run") == ("", "")  # a run completes the rest
    assert is_published(working, "Les communs")
    assert len(publisher.all_requests) == 1


def test_no_network_is_not_counted_as_failures(working):
    hosts = [f"http://127.0.0.{n}:1/feed" for n in (1, 2, 3)]
    working.configure(hosts, TAGS)
    with worker(working) as (_, streams):
        call(working.root, "schedule", "--once")
        wait_for(lambda: (working.outputs / "index.html").exists())
        time.sleep(1)
    assert "no network: no feed answered" in streams[1]
    rows = json.loads(call(working.root, "status", "--json")[0])
    assert [row["failures"] for row in rows] == [0, 0, 0]


def test_unreachable_feed_is_a_failure_if_others_answer(tmp_path):
    installation = Installation(tmp_path)
    installation.database = databases.new_database()
    with origin("0.0.0.0") as publisher:
        publisher["/feed"] = rss(item("Les communs"))
        working_url = publisher.url("/feed", "127.0.0.2")
        installation.configure([working_url], TAGS)
        with worker(installation):
            wait_until_published(installation)
            installation.configure([working_url, "http://127.0.0.3:1/feed"], TAGS)
            call(installation.root, "schedule", "--once")

            def is_failure_counted():
                rows = json.loads(call(installation.root, "status", "--json")[0])
                return [row["failures"] for row in rows] == [0, 1]

            wait_for(is_failure_counted)


def test_error_in_feeds_toml_does_not_stop_a_worker(working, publisher):
    valid = (working.root / "feeds.toml").read_text("utf-8")
    with worker(working) as (_, streams):
        wait_until_published(working)
        working.write("feeds.toml", f"{valid}[nonsense]\n")
        publisher["/feed"] = rss(item("Les communs"), item("Communs, encore", "https://b.example/"))
        working.sql("UPDATE feed SET next_poll_at = NULL, fetched_at = NULL")
        working.write("feeds.toml", valid.replace("site.example", "other.example"))
        wait_until_published(working, "Communs, encore")
    assert is_published(working, "https://other.example/communs.atom")
    assert streams[1].count("nonsense") <= 1


def test_slow_host_delays_others_only_while_a_run_waits(working, monkeypatch):
    monkeypatch.setattr(advisory_locks, "CHECK_INTERVAL_SECONDS", 0.1)
    log = []

    def run():
        with advisory_locks.hold_run_lock(working.database, working.root):
            log.append("run")

    async def job(locks, name, seconds):
        async with locks.job_lock():
            log.append(f"{name} begins")
            await asyncio.sleep(seconds)
            log.append(f"{name} ends")

    async def go():
        with WorkerLocks(working.database, working.root) as locks:
            slow = asyncio.create_task(job(locks, "slow", 3))
            await asyncio.sleep(0.5)
            await job(locks, "quick", 0)
            waiting = asyncio.create_task(asyncio.to_thread(run))
            await asyncio.sleep(1)
            await asyncio.gather(slow, waiting, job(locks, "late", 0))

    asyncio.run(go())
    quick, late = ([f"{name} begins", f"{name} ends"] for name in ("quick", "late"))
    assert log == ["slow begins", *quick, "slow ends", "run", *late]


def test_job_cancelled_while_it_waits_holds_no_lock(working, monkeypatch):
    """It delays neither the end of its worker nor the next run."""
    monkeypatch.setattr(advisory_locks, "LOCK_TIMEOUT_SECONDS", 1)

    async def wait(locks):
        async with locks.job_lock():
            raise AssertionError

    async def cancelled_wait(locks):
        waiting = asyncio.create_task(wait(locks))
        await asyncio.sleep(0.5)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting

    async def go():
        with WorkerLocks(working.database, working.root) as locks:
            with advisory_locks.hold_run_lock(working.database, working.root):
                await cancelled_wait(locks)
            await asyncio.sleep(0.5)
            with advisory_locks.hold_run_lock(working.database, working.root):
                pass
            with advisory_locks.hold_run_lock(working.database, working.root):
                await cancelled_wait(locks)
                ending = asyncio.to_thread(locks.__exit__, None, None, None)
                await asyncio.wait_for(ending, 5)

    asyncio.run(go())


def test_run_waits_for_writing_thread_of_stopped_worker(working, monkeypatch):
    """A thread cannot be stopped: its job keeps the lock until the thread ends."""
    started, may_continue, log = threading.Event(), threading.Event(), []

    def write(*_):
        started.set()
        may_continue.wait(30)
        log.append("written")
        return ()

    def run():
        with advisory_locks.hold_run_lock(working.database, working.root):
            log.append("run")

    async def go():
        projects = ProjectWatcher(working.root / "feeds.toml", open_config, print)
        with (
            closing(working.store()) as store,
            WorkerLocks(working.database, working.root) as locks,
        ):
            jobs = Jobs(projects, store, locks, *[None] * 6)  # type: ignore[arg-type]
            monkeypatch.setattr(Jobs, "_publish", write)
            publishing = asyncio.create_task(jobs.publish(Job("publish", "tag:communs")))
            await asyncio.to_thread(started.wait, 30)
            publishing.cancel()
            running = asyncio.create_task(asyncio.to_thread(run))
            await asyncio.sleep(1)
            may_continue.set()
            await asyncio.wait([publishing, running])
            assert publishing.cancelled()

    asyncio.run(go())
    assert log == ["written", "run"]


def test_only_one_of_two_schedulers_leads(working):
    async def go():
        with (
            WorkerLocks(working.database, working.root) as first,
            WorkerLocks(working.database, working.root) as second,
        ):
            assert first.try_lead()
            assert not second.try_lead()
            assert first.try_lead()
        with WorkerLocks(working.database, working.root) as third:
            assert third.try_lead()

    asyncio.run(go())


def test_scheduler_runs_until_it_is_stopped(working):
    process = start(working.root, "-v", "schedule", "--every", "1")
    with worker(working):
        wait_for(lambda: is_published(working, "Les communs"))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "1 hosts to poll" in err


def test_lost_and_recovered_server_is_reported(working):
    process = start(working.root, "-v", "schedule", "--every", "1")
    assert process.stderr
    assert process.stderr.readline() == "1 hosts to poll\n"
    databases.restart()
    lines = list(iter(process.stderr.readline, "the database answers again\n"))
    (line,) = (line for line in lines if "hosts to poll" not in line)
    assert line.endswith("; waiting for it\n")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_job_that_always_fails_is_given_up_for_a_day(working, tmp_path):
    store = working.store()
    warnings: list[str] = []
    failures = processes.FailureCounter(store, warnings.append)

    async def broken(job):
        raise ValueError("a bug")

    async def go():
        handle = failures.wrap(broken)
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
            lambda: (
                not any(failure.name.startswith("poll ") for failure in store.job_failures.all())
            )
        )
    store.close()


def test_failed_publishing_is_reported_until_it_succeeds(working):
    store = working.store()
    warnings: list[str] = []
    failures = processes.FailureCounter(store, warnings.append)
    job = Job("publish", "tag:communs")

    async def full(job):
        raise PublishError("outputs/communs.atom: No space left on device")

    async def done(job):
        pass

    def do(handler):
        async def go():
            await failures.wrap(handler)(job)

        asyncio.run(go())

    with pytest.raises(RetryLater):
        do(full)
    _, err = call(working.root, "-v", "status")
    assert "workers failed 1 times to publish tag:communs: PublishError: outputs" in err
    (failure,) = store.job_failures.all()
    for _ in range(MAX_ATTEMPTS - 2):
        store.job_failures.record(failure.name, failure.reason, failure.failed_at)
    do(full)
    assert "next try when it is planned again" in warnings[-1]
    do(done)  # another job without failures
    assert not store.job_failures.all()
    store.close()


@pytest.mark.parametrize("command", ["worker", "schedule"])
def test_sqlite_is_refused_for_workers(tmp_path, command):
    installation = Installation(tmp_path)
    installation.database = databases.SQLITE
    installation.configure(["https://a.example/feed"])
    _, err = call(tmp_path, command, code=2)
    assert '"store.url" is a file: several machines need a PostgreSQL database' in err


def test_unreachable_server_is_reported(tmp_path):
    installation = Installation(tmp_path)
    installation.database = f"postgresql+psycopg://me:SECRET@/db?host={tmp_path}"
    installation.configure(["https://a.example/feed"])
    for command in ("run", "worker", "status"):
        _, err = call(tmp_path, command, code=3)
        assert err.startswith("postgresql://localhost/db: ")
        assert err.count("\n") == 1
        assert "SECRET" not in err


def test_database_url_from_environment(working):
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


def test_missing_extra_is_reported(working, tmp_path):
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


# -- migrate ---------------------------------------------------------------------------------------


def test_migrate_to_postgresql_and_back(tmp_path, publisher):
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
    # New rows get new ids.
    publisher["/feed"] = rss(item("Communs, encore", "https://c.example/"))
    call(tmp_path, "run", "--all")
    assert is_published(installation, "Communs, encore")
    files, rows = installation.snapshot(), sum(map(len, installation.stored().values()))
    call(tmp_path, "migrate", "--to", "sqlite:///back.sqlite3")
    installation.database = "sqlite:///back.sqlite3"
    installation.configure([publisher.url("/feed")], clippings=CLIPPING)
    assert sum(map(len, installation.stored().values())) == rows
    call(tmp_path, "run", "--all")
    assert installation.snapshot() == files
    assert len(publisher.requests("/feed")) == 3
    assert publisher.all_requests[-1].headers["If-None-Match"]  # validators were copied


def test_migrate_refuses_a_database_that_is_not_empty(working):
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
