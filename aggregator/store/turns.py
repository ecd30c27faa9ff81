"""Who may write to a PostgreSQL database: one run, or any number of workers' jobs.

Both hold advisory locks, which are gone when their holder's connection is. A run waits for the jobs
that are at work, and those that come after it wait for the run: the server lets nobody overtake.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from aggregator.errors import LockedError, StorageError
from aggregator.store.engine import database_name, open_engine

_RUN, _JOBS = 7_216_001, 7_216_002  # ours among the advisory locks of a database
_PATIENCE_SECONDS = 120
_MOST_SECONDS = 5.0


@contextmanager
def exclusive(url: str, root: Path) -> Iterator[None]:
    """Hold the database for a run.

    Raises LockedError at once if another run holds it, and after two minutes if the workers' jobs
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
            except OperationalError:
                raise LockedError(
                    f"workers have been at work on {name} for {_PATIENCE_SECONDS} s: try again"
                ) from None
            yield
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise StorageError(f"{name}: {reason}; ask again when the server is back") from error
    finally:
        engine.dispose()  # and with the connection go the locks


def _wait(connection: Connection) -> None:
    connection.execute(text(f"SET lock_timeout = '{_PATIENCE_SECONDS}s'"))
    connection.execute(text("SELECT pg_advisory_lock(:it)"), {"it": _JOBS})
    connection.commit()  # the locks are the session's: no transaction stays open behind them


class Turn:
    """A worker's share of the database: held while any of its jobs is at work.

    It is given back at least every 5 s, when a run that waits has its turn.
    """

    def __init__(self, url: str, root: Path) -> None:
        self._engine = open_engine(url, root)
        self._connection: Connection | None = None
        self._jobs = 0
        self._since = 0.0
        self._changing = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._engine.dispose()

    @asynccontextmanager
    async def job(self) -> AsyncIterator[None]:
        """Let a job be at work; waits while a run is. Raises StorageError."""
        async with self._changing:
            if self._connection and self._now() > self._since + _MOST_SECONDS:
                await self._idle.wait()
            if self._connection is None:
                self._connection = await asyncio.to_thread(self._take)
                self._since = self._now()
            self._jobs += 1
            self._idle.clear()
        try:
            yield
        finally:
            self._jobs -= 1
            if not self._jobs:
                self._give_back()
                self._idle.set()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _take(self) -> Connection:
        try:
            connection = self._engine.connect()
            connection.execute(text("SELECT pg_advisory_lock_shared(:it)"), {"it": _JOBS})
            connection.commit()
        except SQLAlchemyError as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise StorageError(f"the database: {reason}") from error
        return connection

    def _give_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.execute(text("SELECT pg_advisory_unlock_shared(:it)"), {"it": _JOBS})
                connection.commit()
                connection.close()
            except SQLAlchemyError:  # the server has gone, and the lock with it
                connection.invalidate()
