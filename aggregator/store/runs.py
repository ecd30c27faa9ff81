"""When runs started and finished, and what their stages cost."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import insert, select, update

from aggregator.model import StageCost
from aggregator.store.connection import Database
from aggregator.store.tables import RUNS


class RunStore:
    """Reads and writes runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, pid: int, now: datetime) -> int:
        """A run started; return its number."""
        values = {"pid": pid, "started_at": now, "offline": False, "stages": []}
        with self._database.transaction() as connection:
            key = connection.execute(insert(RUNS).values(values)).inserted_primary_key
            return int(key[0]) if key else 0

    def finish(
        self, run: int, now: datetime, *, offline: bool, stages: Sequence[StageCost] = ()
    ) -> None:
        """A run finished. ``offline``: it had no network."""
        values = {"finished_at": now, "offline": offline, "stages": list(map(asdict, stages))}
        with self._database.transaction() as connection:
            connection.execute(update(RUNS).where(RUNS.c.id == run).values(values))

    def was_offline(self) -> bool:
        """Whether the last finished run had no network."""
        query = select(RUNS.c.offline).where(RUNS.c.finished_at.is_not(None))
        with self._database.connect() as connection:
            return bool(connection.execute(query.order_by(RUNS.c.id.desc()).limit(1)).scalar())

    def last_stages(self) -> list[StageCost]:
        """What the stages of the last finished run cost."""
        query = select(RUNS.c.stages).where(RUNS.c.finished_at.is_not(None))
        with self._database.connect() as connection:
            stages = connection.execute(query.order_by(RUNS.c.id.desc()).limit(1)).scalar()
            return [StageCost(**stage) for stage in stages or ()]

    def last(self) -> tuple[int, datetime, datetime | None] | None:
        """(pid, started_at, finished_at) of the last run."""
        with self._database.connect() as connection:
            row = connection.execute(select(RUNS).order_by(RUNS.c.id.desc()).limit(1)).first()
            return (row.pid, row.started_at, row.finished_at) if row else None
