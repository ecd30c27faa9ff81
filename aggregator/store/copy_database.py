"""All that is stored, from one database to another: from SQLite to PostgreSQL, and back."""

from collections.abc import Callable

from sqlalchemy import Connection, Table, func, insert, select
from sqlmodel import SQLModel

from aggregator.errors import StorageError
from aggregator.store.connection import Database

_AT_ONCE = 1000


def copy_all(source: Database, target: Database, told: Callable[[str, int], None]) -> int:
    """Copy every row, with its number, in one transaction; gives how many there are.

    ``told`` hears of each table and its rows. Raises StorageError, and changes nothing, if the
    target holds something already, or does not hold the same number of rows in the end.
    """
    tables = SQLModel.metadata.sorted_tables  # what is referred to comes first
    number = 0
    with target.connect() as new:
        full = [table.name for table in tables if _count(new, table)]
        if full:
            raise StorageError(
                f"it is not empty ({', '.join(full)}): name a new database; nothing was changed"
            )
    with source.connect() as old, target.guard(), target.engine.begin() as new:
        for table in tables:
            copied = _copy(old, new, table)
            if not _count(old, table) == _count(new, table) == copied:
                raise StorageError(f"{table.name} did not arrive as a whole; nothing was changed")
            if new.dialect.name == "postgresql" and "id" in table.c and copied:
                _count_on(new, table)
            told(table.name, copied)
            number += copied
    return number


def _copy(old: Connection, new: Connection, table: Table) -> int:
    number = 0
    rows = old.execution_options(yield_per=_AT_ONCE).execute(select(table))
    for some in rows.mappings().partitions():
        new.execute(insert(table), [dict(row) for row in some])
        number += len(some)
    return number


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _count_on(connection: Connection, table: Table) -> None:
    """New rows are numbered after those that brought their numbers."""
    sequence = func.pg_get_serial_sequence(table.name, "id")
    last = select(func.max(table.c.id)).scalar_subquery()
    if connection.execute(select(sequence)).scalar() is not None:
        connection.execute(select(func.setval(sequence, last)))
