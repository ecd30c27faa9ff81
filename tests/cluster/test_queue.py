"""The queue: each job once, of one lock one at a time, and none lost with its worker."""

import asyncio
import gc
from contextlib import suppress

import psycopg
import pytest

from aggregator.cluster.queue import SCHEMA, Job, Queue, RetryLater
from aggregator.errors import StorageError
from aggregator.store.engine import conninfo
from tests import databases


@pytest.fixture
def address():
    return conninfo(databases.new_database())


async def worked(queue, handlers, until, concurrency=4):
    """Work until something is so."""
    working = asyncio.create_task(queue.work(handlers, concurrency, shutdown_seconds=5))
    try:
        async with asyncio.timeout(30):
            while not until():
                await asyncio.sleep(0.02)
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


def test_what_waits_is_not_put_again(address):
    async def go():
        async with Queue(address) as queue:
            a, b = Job("poll", "a", {"keys": ["1"]}), Job("poll", "b")
            assert await queue.put([a]) == 1
            assert await queue.put([a, b]) == 1
            assert await queue.queued_locks() == {"poll a", "poll b"}
            done = []

            async def handle(job):
                done.append((job.name, job.details, job.tries))

            await worked(queue, {"poll": handle}, lambda: len(done) == 2)
            assert done == [("a", {"keys": ["1"]}, 0), ("b", {}, 0)]
            assert await queue.queued_locks() == set()

    asyncio.run(go())


def test_of_one_lock_one_is_at_work_and_of_others_many(address):
    async def go():
        async with Queue(address) as queue, Queue(address) as other:
            at_work, most, done = set(), 0, []

            async def handle(job):
                nonlocal most
                assert job.name not in at_work
                at_work.add(job.name)
                most = max(most, len(at_work))
                if job.name == "a":  # asked for again in the middle
                    await other.put([Job("poll", "a", {"again": True})] * (not job.details))
                await asyncio.sleep(0.3)
                at_work.discard(job.name)
                done.append(job.name)

            await queue.put([Job("poll", name) for name in "abc"])
            both = (worked(q, {"poll": handle}, lambda: len(done) == 4) for q in (queue, other))
            await asyncio.gather(*both)
            assert sorted(done) == ["a", "a", "b", "c"]
            assert most >= 2

    asyncio.run(go())


def test_a_job_may_be_done_later(address):
    async def go():
        async with Queue(address) as queue:
            tries = []

            async def handle(job):
                tries.append(job.tries)
                if job.tries < 2:
                    raise RetryLater(0)

            await queue.put([Job("poll", "a")])
            await worked(queue, {"poll": handle}, lambda: len(tries) == 3)
            assert tries == [0, 1, 2]
            assert await queue.queued_locks() == set()

    asyncio.run(go())


def test_what_a_stopped_worker_has_not_ended_is_given_back(address):
    async def go():
        async with Queue(address) as queue:
            begun = asyncio.Event()

            async def endless(job):
                begun.set()
                await asyncio.sleep(60)

            await queue.put([Job("poll", "a")])
            working = asyncio.create_task(queue.work({"poll": endless}, 1, shutdown_seconds=0.1))
            await asyncio.wait_for(begun.wait(), 20)
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            assert await queue.queued_locks() == {"poll a"}
            done = []

            async def handle(job):
                done.append(job.tries)

            async with Queue(address) as other:
                await worked(other, {"poll": handle}, lambda: done)
            assert done == [1]

    asyncio.run(go())


@pytest.mark.parametrize("again", [True, False])
def test_what_a_dead_worker_had_begun_is_given_back_or_dropped(address, again):
    async def go():
        async with Queue(address, stalled_seconds=1) as queue:
            await queue.put([Job("poll", "a", {"keys": ["1"]})])
            with psycopg.connect(address, autocommit=True) as server:  # who never says more
                server.execute(f"SET search_path = {SCHEMA}")
                server.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
                server.execute("SELECT * FROM procrastinate_fetch_job_v2(NULL, 1)")
            assert await queue.rescue(lambda job: again) == 0
            await asyncio.sleep(1.2)
            asked = []

            def wanted(job):
                asked.append(job)
                return again

            assert await queue.rescue(wanted) == 1
            assert asked == [Job("poll", "a", {"keys": ["1"]})]
            assert await queue.queued_locks() == ({"poll a"} if again else set())

    asyncio.run(go())


def test_of_a_dead_worker_nothing_is_given_back_that_waits_again(address):
    async def go():
        async with Queue(address, stalled_seconds=1) as queue:
            await queue.put([Job("settle", "all")])
            with psycopg.connect(address, autocommit=True) as server:
                server.execute(f"SET search_path = {SCHEMA}")
                server.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
                server.execute("SELECT * FROM procrastinate_fetch_job_v2(NULL, 1)")
            assert await queue.put([Job("settle", "all")]) == 1  # planned again meanwhile
            await asyncio.sleep(1.2)
            assert await queue.rescue(lambda job: True) == 1
            done = []

            async def handle(job):
                done.append(job)

            await worked(queue, {"settle": handle}, lambda: done)
            assert await queue.queued_locks() == set()

    asyncio.run(go())


@pytest.mark.parametrize("ended", [RetryLater(0), None])
def test_a_job_that_another_worker_has_done_meanwhile_ends_in_silence(address, caplog, ended):
    """Its own was not heard of, as when a machine sleeps."""

    async def go():
        async with Queue(address) as queue, Queue(address) as other:
            begun, done = asyncio.Event(), asyncio.Event()
            tries = []

            async def slow(job):
                begun.set()
                await done.wait()
                if ended:
                    raise ended

            async def quick(job):
                tries.append(job.tries)

            await queue.put([Job("settle", "all")])
            working = asyncio.create_task(queue.work({"settle": slow}, 1, shutdown_seconds=5))
            await asyncio.wait_for(begun.wait(), 20)
            with psycopg.connect(address, autocommit=True) as server:
                server.execute(f"SET search_path = {SCHEMA}")
                silent = (
                    "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 min'"
                )
                server.execute(silent)
            assert await other.rescue(lambda job: True) == 1
            await worked(other, {"settle": quick}, lambda: tries)
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


def test_a_job_that_waits_again_is_not_done_later_too(address):
    async def go():
        async with Queue(address) as queue:
            done = []

            async def handle(job):
                done.append(job.tries)
                if len(done) == 1:
                    await queue.put([Job("settle", "all")])  # planned again in the middle
                    raise RetryLater(0)

            await queue.put([Job("settle", "all")])
            await worked(queue, {"settle": handle}, lambda: len(done) == 2)
            assert done == [0, 0]
            assert await queue.queued_locks() == set()

    asyncio.run(go())


def test_the_tables_are_made_anew_for_another_version(address):
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


def test_a_server_that_is_not_there(tmp_path):
    async def go():
        async with Queue(f"postgresql://me:SECRET@/db?host={tmp_path}"):
            pass

    with pytest.raises(StorageError) as told:
        asyncio.run(go())
    assert str(told.value).startswith("the queue: ")
    assert "SECRET" not in str(told.value)
