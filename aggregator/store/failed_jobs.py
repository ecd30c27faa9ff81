"""Jobs of workers that failed the last time."""

from datetime import datetime

from sqlalchemy import delete, select

from aggregator.model import JobFailure
from aggregator.store.connection import Database
from aggregator.store.rows import execute, fetch_all, replace_row
from aggregator.store.tables import JOB_FAILURES


class JobFailureStore:
    """Reads and writes the failures of jobs, by the jobs' locks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, name: str, reason: str, now: datetime) -> int:
        """A job failed; return the number of failures in a row."""
        query = select(JOB_FAILURES.c.attempts).where(JOB_FAILURES.c.name == name)
        with self._database.transaction() as connection:
            attempts = (connection.execute(query).scalar() or 0) + 1
            values = {"name": name, "reason": reason, "attempts": attempts, "failed_at": now}
            replace_row(connection, JOB_FAILURES, values)
            return attempts

    def clear(self, name: str) -> None:
        """A job succeeded."""
        with self._database.transaction() as connection:
            execute(connection, delete(JOB_FAILURES).where(JOB_FAILURES.c.name == name))

    def all(self) -> list[JobFailure]:
        """The jobs that failed the last time, by name."""
        with self._database.connect() as connection:
            rows = fetch_all(connection, select(JOB_FAILURES).order_by(JOB_FAILURES.c.name))
            return [JobFailure(row.name, row.reason, row.attempts, row.failed_at) for row in rows]
