"""The long-running processes: workers that run jobs, and the scheduler that plans them."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from aggregator.cluster.jobs import Jobs
from aggregator.cluster.loaded_project import ProjectWatcher
from aggregator.cluster.queue import Job, Queue, RetryLater
from aggregator.cluster.scheduler import (
    MATCH_AND_PLACE,
    POLL,
    PUBLISH,
    queue_matching,
    queue_polls,
)
from aggregator.errors import StorageError
from aggregator.model import MAX_ATTEMPTS
from aggregator.store import Store
from aggregator.store.advisory_locks import WorkerLocks

# A stopped worker sends no heartbeat while its jobs end. It must end before it counts as dead.
SHUTDOWN_SECONDS = 15.0
RECONNECT_SECONDS = 5
FIRST_RETRY_SECONDS = 10
MAX_RETRY_SECONDS = 900
STALLED = "its worker has died, or has lost the database"

Warn = Callable[[str], None]


async def work(
    jobs: Jobs, concurrency: int, warn: Warn, shutdown_seconds: float = SHUTDOWN_SECONDS
) -> None:
    """Run jobs until SIGTERM or SIGINT, and reconnect if the database server goes away.

    Running jobs then have ``shutdown_seconds`` to end; after that they go back into the queue.
    """
    queue = jobs.queue
    failures = FailureCounter(jobs.store, warn)
    handlers = {
        POLL: failures.wrap(jobs.poll),
        MATCH_AND_PLACE: failures.wrap(jobs.match_and_place),
        PUBLISH: failures.wrap(jobs.publish),
    }
    server = ServerMonitor(warn)
    with _stop_signals() as stop:
        rescuer = asyncio.create_task(_rescue_jobs(queue, failures, server))
        while not stop.is_set():
            worker = asyncio.create_task(queue.work(handlers, concurrency, shutdown_seconds))
            stopper = asyncio.create_task(stop.wait())
            await asyncio.wait((worker, stopper), return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                worker.cancel()
            with suppress(asyncio.CancelledError):
                try:
                    await worker
                except StorageError as error:
                    server.lost(error)
            stopper.cancel()
            if not stop.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), RECONNECT_SECONDS)
        rescuer.cancel()


async def schedule(
    projects: ProjectWatcher,
    store: Store,
    locks: WorkerLocks,
    queue: Queue,
    interval_seconds: float,
    warn: Warn,
    report: Callable[[int], None],
) -> None:
    """Plan what is due, at an interval, until SIGTERM or SIGINT.

    Of several schedulers one plans, and another takes over when that one is gone.
    """
    failures = FailureCounter(store, warn)
    server = ServerMonitor(warn)
    loop = asyncio.get_running_loop()
    with _stop_signals() as stop:
        rescuer = asyncio.create_task(_rescue_jobs(queue, failures, server))
        while not stop.is_set():
            next_at = loop.time() + interval_seconds
            try:
                if locks.try_lead():
                    report(await plan_once(projects, store, locks, queue))
                server.answered()
            except StorageError as error:
                server.lost(error)
                next_at = loop.time() + RECONNECT_SECONDS
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(0.0, next_at - loop.time()))
        rescuer.cancel()


async def plan_once(
    projects: ProjectWatcher, store: Store, locks: WorkerLocks, queue: Queue
) -> int:
    """Queue what is due, and the matching after it; return the number of hosts.

    Raises StorageError.
    """
    hosts = await queue_polls(projects, store, locks, queue, store.server_time())
    await queue_matching(queue)
    return hosts


async def _rescue_jobs(queue: Queue, failures: "FailureCounter", server: "ServerMonitor") -> None:
    """Every few seconds, put the jobs of dead workers back into the queue."""
    while True:
        try:
            await queue.rescue(failures.should_retry)
            server.answered()
        except StorageError as error:
            server.lost(error)
        await asyncio.sleep(queue.stalled_seconds / 2)


class ServerMonitor:
    """Warns once when the database server goes away, and once when it is back."""

    def __init__(self, warn: Warn) -> None:
        self._warn = warn
        self._is_lost = False

    def lost(self, error: StorageError) -> None:
        """The server did not answer."""
        if not self._is_lost:
            self._warn(f"{error}; waiting for it")
        self._is_lost = True

    def answered(self) -> None:
        """The server answered."""
        if self._is_lost:
            self._warn("the database answers again")
        self._is_lost = False


class FailureCounter:
    """Counts the failures of jobs by their locks, and gives up jobs that fail too often."""

    def __init__(self, store: Store, warn: Warn) -> None:
        self._store = store
        self._warn = warn

    def wrap(self, handler: Callable[[Job], Awaitable[None]]) -> Callable[[Job], Awaitable[None]]:
        """A handler that counts failures, and raises only `RetryLater`."""

        async def handle(job: Job) -> None:
            try:
                await handler(job)
                # A poll job says beforehand whether it failed before; the other jobs are few.
                if job.tries or job.details.get("failed") or job.kind != POLL:
                    self._store.job_failures.clear(job.lock)
            except StorageError as error:  # the database's fault, not the job's
                self._warn(f"{job.lock}: {error}; retrying")
                raise RetryLater(
                    min(RECONNECT_SECONDS * 2**job.tries, MAX_RETRY_SECONDS)
                ) from error
            except Exception as error:
                if self._count(job, f"{type(error).__name__}: {error}"):
                    seconds = min(FIRST_RETRY_SECONDS * 2**job.tries, MAX_RETRY_SECONDS)
                    raise RetryLater(seconds) from error

        return handle

    def should_retry(self, job: Job) -> bool:
        """Whether to retry a job of a dead worker."""
        return self._count(job, STALLED)

    def _count(self, job: Job, reason: str) -> bool:
        """Count a failure; return whether to retry the job."""
        attempts = self._store.job_failures.record(job.lock, reason, self._store.server_time())
        if attempts < MAX_ATTEMPTS:
            return True
        when = "in a day" if job.kind == POLL else "when it is planned again"
        self._warn(f"{job.lock}: given up after {attempts} attempts, next try {when}: {reason}")
        return False


@contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
