"""Work that has failed, and what was given up for a while."""

from datetime import UTC, datetime

from sqlmodel import delete, func, select

from aggregator.model import JobFailure
from aggregator.store.connection import Database
from aggregator.store.tables import JobFailureRow


class JobFailureStore(Database):
    """What the workers of `cluster` remember of their failures."""

    def server_time(self) -> datetime:
        """The time of the server, in whole seconds: machines that share a database share its clock."""
        with self._session() as session:
            now: datetime = session.exec(select(func.now())).one()
            return now.astimezone(UTC).replace(microsecond=0)

    def note_failure(self, name: str, reason: str, now: datetime) -> int:
        """Some work has failed; gives how many times in a row that is now."""
        with self._session() as session:
            row = session.get(JobFailureRow, name)
            attempts = row.attempts + 1 if row else 1
            session.merge(JobFailureRow(name=name, reason=reason, attempts=attempts, failed_at=now))
            return attempts

    def note_success(self, name: str) -> None:
        """It was done at last."""
        with self._session() as session:
            session.exec(delete(JobFailureRow).where(JobFailureRow.name == name))  # type: ignore[arg-type]

    def job_failures(self) -> list[JobFailure]:
        """All work that failed the last time, by its name."""
        with self._session() as session:
            rows = session.exec(select(JobFailureRow).order_by(JobFailureRow.name))
            return [JobFailure(row.name, row.reason, row.attempts, row.failed_at) for row in rows]
