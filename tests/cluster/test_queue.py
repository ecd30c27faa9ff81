"""The queue: each job runs once, one job per lock at a time, and none is lost with its worker."""

import asyncio
import gc
from contextlib import suppress

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from aggregator.cluster.queue import SCHEMA, Job, Queue, RetryLater
from aggregator.errors import StorageError
from aggregator.store.engine import conninfo
from tests import databases


@pytest.fixture
def address():
    return conninfo(databases.new_database())


async def work_until(queue, handlers, condition, concurrency=4):
    """Run a worker until the condition is true."""
    working = asyncio.create_task(queue.work(handlers, concurrency, shutdown_seconds=5))
    try:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.02)
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


def test_queued_job_is_not_queued_again(address):
    async def go():
        async with Queue(address) as queue:
            a, b = Job("poll", "a", {"keys": ["1"]}), Job("poll", "b")
            assert await queue.put([a]) == 1
            assert await queue.put([a, b]) == 1
            assert await queue.queued_locks() == {"poll a", "poll b"}
            done = []

            async def handle(job):
                done.append((job.name, job.details, job.tries))

            await work_until(queue, {"poll": handle}, lambda: len(done) == 2)
            assert done == [("a", {"keys": ["1"]}, 0), ("b", {}, 0)]
            assert await queue.queued_locks() == set()

    asyncio.run(go())


def test_jobs_with_same_lock_run_one_at_a_time(address):
    async def go():
        async with Queue(address) as queue, Queue(address) as other:
            running, max_running, done = set(), 0, []

            async def handle(job):
                nonlocal max_running
                assert job.name not in running
                running.add(job.name)
                max_running = max(max_running, len(running))
                if job.name == "a":  # queued again while it runs
                    await other.put([Job("poll", "a", {"again": True})] * (not job.details))
                await asyncio.sleep(0.3)
                running.discard(job.name)
                done.append(job.name)

            await queue.put([Job("poll", name) for name in "abc"])
            both = (work_until(q, {"poll": handle}, lambda: len(done) == 4) for q in (queue, other))
            await asyncio.gather(*both)
            assert sorted(done) == ["a", "a", "b", "c"]
            assert max_running >= 2

    asyncio.run(go())


def test_job_is_retried_later(address):
    async def go():
        async with Queue(address) as queue:
            tries = []

            async def handle(job):
                tries.append(job.tries)
                if job.tries < 2:
                    raise RetryLater(0)

            await queue.put([Job("poll", "a")])
            await work_until(queue, {"poll": handle}, lambda: len(tries) == 3)
            assert tries == [0, 1, 2]
            assert await queue.queued_locks() == set()

    asyncio.run(go())


def test_unfinished_job_of_stopped_worker_is_queued_again(address):
    async def go():
        async with Queue(address) as queue:
            started = asyncio.Event()

            async def endless(job):
                started.set()
                await asyncio.sleep(60)

            await queue.put([Job("poll", "a")])
            working = asyncio.create_task(queue.work({"poll": endless}, 1, shutdown_seconds=0.1))
            await asyncio.wait_for(started.wait(), 20)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            assert await queue.queued_locks() == {"poll a"}
            done = []

            async def handle(job):
                done.append(job.tries)

            async with Queue(address) as other:
                await work_until(other, {"poll": handle}, lambda: done)
            assert done == [1]

    asyncio.run(go())


@pytest.mark.parametrize("retry", [True, False])
def test_job_of_dead_worker_is_queued_again_or_dropped(address, retry):
    async def go():
        async with Queue(address, stalled_seconds=1) as queue:
            await queue.put([Job("poll", "a", {"keys": ["1"]})])
            with psycopg.connect(
                address, autocommit=True
            ) as server:  # a worker that never sends a heartbeat
                server.execute(f"SET search_path = {SCHEMA}")
                server.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
                server.execute("SELECT * FROM procrastinate_fetch_job_v2(NULL, 1)")
            assert await queue.rescue(lambda job: retry) == 0
            await asyncio.sleep(1.2)
            stalled_jobs = []

            def should_retry(job):
                stalled_jobs.append(job)
                return retry

            assert await queue.rescue(should_retry) == 1
            assert stalled_jobs == [Job("poll", "a", {"keys": ["1"]})]
            assert await queue.queued_locks() == ({"poll a"} if retry else set())

    asyncio.run(go())


def test_job_of_dead_worker_is_not_queued_twice(address):
    async def go():
        async with Queue(address, stalled_seconds=1) as queue:
            await queue.put([Job("settle", "all")])
            with psycopg.connect(address, autocommit=True) as server:
                server.execute(f"SET search_path = {SCHEMA}")
                server.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
                server.execute("SELECT * FROM procrastinate_fetch_job_v2(NULL, 1)")
            assert await queue.put([Job("settle", "all")]) == 1  # planned again in the meantime
            await asyncio.sleep(1.2)
            assert await queue.rescue(lambda job: True) == 1
            done = []

            async def handle(job):
                done.append(job)

            await work_until(queue, {"settle": handle}, lambda: done)
            assert await queue.queued_locks() == set()

    asyncio.run(go())


@pytest.mark.parametrize("error", [RetryLater(0), None])
def test_job_done_by_another_worker_ends_without_error(address, caplog, error):
    """The first worker sent no heartbeats, as when its machine sleeps."""

    async def go():
        async with Queue(address) as queue, Queue(address) as other:
            started, done = asyncio.Event(), asyncio.Event()
            tries = []

            async def slow(job):
                started.set()
                await done.wait()
                if error:
                    raise error

            async def quick(job):
                tries.append(job.tries)

            await queue.put([Job("settle", "all")])
            working = asyncio.create_task(queue.work({"settle": slow}, 1, shutdown_seconds=5))
            await asyncio.wait_for(started.wait(), 20)
            with psycopg.connect(address, autocommit=True) as server:
                server.execute(f"SET search_path = {SCHEMA}")
                make_stale = (
                    "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 min'"
                )
                server.execute(make_stale)
            assert await other.rescue(lambda job: True) == 1
            await work_until(other, {"settle": quick}, lambda: tries)
            assert tries == [1]
            done.set()
            await asyncio.sleep(0.5)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            assert await queue.queued_locks() == set()

    asyncio.run(go())
    gc.collect()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_retry_of_a_queued_job_runs_once(address):
    async def go():
        async with Queue(address) as queue:
            done = []

            async def handle(job):
                done.append(job.tries)
                if len(done) == 1:
                    await queue.put([Job("settle", "all")])  # planned again while it runs
                    raise RetryLater(0)

            await queue.put([Job("settle", "all")])
            await work_until(queue, {"settle": handle}, lambda: len(done) == 2)
            assert done == [0, 0]
            assert await queue.queued_locks() == set()

    asyncio.run(go())


def test_tables_are_created_anew_for_another_version(address):
    async def go():
        async with Queue(address) as queue:
            await queue.put([Job("poll", "a")])
        async with Queue(address) as queue:
            assert await queue.queued_locks() == {"poll a"}
        with psycopg.connect(address, autocommit=True) as server:
            server.execute(f"COMMENT ON SCHEMA {SCHEMA} IS 'another'")
        async with Queue(address) as queue:
            assert await queue.queued_locks() == set()  # it will be planned again
            assert await queue.put([Job("poll", "a")]) == 1

    asyncio.run(go())


def test_unreachable_server_is_a_storage_error(tmp_path, monkeypatch):
    wait = AsyncConnectionPool.wait  # for 30 s by default
    monkeypatch.setattr(AsyncConnectionPool, "wait", lambda pool, timeout=30: wait(pool, 2))

    async def go():
        async with Queue(f"postgresql://me:SECRET@/db?host={tmp_path}"):
            pass

    with pytest.raises(StorageError) as raised:
        asyncio.run(go())
    assert str(raised.value).startswith("the queue: ")
    assert "SECRET" not in str(raised.value)
