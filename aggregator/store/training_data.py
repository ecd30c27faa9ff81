"""What matching learns from beside the clippings, and what it has learned."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import select as columns
from sqlmodel import col, func, select

from aggregator.model import Decision, Entry, Match, Role
from aggregator.store import convert
from aggregator.store.connection import Database
from aggregator.store.rows import chunks, insert_unless_there, load_matches, read
from aggregator.store.tables import (
    DECISIONS,
    EMBEDDINGS,
    ENTRIES,
    FEEDS,
    DecisionRow,
    EmbeddingRow,
    EntryRow,
    FeedRow,
    MatchRow,
    TagModelRow,
)

_THE_ONE = 1


class TrainingDataStore:
    """A sample of the entries, the reader's decisions, and the model made of both."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count_entries(self) -> int:
        """How many entries of subscriptions are stored."""
        with self._database.transaction() as session:
            theirs = select(func.sum(FeedRow.entries))
            found = session.exec(theirs.where(FeedRow.role == Role.SUBSCRIPTION.value)).one()
            return int(found or 0)  # PostgreSQL gives the sum a decimal type

    def sample_entries(self, size: int) -> list[Entry]:
        """``size`` entries of subscriptions, the same for the same entries however they came.

        `retention` leaves them their content.
        """
        with self._database.transaction() as session:
            theirs = (
                columns(ENTRIES)
                .join(FEEDS, ENTRIES.c.feed_id == FEEDS.c.id)
                .where(FEEDS.c.role == Role.SUBSCRIPTION.value, ENTRIES.c.pruned_at.is_(None))
                .order_by(ENTRIES.c.content_hash, FEEDS.c.url, ENTRIES.c.key)
                .limit(size)
            )
            return [convert.entry_from_row(row) for row in read(session, theirs)]

    def matches_by_entry(self, rows: Iterable[int]) -> dict[int, list[Match]]:
        """What was found for these entries."""
        with self._database.transaction() as session:
            return {row: list(found) for row, found in load_matches(session, list(rows)).items()}

    def matched_counts(self) -> dict[str, int]:
        """How many entries of each feed belong to a tag, by its address."""
        with self._database.transaction() as session:
            rows = session.exec(
                select(FeedRow.url, func.count(col(EntryRow.id).distinct()))
                .join(EntryRow, col(EntryRow.feed_id) == FeedRow.id)
                .join(MatchRow, col(MatchRow.entry_id) == EntryRow.id)
                .where(~col(MatchRow.near))
                .group_by(FeedRow.url)
            )
            return dict(rows.all())

    def load_model(self, fingerprint: str) -> bytes | None:
        """What was learned under this fingerprint, if it is what was learned last."""
        with self._database.transaction() as session:
            row = session.get(TagModelRow, _THE_ONE)
            return row.data if row and row.fingerprint == fingerprint else None

    def save_model(self, fingerprint: str, data: bytes) -> None:
        """In place of what was learned before."""
        with self._database.transaction() as session:
            session.merge(TagModelRow(id=_THE_ONE, fingerprint=fingerprint, data=data))

    def load_embeddings(self, names: Iterable[str]) -> dict[str, bytes]:
        """The vectors that are known, by the names of their texts."""
        known: dict[str, bytes] = {}
        with self._database.transaction() as session:
            for chunk in chunks(list(dict.fromkeys(names))):
                rows = session.exec(select(EmbeddingRow).where(col(EmbeddingRow.name).in_(chunk)))
                known |= {row.name: row.vector for row in rows}
        return known

    def save_embeddings(self, meanings: Mapping[str, bytes]) -> None:
        """Vectors that were not known, unless another process has stored them meanwhile."""
        rows = [{"name": name, "vector": vector} for name, vector in meanings.items()]
        if rows:
            with self._database.transaction() as session:
                insert_unless_there(session, EMBEDDINGS, rows)

    def decisions(self) -> list[Decision]:
        """What the reader decided, in the order of the entries' ids."""
        # In one question: between two, a clipping about which was decided may be taken away.
        made = columns(ENTRIES, DECISIONS.c.tag, DECISIONS.c.confirmed)
        with self._database.transaction() as session:
            rows = read(session, made.join(DECISIONS, DECISIONS.c.entry_id == ENTRIES.c.id))
        decisions = [
            Decision(row.id, convert.entry_from_row(row), row.tag, row.confirmed) for row in rows
        ]
        return sorted(decisions, key=lambda made: (made.entry.id, made.row, made.tag))

    def count_decisions(self) -> int:
        """How many entries' tags the reader decided."""
        with self._database.transaction() as session:
            return session.exec(select(func.count()).select_from(DecisionRow)).one()

    def save_decision(
        self, rows: Iterable[int], tag: str, confirmed: bool | None, now: datetime
    ) -> None:
        """Entries belong to a tag, or never do; None takes such a decision back."""
        with self._database.transaction() as session:
            for row in rows:
                held = session.get(DecisionRow, (row, tag))
                if held is not None:
                    session.delete(held)
                    session.flush()
                entry = session.get(EntryRow, row)
                if entry is not None:
                    entry.matched_fingerprint = None  # to be matched again
                if confirmed is not None:
                    session.add(
                        DecisionRow(entry_id=row, tag=tag, confirmed=confirmed, decided_at=now)
                    )
