"""The queue of jobs, inside the database. The one file that uses Procrastinate.

A job has a lock (of the same one, only one is at work, on whatever machine) and waits but once: what
is already waiting is not put into the queue again, so that it never holds more than what is due.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from types import TracebackType
from typing import Any, Self

import procrastinate
import psycopg
import psycopg_pool
from procrastinate import exceptions, jobs, manager, retry, schema

from aggregator.errors import StorageError
from aggregator.store.engine import CONNECTION

SCHEMA = "aggregator_queue"  # of its own, so that it can be thrown away
STALLED_SECONDS = 30.0
_LOOK_SECONDS = 5.0  # where a notification was lost
_QUEUE = "aggregator"
_AT_ONCE = 500
_MAKING, _RESCUING = 7_216_011, 7_216_012  # advisory locks


@dataclass(frozen=True, slots=True)
class Job:
    """``kind`` says what to do, ``name`` to what: both together are its lock. It was begun ``tries``
    times before, and not ended."""

    kind: str
    name: str
    details: dict[str, Any] = field(default_factory=dict)
    tries: int = 0

    @property
    def lock(self) -> str:
        """What no other job at work may have."""
        return f"{self.kind} {self.name}"


class Later(Exception):
    """Raised by a handler: the job goes back into the queue for so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


Handler = Callable[[Job], Awaitable[None]]


class _Again(procrastinate.BaseRetryStrategy):
    """A job is done again if its handler says so, or if its worker is stopped in the middle."""

    def get_retry_decision(
        self, *, exception: BaseException, job: jobs.Job
    ) -> retry.RetryDecision | None:
        if isinstance(exception, Later):
            return retry.RetryDecision(retry_in={"seconds": exception.seconds})
        if isinstance(exception, (asyncio.CancelledError, exceptions.JobAborted)):
            return retry.RetryDecision(retry_in={"seconds": 0})
        return None


class _Manager(manager.JobManager):
    """Procrastinate's, but for jobs that it cannot finish or give back as they are.

    One whose worker was taken for dead, but lives, may have been done by another since: then all is
    done. And one that is to go back where another of its lock waits by now would be a second one there,
    which the server refuses: it would be at work for ever, and keep all others of its lock away. The
    one that waits does what it was to do.
    """

    async def finish_job(self, *arguments: Any, **named: Any) -> None:
        """Finish it, unless another worker has."""
        with _unless_done():
            await super().finish_job(*arguments, **named)

    async def retry_job(self, job: jobs.Job, *arguments: Any, **named: Any) -> None:
        """Give it back, or drop it."""
        try:
            with _unless_done():
                await super().retry_job(job, *arguments, **named)
        except exceptions.UniqueViolation:
            await self.finish_job(job, jobs.Status.FAILED, delete_job=True)


@contextmanager
def _unless_done() -> Iterator[None]:
    try:
        yield
    except exceptions.ConnectorException as error:
        if not isinstance(error.__cause__, psycopg.errors.RaiseException):  # "not found"
            raise


class Queue:
    """An asynchronous context manager. ``conninfo`` is the address of the database.

    A worker of which nothing was heard for ``stalled_seconds`` is dead: it makes itself heard three
    times as often.
    """

    def __init__(self, conninfo: str, stalled_seconds: float = STALLED_SECONDS) -> None:
        self.stalled_seconds = stalled_seconds
        # What is told of jobs, their handlers tell.
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
        self._app = procrastinate.App(
            connector=procrastinate.PsycopgConnector(
                conninfo=conninfo,
                kwargs={"options": f"-c search_path={SCHEMA}", **CONNECTION},
                min_size=1,
                max_size=4,
                timeout=10,
            )
        )
        self._app.job_manager = _Manager(self._app.connector)

    async def __aenter__(self) -> Self:
        async with _told():
            await self._app.open_async()
            await self._see_to_tables()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._app.close_async()

    async def _see_to_tables(self) -> None:
        """Make them, or make them anew for another version of Procrastinate."""
        wanted = sha256(schema.SchemaManager.get_schema().encode()).hexdigest()
        async with self._connection() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
            found = await connection.execute(
                "SELECT obj_description(oid) FROM pg_namespace WHERE nspname = %s", (SCHEMA,)
            )
            row = await found.fetchone()
            if row is not None and row[0] == wanted:
                return
            await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            await connection.execute(f"CREATE SCHEMA {SCHEMA}")
            await connection.execute(schema.SchemaManager.get_schema())
            await connection.execute(f"COMMENT ON SCHEMA {SCHEMA} IS '{wanted}'")

    def _connection(self) -> Any:
        connector: Any = self._app.connector
        return connector.pool.connection()

    @property
    def _manager(self) -> manager.JobManager:
        return self._app.job_manager

    async def waiting(self) -> set[str]:
        """The locks of the jobs that wait or are at work. Raises StorageError."""
        statement = "SELECT lock FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        async with _told(), self._connection() as connection:
            return {lock for (lock,) in await (await connection.execute(statement)).fetchall()}

    async def put(self, wanted: Sequence[Job]) -> int:
        """Add the jobs of which none is waiting yet; gives how many those are. Raises StorageError."""
        number = 0
        for start in range(0, len(wanted), _AT_ONCE):
            some = [_new(job) for job in wanted[start : start + _AT_ONCE]]
            async with _told():
                try:
                    await self._manager.batch_defer_jobs_async(some)
                except exceptions.AlreadyEnqueued:
                    number += await self._put_singly(some)
                else:
                    number += len(some)
        return number

    async def _put_singly(self, some: Sequence[jobs.Job]) -> int:
        number = 0
        for job in some:
            with suppress(exceptions.AlreadyEnqueued):
                await self._manager.defer_job_async(job)
                number += 1
        return number

    async def work(
        self, handlers: Mapping[str, Handler], concurrency: int, patience_seconds: float
    ) -> None:
        """Do jobs until this is cancelled, or returns because the server has gone.

        When cancelled, the jobs at work have their time to end; what has not ended goes back into
        the queue. Raises StorageError.
        """
        for kind, handler in handlers.items():
            if kind not in self._app.tasks:
                task = self._app.task(name=kind, queue=_QUEUE, retry=_Again(), pass_context=True)
                task(_doing(handler))
        async with _told():
            await self._app.run_worker_async(
                queues=[_QUEUE],
                concurrency=concurrency,
                delete_jobs="always",
                shutdown_graceful_timeout=patience_seconds,
                fetch_job_polling_interval=_LOOK_SECONDS,
                update_heartbeat_interval=self.stalled_seconds / 3,
                stalled_worker_timeout=self.stalled_seconds,
                install_signal_handlers=False,
            )

    async def rescue(self, again: Callable[[Job], bool]) -> int:
        """Give back the jobs of workers that are dead, or drop those that are not to be done
        ``again``; gives how many there were. Raises StorageError."""
        number = 0
        async with _told(), self._connection() as connection:
            alone = "SELECT pg_try_advisory_xact_lock(%s)"
            (is_alone,) = await (await connection.execute(alone, (_RESCUING,))).fetchone()
            if not is_alone:
                return 0
            stalled = await self._manager.get_stalled_jobs(
                seconds_since_heartbeat=self.stalled_seconds
            )
            for job in stalled:
                with suppress(exceptions.ConnectorException):  # it has ended after all
                    if again(_known(job)):
                        await self._manager.retry_job(job)
                    else:
                        await self._manager.finish_job(job, jobs.Status.FAILED, delete_job=True)
                    number += 1
            await self._manager.prune_stalled_workers(4 * self.stalled_seconds)
        return number


def _known(job: jobs.Job) -> Job:
    details = dict(job.task_kwargs)
    return Job(job.task_name, str(details.pop("name")), details, job.attempts)


def _doing(handler: Handler) -> Callable[..., Awaitable[None]]:
    async def task(context: procrastinate.JobContext, **_: Any) -> None:
        await handler(_known(context.job))

    return task


def _new(job: Job) -> jobs.Job:
    return jobs.Job(
        id=None,
        queue=_QUEUE,
        lock=job.lock,
        queueing_lock=job.lock,
        task_name=job.kind,
        task_kwargs={"name": job.name, **job.details},
    )


@asynccontextmanager
async def _told() -> AsyncIterator[None]:
    """Procrastinate's trouble with its database is ours."""
    try:
        yield
    except (exceptions.ConnectorException, psycopg.Error, psycopg_pool.PoolTimeout) as error:
        raise StorageError(f"the queue: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    return " ".join(str(error.__cause__ or error).split())
