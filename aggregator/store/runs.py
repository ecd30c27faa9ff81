"""When runs began and ended, and what their stages cost."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlmodel import col, select, update

from aggregator.model import StageCost
from aggregator.store.connection import Database
from aggregator.store.tables import RunRow


class RunStore:
    """Reads and writes the rows of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, pid: int, now: datetime) -> int:
        """Note that a run began; gives its number."""
        with self._database.transaction() as session:
            row = RunRow(pid=pid, started_at=now)
            session.add(row)
            session.flush()
            return row.id or 0

    def finish(
        self, run: int, now: datetime, *, offline: bool, stages: Sequence[StageCost] = ()
    ) -> None:
        """Note that a run ended, whether it found the network gone, and what its stages cost."""
        with self._database.transaction() as session:
            ended = {"finished_at": now, "offline": offline, "stages": list(map(asdict, stages))}
            session.exec(update(RunRow).where(col(RunRow.id) == run).values(**ended))

    def was_offline(self) -> bool:
        """Whether the latest run that ended found the network gone."""
        with self._database.transaction() as session:
            ended = select(RunRow.offline).where(col(RunRow.finished_at).is_not(None))
            return bool(session.exec(ended.order_by(col(RunRow.id).desc()).limit(1)).first())

    def last_stages(self) -> list[StageCost]:
        """What the stages of the latest run that ended did cost."""
        with self._database.transaction() as session:
            ended = select(RunRow).where(col(RunRow.finished_at).is_not(None))
            row = session.exec(ended.order_by(col(RunRow.id).desc()).limit(1)).first()
            return [StageCost(**stage) for stage in (row.stages if row else None) or ()]

    def last(self) -> tuple[int, datetime, datetime | None] | None:
        """(pid, started_at, finished_at) of the latest run."""
        with self._database.transaction() as session:
            row = session.exec(select(RunRow).order_by(col(RunRow.id).desc()).limit(1)).first()
            return (row.pid, row.started_at, row.finished_at) if row else None
