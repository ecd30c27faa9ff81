"""Copies all data from one database to another: from SQLite to PostgreSQL, or back."""

from collections.abc import Callable

from sqlalchemy import Connection, Table, func, insert, select
from sqlmodel import SQLModel

from aggregator.errors import StorageError
from aggregator.store.connection import Database

BATCH_SIZE = 1000  # rows


def copy_all(source: Database, target: Database, report: Callable[[str, int], None]) -> int:
    """Copy every row with its id, in one transaction; return the number of rows.

    ``report`` gets each table's name and number of rows. Raises StorageError, and changes nothing,
    if the target is not empty, or if the numbers of rows differ in the end.
    """
    tables = SQLModel.metadata.sorted_tables  # referenced tables first
    with target.connect() as connection:
        filled = [table.name for table in tables if _count(connection, table)]
        if filled:
            raise StorageError(
                f"it is not empty ({', '.join(filled)}): name a new database; nothing was changed"
            )
    total = 0
    with source.connect() as old, target.guard(), target.engine.begin() as new:
        for table in tables:
            copied = _copy(old, new, table)
            if not _count(old, table) == _count(new, table) == copied:
                raise StorageError(f"{table.name} was not copied completely; nothing was changed")
            if new.dialect.name == "postgresql" and "id" in table.c and copied:
                _advance_sequence(new, table)
            report(table.name, copied)
            total += copied
    return total


def _copy(old: Connection, new: Connection, table: Table) -> int:
    copied = 0
    rows = old.execution_options(yield_per=BATCH_SIZE).execute(select(table))
    for batch in rows.mappings().partitions():
        new.execute(insert(table), [dict(row) for row in batch])
        copied += len(batch)
    return copied


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _advance_sequence(connection: Connection, table: Table) -> None:
    """Give new rows ids after those of the copied rows."""
    sequence = func.pg_get_serial_sequence(table.name, "id")
    last_id = select(func.max(table.c.id)).scalar_subquery()
    if connection.execute(select(sequence)).scalar() is not None:
        connection.execute(select(func.setval(sequence, last_id)))
