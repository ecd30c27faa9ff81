"""Work that has failed, and what was given up for a while."""

from datetime import UTC, datetime

from sqlmodel import delete, func, select

from aggregator.model import Parked
from aggregator.store.connection import Database
from aggregator.store.tables import ParkedRow


class ParkedStore(Database):
    """What the workers of `cluster` remember of their failures."""

    def server_time(self) -> datetime:
        """The time of the server, in whole seconds: machines that share a database share its clock."""
        with self._session() as session:
            now: datetime = session.exec(select(func.now())).one()
            return now.astimezone(UTC).replace(microsecond=0)

    def note_failure(self, name: str, reason: str, now: datetime) -> int:
        """Some work has failed; gives how many times in a row that is now."""
        with self._session() as session:
            row = session.get(ParkedRow, name)
            attempts = row.attempts + 1 if row else 1
            session.merge(ParkedRow(name=name, reason=reason, attempts=attempts, parked_at=now))
            return attempts

    def note_success(self, name: str) -> None:
        """It was done at last."""
        with self._session() as session:
            session.exec(delete(ParkedRow).where(ParkedRow.name == name))  # type: ignore[arg-type]

    def parked(self) -> list[Parked]:
        """All work that failed the last time, by its name."""
        with self._session() as session:
            rows = session.exec(select(ParkedRow).order_by(ParkedRow.name))
            return [Parked(row.name, row.reason, row.attempts, row.parked_at) for row in rows]
