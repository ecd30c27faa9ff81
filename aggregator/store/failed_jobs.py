"""Work that has failed, and what was given up for a while."""

from datetime import datetime

from sqlmodel import delete, select

from aggregator.model import JobFailure
from aggregator.store.connection import Database
from aggregator.store.tables import JobFailureRow


class JobFailureStore:
    """What the workers of `cluster` remember of their failures."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, name: str, reason: str, now: datetime) -> int:
        """Some work has failed; gives how many times in a row that is now."""
        with self._database.transaction() as session:
            row = session.get(JobFailureRow, name)
            attempts = row.attempts + 1 if row else 1
            session.merge(JobFailureRow(name=name, reason=reason, attempts=attempts, failed_at=now))
            return attempts

    def clear(self, name: str) -> None:
        """It was done at last."""
        with self._database.transaction() as session:
            session.exec(delete(JobFailureRow).where(JobFailureRow.name == name))  # type: ignore[arg-type]

    def all(self) -> list[JobFailure]:
        """All work that failed the last time, by its name."""
        with self._database.transaction() as session:
            rows = session.exec(select(JobFailureRow).order_by(JobFailureRow.name))
            return [JobFailure(row.name, row.reason, row.attempts, row.failed_at) for row in rows]
