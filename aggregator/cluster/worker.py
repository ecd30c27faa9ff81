"""The processes: a worker that does jobs, and the one that plans them."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from aggregator.cluster.jobs import Jobs
from aggregator.cluster.loaded_project import ProjectWatcher
from aggregator.cluster.queue import Job, Later, Queue
from aggregator.cluster.scheduler import POLL, PUBLISH, SETTLE, put_polls, put_settle
from aggregator.errors import StorageError
from aggregator.model import MAX_ATTEMPTS
from aggregator.store import Store
from aggregator.store.advisory_locks import WorkerLocks

PATIENCE_SECONDS = 15.0  # it is not heard of meanwhile, and must not be taken for dead
_SERVER_SECONDS = 5  # until the server is asked again, when it has gone
_FIRST_RETRY_SECONDS = 10
_MOST_SECONDS = 900  # between attempts
_STALLED = "its worker has died, or has lost the database"

Warn = Callable[[str], None]


async def work(
    jobs: Jobs, concurrency: int, warn: Warn, patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """Do jobs until SIGTERM or SIGINT: then those at work have ``patience_seconds`` to end, and
    what has not ended is given back. A server that has gone is waited for."""
    queue, store = jobs.queue, jobs.store
    tried = _Tried(store, warn)
    handlers = {
        POLL: tried.careful(jobs.poll),
        SETTLE: tried.careful(jobs.match_and_place),
        PUBLISH: tried.careful(jobs.publish),
    }
    server = _Server(warn)
    with _stopping() as stop:
        rescuing = asyncio.create_task(_rescue(queue, tried, server))
        while not stop.is_set():
            working = asyncio.create_task(queue.work(handlers, concurrency, patience_seconds))
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                working.cancel()
            with suppress(asyncio.CancelledError):
                try:
                    await working
                except StorageError as error:
                    server.gone(error)
            stopped.cancel()
            if not stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _SERVER_SECONDS)
        rescuing.cancel()


async def schedule(
    projects: ProjectWatcher,
    store: Store,
    turns: WorkerLocks,
    queue: Queue,
    every_seconds: float,
    warn: Warn,
    told: Callable[[int], None],
) -> None:
    """Plan what is due, again and again, until SIGTERM or SIGINT. Of several such processes one is
    at work, and another when that is gone."""
    tried = _Tried(store, warn)
    server = _Server(warn)
    loop = asyncio.get_running_loop()
    with _stopping() as stop:
        rescuing = asyncio.create_task(_rescue(queue, tried, server))
        while not stop.is_set():
            next_at = loop.time() + every_seconds
            try:
                if turns.leads():
                    told(await plan_once(projects, store, turns, queue))
                server.back()
            except StorageError as error:
                server.gone(error)
                next_at = loop.time() + _SERVER_SECONDS
            left = next_at - loop.time()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(0.0, left))
        rescuing.cancel()


async def plan_once(
    projects: ProjectWatcher, store: Store, turns: WorkerLocks, queue: Queue
) -> int:
    """Put what is due into the queue, and what settles it; gives how many hosts that are.

    Raises StorageError.
    """
    number = await put_polls(projects, store, turns, queue, store.server_time())
    await put_settle(queue)
    return number


async def _rescue(queue: Queue, tried: "_Tried", server: "_Server") -> None:
    """Every few seconds, give back what workers that have died had begun."""
    while True:
        try:
            await queue.rescue(tried.again)
            server.back()
        except StorageError as error:
            server.gone(error)
        await asyncio.sleep(queue.stalled_seconds / 2)


class _Server:
    """Tells once that the database's server has gone, and once that it is back."""

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._gone = False

    def gone(self, error: StorageError) -> None:
        if not self._gone:
            self._warn(f"{error}; waiting for it")
        self._gone = True

    def back(self) -> None:
        if self._gone:
            self._warn("the database answers again")
        self._gone = False


class _Tried:
    """Counts the failures of jobs, by their locks, and gives up those that fail too often."""

    def __init__(self, store: Store, warn: Warn) -> None:
        self._store = store
        self._warn = warn

    def careful(
        self, handler: Callable[[Job], Awaitable[None]]
    ) -> Callable[[Job], Awaitable[None]]:
        """``handler``, of which nothing comes out but `Later`."""

        async def handle(job: Job) -> None:
            try:
                await handler(job)
                # Of a poll it is known beforehand whether one failed; the others are few.
                if job.tries or job.details.get("failed") or job.kind != POLL:
                    self._store.job_failures.clear(job.lock)
            except StorageError as error:  # no job's fault
                self._warn(f"{job.lock}: {error}; it is done again")
                raise Later(min(_SERVER_SECONDS * 2**job.tries, _MOST_SECONDS)) from error
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                if self._failed(job, reason):
                    seconds = min(_FIRST_RETRY_SECONDS * 2**job.tries, _MOST_SECONDS)
                    raise Later(seconds) from error

        return handle

    def again(self, job: Job) -> bool:
        """Whether a job is tried again whose worker was not heard of."""
        return self._failed(job, _STALLED)

    def _failed(self, job: Job, reason: str) -> bool:
        attempts = self._store.job_failures.record(job.lock, reason, self._store.server_time())
        if attempts < MAX_ATTEMPTS:
            return True
        when = "in a day" if job.kind == POLL else "when it is next planned"
        self._warn(
            f"{job.lock}: given up after {attempts} attempts, and tried again {when}: {reason}"
        )
        return False


@contextmanager
def _stopping() -> Iterator[asyncio.Event]:
    """Set by SIGTERM and SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
