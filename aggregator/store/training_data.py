"""What matching learns from beside the clippings, and the trained model."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update

from aggregator.model import Decision, Entry, Match, Role
from aggregator.store import convert
from aggregator.store.connection import Database
from aggregator.store.rows import (
    chunks,
    execute,
    fetch_all,
    insert_missing,
    load_matches,
    replace_row,
)
from aggregator.store.tables import (
    DECISIONS,
    EMBEDDINGS,
    ENTRIES,
    FEEDS,
    MATCHES,
    SINGLETON_ID,
    TAG_MODELS,
)


class TrainingDataStore:
    """Reads and writes the sample of entries, the reader's decisions, the model and embeddings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count_entries(self) -> int:
        """The number of stored entries of subscriptions."""
        query = select(func.sum(FEEDS.c.entries)).where(FEEDS.c.role == Role.SUBSCRIPTION.value)
        with self._database.connect() as connection:
            return int(connection.execute(query).scalar() or 0)  # PostgreSQL returns a Decimal

    def sample_entries(self, size: int) -> list[Entry]:
        """``size`` entries of subscriptions. The choice does not depend on the order of arrival.

        `retention` never prunes them.
        """
        query = (
            select(ENTRIES)
            .join(FEEDS, ENTRIES.c.feed_id == FEEDS.c.id)
            .where(FEEDS.c.role == Role.SUBSCRIPTION.value, ENTRIES.c.pruned_at.is_(None))
            .order_by(ENTRIES.c.content_hash, FEEDS.c.url, ENTRIES.c.key)
            .limit(size)
        )
        with self._database.connect() as connection:
            return [convert.entry_from_row(row) for row in fetch_all(connection, query)]

    def matches_by_entry(self, rows: Iterable[int]) -> dict[int, list[Match]]:
        """The stored matches of these entries, by `StoredEntry.row`."""
        with self._database.connect() as connection:
            return load_matches(connection, list(rows))

    def matched_counts(self) -> dict[str, int]:
        """The number of entries of each feed that belong to a tag, by subscription key."""
        query = (
            select(FEEDS.c.url, func.count(ENTRIES.c.id.distinct()))
            .join(ENTRIES, ENTRIES.c.feed_id == FEEDS.c.id)
            .join(MATCHES, MATCHES.c.entry_id == ENTRIES.c.id)
            .where(~MATCHES.c.near)
            .group_by(FEEDS.c.url)
        )
        with self._database.connect() as connection:
            return dict(fetch_all(connection, query))

    def load_model(self, fingerprint: str) -> bytes | None:
        """The stored model, if it has this fingerprint."""
        query = select(TAG_MODELS.c.data).where(
            TAG_MODELS.c.id == SINGLETON_ID, TAG_MODELS.c.fingerprint == fingerprint
        )
        with self._database.connect() as connection:
            data: bytes | None = connection.execute(query).scalar()
            return data

    def save_model(self, fingerprint: str, data: bytes) -> None:
        """Replace the stored model."""
        values = {"id": SINGLETON_ID, "fingerprint": fingerprint, "data": data}
        with self._database.transaction() as connection:
            replace_row(connection, TAG_MODELS, values)

    def load_embeddings(self, names: Iterable[str]) -> dict[str, bytes]:
        """The stored vectors of these texts, by the names of the texts."""
        vectors: dict[str, bytes] = {}
        with self._database.connect() as connection:
            for batch in chunks(list(dict.fromkeys(names))):
                query = select(EMBEDDINGS).where(EMBEDDINGS.c.name.in_(batch))
                vectors |= {row.name: row.vector for row in fetch_all(connection, query)}
        return vectors

    def save_embeddings(self, vectors: Mapping[str, bytes]) -> None:
        """Store vectors, except those that another process has stored meanwhile."""
        rows = [{"name": name, "vector": vector} for name, vector in vectors.items()]
        if rows:
            with self._database.transaction() as connection:
                insert_missing(connection, EMBEDDINGS, rows)

    def decisions(self) -> list[Decision]:
        """The reader's decisions, by the ids of the entries; without those about private clippings,
        since the title of a confirmed entry is published as evidence."""
        # One query: between two, a run may delete the clipping of a decision.
        query = (
            select(ENTRIES, DECISIONS.c.tag, DECISIONS.c.confirmed)
            .join(DECISIONS, DECISIONS.c.entry_id == ENTRIES.c.id)
            .join(FEEDS, FEEDS.c.id == ENTRIES.c.feed_id)
            .where(FEEDS.c.role != Role.PRIVATE_CLIPPINGS.value)
        )
        with self._database.connect() as connection:
            rows = fetch_all(connection, query)
        decisions = [
            Decision(row.id, convert.entry_from_row(row), row.tag, row.confirmed) for row in rows
        ]
        return sorted(decisions, key=lambda d: (d.entry.id, d.row, d.tag))

    def count_decisions(self) -> int:
        """The number of the reader's decisions."""
        query = select(func.count()).select_from(DECISIONS)
        with self._database.connect() as connection:
            return connection.execute(query).scalar_one()

    def save_decision(
        self, rows: Iterable[int], tag: str, confirmed: bool | None, now: datetime
    ) -> None:
        """These entries belong to a tag, or do not; None removes the decision."""
        with self._database.transaction() as connection:
            for row in rows:
                is_decision = (DECISIONS.c.entry_id == row) & (DECISIONS.c.tag == tag)
                execute(connection, delete(DECISIONS).where(is_decision))
                to_match = update(ENTRIES).where(ENTRIES.c.id == row)
                execute(connection, to_match.values(matched_fingerprint=None))
                if confirmed is not None:
                    values = {
                        "entry_id": row, "tag": tag, "confirmed": confirmed, "decided_at": now
                    }  # fmt: skip
                    execute(connection, insert(DECISIONS).values(values))
