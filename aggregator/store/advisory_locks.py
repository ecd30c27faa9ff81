"""Who may write to a PostgreSQL database: one run, or any number of workers' jobs.

Both hold advisory locks, which are gone when their holder's connection is. A run waits for the jobs
that are at work, and those that come after it wait for the run: the server lets nobody overtake.
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

# Ours among the advisory locks of a database.
_RUN, _JOBS, _WRITING, _SCHEDULING = range(7_216_001, 7_216_005)
_T = TypeVar("_T")
_PATIENCE_SECONDS = 120
_NOT_AVAILABLE = "55P03"  # what the server says when that has passed
_MOST_SECONDS = 5.0
_MOMENT_SECONDS = 0.2


@contextmanager
def hold_run_lock(url: str, root: Path) -> Iterator[None]:
    """Hold the database for a run.

    Raises LockedError at once if another run holds it, BusyError after two minutes if the workers' jobs
    have not ended; StorageError if the server does not answer.
    """
    name = database_name(url, root)
    engine = open_engine(url, root)
    try:
        with engine.connect() as connection:
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:it)"), {"it": _RUN}):
                raise LockedError(f"another run holds {name}")
            try:
                _wait(connection)
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != _NOT_AVAILABLE:
                    raise
                raise BusyError(
                    f"workers have been at work on {name} for {_PATIENCE_SECONDS} s: try again"
                ) from None
            yield
    except SQLAlchemyError as error:
        reason = database_message(error)
        raise StorageError(f"{name}: {reason}; {advice(reason)}") from error
    finally:
        engine.dispose()  # and with the connection go the locks


def _wait(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{_PATIENCE_SECONDS}s'"))
    connection.execute(text("SELECT pg_advisory_lock(:it)"), {"it": _JOBS})
    connection.commit()  # the locks are the session's: no transaction stays open behind them


class WorkerLocks:
    """A worker's share of the database.

    `job` is held while any of its jobs is at work; every 5 s it is asked whether a run waits, for
    which it is given back once those that are at work have ended. `write` is held by one job of all workers at a time, while it stores something:
    so what a run does is done by none of them at once, and none waits for another's rows.
    """

    def __init__(self, url: str, root: Path) -> None:
        self._engine = open_engine(url, root).execution_options(isolation_level="AUTOCOMMIT")
        self._jobs = 0
        self._since = 0.0
        self._held: Connection | None = None
        self._changing = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()
        self._leading: Connection | None = None
        self._writer = threading.Lock()
        self._wanted = asyncio.Lock()
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
        for held in (self._leading, self._held):
            if held is not None:
                held.close()
        self._engine.dispose()

    @asynccontextmanager
    async def job_lock(self) -> AsyncIterator[None]:
        """Let a job be at work; waits while a run is. Raises StorageError."""
        async with self._changing:
            if self._held is not None and _now() > self._since + _MOST_SECONDS:
                if await self._in_thread(self._is_waited_for, self._held):
                    await self._idle.wait()
                self._since = _now()
            if self._held is None:
                self._held = await self._take_share()
                self._since = _now()
            self._jobs += 1
            self._idle.clear()
        try:
            yield
        finally:
            self._jobs -= 1
            if not self._jobs:
                held, self._held = self._held, None
                assert held is not None
                _give_back(held, _UNSHARED, _JOBS)
                self._idle.set()

    @asynccontextmanager
    async def write_lock(self) -> AsyncIterator[None]:
        """Let a job store something, and no other meanwhile. Raises StorageError."""
        async with self._wanted:  # at most one thread of a worker waits
            context = self.write_lock_in_thread()
            await self._in_thread(context.__enter__)
            try:
                yield
            finally:
                context.__exit__(None, None, None)

    @contextmanager
    def write_lock_in_thread(self) -> Iterator[None]:
        """The same for what runs in a thread of its own."""
        with self._writer:
            held = self._take(_ALONE, _WRITING)
            try:
                yield
            finally:
                _give_back(held, _NOT_ALONE, _WRITING)

    def try_lead(self) -> bool:
        """Whether this process plans what is to be polled: one does, of all. Raises StorageError."""
        if self._leading is None:
            self._leading = self._take(text("SELECT 1"), _SCHEDULING)
        try:
            lock = {"it": _SCHEDULING}
            return bool(self._leading.scalar(text("SELECT pg_try_advisory_lock(:it)"), lock))
        except SQLAlchemyError as error:
            self._leading.invalidate()
            self._leading = None
            raise _trouble(error) from error

    async def _in_thread(self, this: Callable[..., _T], *arguments: Any) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, this, *arguments)

    async def _take_share(self) -> Connection:
        """Waits while a run is at work. Who is cancelled meanwhile ceases to ask the server: else its
        worker could not end before the run, and would then hold for nobody what the next run wants."""
        loop = asyncio.get_running_loop()
        asking: list[Connection] = []
        taking = loop.run_in_executor(self._threads, self._take, _SHARED, _JOBS, asking.append)
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            while not taking.done():
                await asyncio.to_thread(_cease_to_ask, asking)
                await asyncio.wait([taking], timeout=_MOMENT_SECONDS)
            if taking.exception() is None:
                _give_back(taking.result(), _UNSHARED, _JOBS)
            raise

    def _is_waited_for(self, held: Connection) -> bool:
        """Whether a run waits for the jobs to end."""
        try:
            return bool(held.scalar(_WAITED_FOR, {"it": _JOBS}))
        except SQLAlchemyError as error:
            raise _trouble(error) from error

    def _take(
        self,
        statement: TextClause,
        lock: int,
        began: Callable[[Connection], object] = lambda _: None,
    ) -> Connection:
        """``began`` is told the connection before it waits."""
        try:
            connection = self._engine.connect()
            began(connection)
            try:
                connection.execute(statement, {"it": lock})
            except BaseException:
                connection.close()
                raise
        except SQLAlchemyError as error:
            raise _trouble(error) from error
        return connection


_WAITED_FOR = text(
    "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database "
    "WHERE datname = current_database() AND locktype = 'advisory' AND objid = :it AND NOT granted)"
)
_SHARED = text("SELECT pg_advisory_lock_shared(:it)")
_UNSHARED = text("SELECT pg_advisory_unlock_shared(:it)")
_ALONE = text("SELECT pg_advisory_lock(:it)")
_NOT_ALONE = text("SELECT pg_advisory_unlock(:it)")


def _give_back(held: Connection, statement: TextClause, lock: int) -> None:
    try:
        held.execute(statement, {"it": lock})
        held.close()
    except SQLAlchemyError:  # the server has gone, and the lock with it
        held.invalidate()
        held.close()


def _cease_to_ask(asking: list[Connection]) -> None:
    for connection in asking:
        with suppress(SQLAlchemyError):  # it was closed just then
            driver: Any = connection.connection.driver_connection
            driver.cancel()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _trouble(error: SQLAlchemyError) -> StorageError:
    reason = database_message(error)
    return StorageError(f"the database: {reason}")
