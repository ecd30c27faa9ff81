"""The job queue, in tables of the database. The only file that uses Procrastinate.

Jobs with the same lock run one at a time, on all machines together. A job that is already waiting is
not queued again, so the queue never holds more than what is due.
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

SCHEMA = "aggregator_queue"  # separate, so that it can be dropped
STALLED_SECONDS = 30.0
POLLING_SECONDS = 5.0  # in case a notification was lost
_QUEUE = "aggregator"
BATCH_SIZE = 500
_SCHEMA_LOCK, _RESCUE_LOCK = 7_216_011, 7_216_012  # advisory locks


@dataclass(frozen=True, slots=True)
class Job:
    """``kind`` says what to do, ``name`` with what; together they are the job's lock.

    ``tries``: how often the job was started before without finishing.
    """

    kind: str
    name: str
    details: dict[str, Any] = field(default_factory=dict)
    tries: int = 0

    @property
    def lock(self) -> str:
        """Jobs with the same lock never run at the same time."""
        return f"{self.kind} {self.name}"


class RetryLater(Exception):
    """A handler raises it to put its job back into the queue for so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


Handler = Callable[[Job], Awaitable[None]]


class RetryPolicy(procrastinate.BaseRetryStrategy):
    """Retries a job if its handler asks for it, or if its worker is stopped."""

    def get_retry_decision(
        self, *, exception: BaseException, job: jobs.Job
    ) -> retry.RetryDecision | None:
        """Procrastinate asks after each failure."""
        if isinstance(exception, RetryLater):
            return retry.RetryDecision(retry_in={"seconds": exception.seconds})
        if isinstance(exception, (asyncio.CancelledError, exceptions.JobAborted)):
            return retry.RetryDecision(retry_in={"seconds": 0})
        return None


class _Manager(manager.JobManager):
    """Procrastinate's job manager, except for two jobs that it cannot finish or put back.

    A worker that counted as dead may still be alive, and another may have done its job since: then
    there is nothing left to finish. And if a job goes back while another one with its lock waits,
    the database refuses a second one: the job would then hold its lock for ever. It is dropped,
    because the waiting job does the same work.
    """

    async def finish_job(self, *arguments: Any, **named: Any) -> None:
        """Finish a job, unless another worker has finished it."""
        with _ignore_finished_job():
            await super().finish_job(*arguments, **named)

    async def retry_job(self, job: jobs.Job, *arguments: Any, **named: Any) -> None:
        """Put a job back, or drop it if another one with its lock waits."""
        try:
            with _ignore_finished_job():
                await super().retry_job(job, *arguments, **named)
        except exceptions.UniqueViolation:
            await self.finish_job(job, jobs.Status.FAILED, delete_job=True)


@contextmanager
def _ignore_finished_job() -> Iterator[None]:
    try:
        yield
    except exceptions.ConnectorException as error:
        if not isinstance(error.__cause__, psycopg.errors.RaiseException):  # "not found"
            raise


class Queue:
    """An asynchronous context manager. ``conninfo`` is the address of the database.

    A worker without a heartbeat for ``stalled_seconds`` is dead. Workers send three in that time.
    """

    def __init__(self, conninfo: str, stalled_seconds: float = STALLED_SECONDS) -> None:
        self.stalled_seconds = stalled_seconds
        # The handlers report their failures themselves.
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
        async with _as_storage_error():
            await self._app.open_async()
            await self._create_tables()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._app.close_async()

    async def _create_tables(self) -> None:
        """Create the tables, or replace those of another Procrastinate version."""
        schema_digest = sha256(schema.SchemaManager.get_schema().encode()).hexdigest()
        async with self._connection() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            cursor = await connection.execute(
                "SELECT obj_description(oid) FROM pg_namespace WHERE nspname = %s", (SCHEMA,)
            )
            row = await cursor.fetchone()
            if row is not None and row[0] == schema_digest:
                return
            await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            await connection.execute(f"CREATE SCHEMA {SCHEMA}")
            await connection.execute(schema.SchemaManager.get_schema())
            await connection.execute(f"COMMENT ON SCHEMA {SCHEMA} IS '{schema_digest}'")

    def _connection(self) -> Any:
        connector: Any = self._app.connector
        return connector.pool.connection()

    @property
    def _manager(self) -> manager.JobManager:
        return self._app.job_manager

    async def queued_locks(self) -> set[str]:
        """The locks of the waiting and running jobs. Raises StorageError."""
        statement = "SELECT lock FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        async with _as_storage_error(), self._connection() as connection:
            return {lock for (lock,) in await (await connection.execute(statement)).fetchall()}

    async def put(self, new_jobs: Sequence[Job]) -> int:
        """Add the jobs that are not waiting yet; return their added. Raises StorageError."""
        added = 0
        for start in range(0, len(new_jobs), BATCH_SIZE):
            batch = [_to_procrastinate(job) for job in new_jobs[start : start + BATCH_SIZE]]
            async with _as_storage_error():
                try:
                    await self._manager.batch_defer_jobs_async(batch)
                except exceptions.AlreadyEnqueued:
                    added += await self._put_one_by_one(batch)
                else:
                    added += len(batch)
        return added

    async def _put_one_by_one(self, batch: Sequence[jobs.Job]) -> int:
        added = 0
        for job in batch:
            with suppress(exceptions.AlreadyEnqueued):
                await self._manager.defer_job_async(job)
                added += 1
        return added

    async def work(
        self, handlers: Mapping[str, Handler], concurrency: int, shutdown_seconds: float
    ) -> None:
        """Run jobs until this task is cancelled or the database server goes away.

        On cancellation, running jobs have ``shutdown_seconds`` to end; the others go back into the
        queue. Raises StorageError.
        """
        for kind, handler in handlers.items():
            if kind not in self._app.tasks:
                task = self._app.task(
                    name=kind, queue=_QUEUE, retry=RetryPolicy(), pass_context=True
                )
                task(_make_task(handler))
        async with _as_storage_error():
            await self._app.run_worker_async(
                queues=[_QUEUE],
                concurrency=concurrency,
                delete_jobs="always",
                shutdown_graceful_timeout=shutdown_seconds,
                fetch_job_polling_interval=POLLING_SECONDS,
                update_heartbeat_interval=self.stalled_seconds / 3,
                stalled_worker_timeout=self.stalled_seconds,
                install_signal_handlers=False,
            )

    async def rescue(self, should_retry: Callable[[Job], bool]) -> int:
        """Put the jobs of dead workers back, or drop those that ``should_retry`` refuses.

        Return their rescued. Raises StorageError.
        """
        rescued = 0
        async with _as_storage_error(), self._connection() as connection:
            try_lock = "SELECT pg_try_advisory_xact_lock(%s)"
            (is_locked,) = await (await connection.execute(try_lock, (_RESCUE_LOCK,))).fetchone()
            if not is_locked:
                return 0
            stalled = await self._manager.get_stalled_jobs(
                seconds_since_heartbeat=self.stalled_seconds
            )
            for job in stalled:
                with suppress(exceptions.ConnectorException):  # it has just ended
                    if should_retry(_from_procrastinate(job)):
                        await self._manager.retry_job(job)
                    else:
                        await self._manager.finish_job(job, jobs.Status.FAILED, delete_job=True)
                    rescued += 1
            await self._manager.prune_stalled_workers(4 * self.stalled_seconds)
        return rescued


def _from_procrastinate(job: jobs.Job) -> Job:
    details = dict(job.task_kwargs)
    return Job(job.task_name, str(details.pop("name")), details, job.attempts)


def _make_task(handler: Handler) -> Callable[..., Awaitable[None]]:
    async def task(context: procrastinate.JobContext, **_: Any) -> None:
        await handler(_from_procrastinate(context.job))

    return task


def _to_procrastinate(job: Job) -> jobs.Job:
    return jobs.Job(
        id=None,
        queue=_QUEUE,
        lock=job.lock,
        queueing_lock=job.lock,
        task_name=job.kind,
        task_kwargs={"name": job.name, **job.details},
    )


@asynccontextmanager
async def _as_storage_error() -> AsyncIterator[None]:
    """Errors of Procrastinate's database become a StorageError."""
    try:
        yield
    except (exceptions.ConnectorException, psycopg.Error, psycopg_pool.PoolTimeout) as error:
        raise StorageError(f"the queue: {_message(error)}") from error


def _message(error: BaseException) -> str:
    return " ".join(str(error.__cause__ or error).split())
