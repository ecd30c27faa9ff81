"""The stored clippings: those of the files, and those of polled bookmark feeds."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from aggregator.model import Entry, Feed, Role
from aggregator.store import convert
from aggregator.store.changes import content_hash
from aggregator.store.connection import Database
from aggregator.store.feeds import NEW_FEED
from aggregator.store.lookup import Document
from aggregator.store.rows import CLIPPINGS_URL, chunks, execute, fetch_all, mark_stories
from aggregator.store.tables import DECISIONS, ENTRIES, FEEDS, MATCHES, MINHASH_BANDS
from aggregator.store.upsert import save_entries
from aggregator.text.folding import digest


class ClippingStore:
    """Reads and writes clippings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, entries: Sequence[Entry], site: Feed, now: datetime) -> None:
        """Store the clippings of the files, and delete those that were removed from the files."""
        body_hash = digest(*(f"{entry.key} {content_hash(entry)}" for entry in entries))
        query = select(FEEDS).where(FEEDS.c.url == CLIPPINGS_URL)
        with self._database.transaction() as connection:
            feed = connection.execute(query).first()
            if feed and feed.body_hash == body_hash and convert.feed_from_row(feed) == site:
                return
            if feed is None:
                row = {
                    "url": CLIPPINGS_URL,
                    "role": Role.CLIPPINGS.value,
                    "atom_id": "",
                    "title": "",
                }
                execute(connection, insert(FEEDS).values(NEW_FEED | row))
                feed = connection.execute(query).one()
            save_entries(connection, [Document(feed, entries, is_kept=True)], now)
            columns = convert.feed_columns(site) | {"body_hash": body_hash, "entries": len(entries)}
            execute(connection, update(FEEDS).where(FEEDS.c.id == feed.id).values(columns))
            _delete_others(connection, feed.id, {entry.key for entry in entries})

    def polled_entries(self, keys: Iterable[str]) -> list[Entry]:
        """The entries of these bookmark feeds, in an order that does not depend on polling."""
        urls = list(keys)
        if not urls:
            return []
        query = (
            select(ENTRIES)
            .join(FEEDS, ENTRIES.c.feed_id == FEEDS.c.id)
            .where(FEEDS.c.url.in_(urls), ENTRIES.c.pruned_at.is_(None))
            .order_by(FEEDS.c.url, ENTRIES.c.key)
        )
        with self._database.connect() as connection:
            return [convert.entry_from_row(row) for row in fetch_all(connection, query)]


def _delete_others(connection: Connection, feed_id: int, keys: set[str]) -> None:
    """Delete the entries of a feed without these keys."""
    query = select(ENTRIES.c.id, ENTRIES.c.story_id, ENTRIES.c.key)
    stored = fetch_all(connection, query.where(ENTRIES.c.feed_id == feed_id))
    deleted = [row for row in stored if row.key not in keys]
    mark_stories(connection, [row.story_id for row in deleted if row.story_id], corrected=True)
    for batch in chunks([row.id for row in deleted]):
        for table in (MINHASH_BANDS, MATCHES, DECISIONS):
            execute(connection, delete(table).where(table.c.entry_id.in_(batch)))
        execute(connection, delete(ENTRIES).where(ENTRIES.c.id.in_(batch)))
