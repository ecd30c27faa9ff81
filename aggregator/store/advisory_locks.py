"""Advisory locks of PostgreSQL: one run, or any number of workers' jobs, may write.

PostgreSQL releases them when the connection of their holder ends. A run waits for the running jobs, and
later jobs wait for the run, because PostgreSQL grants locks in the order of the requests.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from aggregator.errors import BusyError, LockedError, StorageError
from aggregator.store.engine import advice, database_message, database_name, open_engine

# The numbers of our advisory locks in a database.
_RUN, _JOBS, _WRITE, _SCHEDULE = range(7_216_001, 7_216_005)
_T = TypeVar("_T")
LOCK_TIMEOUT_SECONDS = 120
LOCK_NOT_AVAILABLE = "55P03"  # the SQLSTATE after that time
# A worker checks this often whether a run waits for its jobs.
CHECK_INTERVAL_SECONDS = 5.0
CANCEL_INTERVAL_SECONDS = 0.2

_LOCK_SHARED = text("SELECT pg_advisory_lock_shared(:lock)")
_UNLOCK_SHARED = text("SELECT pg_advisory_unlock_shared(:lock)")
_LOCK = text("SELECT pg_advisory_lock(:lock)")
_UNLOCK = text("SELECT pg_advisory_unlock(:lock)")
_TRY_LOCK = text("SELECT pg_try_advisory_lock(:lock)")
_IS_REQUESTED = text(
    "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database "
    "WHERE datname = current_database() AND locktype = 'advisory' AND objid = :lock AND NOT granted)"
)


@contextmanager
def hold_run_lock(url: str, root: Path) -> Iterator[None]:
    """Lock the database for a run.

    Raises LockedError at once if another run holds the lock, BusyError if the workers' jobs have not
    ended after two minutes, StorageError if the server does not answer.
    """
    name = database_name(url, root)
    engine = open_engine(url, root)
    try:
        with engine.connect() as connection:
            if not connection.scalar(_TRY_LOCK, {"lock": _RUN}):
                raise LockedError(f"another run holds {name}")
            try:
                _wait_for_jobs(connection)
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                    raise
                raise BusyError(
                    f"workers have used {name} for {LOCK_TIMEOUT_SECONDS} s: try again"
                ) from None
            yield
    except SQLAlchemyError as error:
        message = database_message(error)
        raise StorageError(f"{name}: {message}; {advice(message)}") from error
    finally:
        engine.dispose()  # which releases the locks


def _wait_for_jobs(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
    connection.execute(_LOCK, {"lock": _JOBS})
    connection.commit()  # the locks belong to the session, so no transaction needs to stay open


class WorkerLocks:
    """The locks of one worker process.

    The worker holds the job lock, shared with other workers, while any of its jobs runs. Every 5 s it
    checks whether a run waits; then it releases the lock once the running jobs have ended. Only one
    job of all workers holds the write lock, while it stores something. So no two jobs store at the
    same time, and none waits for another's rows.
    """

    def __init__(self, url: str, root: Path) -> None:
        self._engine = open_engine(url, root).execution_options(isolation_level="AUTOCOMMIT")
        self._running_jobs = 0
        self._checked_at = 0.0  # seconds of the event loop
        self._job_connection: Connection | None = None  # holds the job lock
        self._leader_connection: Connection | None = None  # holds the scheduling lock
        self._job_lock_change = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread_lock = threading.Lock()
        self._write_queue = asyncio.Lock()
        self._threads = ThreadPoolExecutor(max_workers=2)  # that wait for a lock of the server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown()
        for connection in (self._leader_connection, self._job_connection):
            if connection is not None:
                connection.close()
        self._engine.dispose()

    @asynccontextmanager
    async def job_lock(self) -> AsyncIterator[None]:
        """Held by a running job. Waits for a run. Raises StorageError."""
        async with self._job_lock_change:
            connection = self._job_connection
            if connection is not None and _loop_time() > self._checked_at + CHECK_INTERVAL_SECONDS:
                if await self._in_thread(self._is_run_waiting, connection):
                    await self._idle.wait()  # the last job releases the lock
                self._checked_at = _loop_time()
            if self._job_connection is None:
                self._job_connection = await self._take_job_lock()
                self._checked_at = _loop_time()
            self._running_jobs += 1
            self._idle.clear()
        try:
            yield
        finally:
            self._running_jobs -= 1
            if not self._running_jobs:
                connection, self._job_connection = self._job_connection, None
                assert connection is not None
                _release(connection, _UNLOCK_SHARED, _JOBS)
                self._idle.set()

    @asynccontextmanager
    async def write_lock(self) -> AsyncIterator[None]:
        """Held by the one job that stores something. Raises StorageError."""
        async with self._write_queue:  # at most one thread of a worker waits
            lock = self.write_lock_in_thread()
            await self._in_thread(lock.__enter__)
            try:
                yield
            finally:
                lock.__exit__(None, None, None)

    @contextmanager
    def write_lock_in_thread(self) -> Iterator[None]:
        """The write lock for code that runs in a thread of its own."""
        with self._thread_lock:
            connection = self._take(_LOCK, _WRITE)
            try:
                yield
            finally:
                _release(connection, _UNLOCK, _WRITE)

    def try_lead(self) -> bool:
        """Whether this process is the one that plans polls. Raises StorageError."""
        if self._leader_connection is None:
            self._leader_connection = self._take(text("SELECT 1"), _SCHEDULE)
        try:
            return bool(self._leader_connection.scalar(_TRY_LOCK, {"lock": _SCHEDULE}))
        except SQLAlchemyError as error:
            self._leader_connection.invalidate()
            self._leader_connection = None
            raise _storage_error(error) from error

    async def _in_thread(self, function: Callable[..., _T], *arguments: object) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, *arguments)

    async def _take_job_lock(self) -> Connection:
        """Wait for the job lock.

        On cancellation, cancel the request to the server too. Otherwise the worker would hang until
        the run ends, and would then hold a lock that the next run needs.
        """
        loop = asyncio.get_running_loop()
        requests: list[Connection] = []
        taking = loop.run_in_executor(
            self._threads, self._take, _LOCK_SHARED, _JOBS, requests.append
        )
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            while not taking.done():
                await asyncio.to_thread(_cancel_requests, requests)
                await asyncio.wait([taking], timeout=CANCEL_INTERVAL_SECONDS)
            if taking.exception() is None:
                _release(taking.result(), _UNLOCK_SHARED, _JOBS)
            raise

    def _is_run_waiting(self, connection: Connection) -> bool:
        try:
            return bool(connection.scalar(_IS_REQUESTED, {"lock": _JOBS}))
        except SQLAlchemyError as error:
            raise _storage_error(error) from error

    def _take(
        self,
        statement: TextClause,
        lock: int,
        on_request: Callable[[Connection], object] = lambda _: None,
    ) -> Connection:
        """Take a lock; return the connection that holds it.

        ``on_request`` gets the connection before it waits.
        """
        try:
            connection = self._engine.connect()
            on_request(connection)
            try:
                connection.execute(statement, {"lock": lock})
            except BaseException:
                connection.close()
                raise
        except SQLAlchemyError as error:
            raise _storage_error(error) from error
        return connection


def _release(connection: Connection, statement: TextClause, lock: int) -> None:
    try:
        connection.execute(statement, {"lock": lock})
        connection.close()
    except SQLAlchemyError:  # the server is gone, and so is the lock
        connection.invalidate()
        connection.close()


def _cancel_requests(connections: list[Connection]) -> None:
    for connection in connections:
        with suppress(SQLAlchemyError):  # it has just been closed
            driver: Any = connection.connection.driver_connection
            driver.cancel()


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _storage_error(error: SQLAlchemyError) -> StorageError:
    return StorageError(f"the database: {database_message(error)}")
