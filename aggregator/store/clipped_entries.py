"""The stored clippings: those of the files, and those of polled bookmark feeds."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, select, update

from aggregator.model import Entry, Feed, Role
from aggregator.store import convert
from aggregator.store.changes import content_hash
from aggregator.store.connection import Database
from aggregator.store.lookup import Document
from aggregator.store.rows import CLIPPINGS_URL, chunks, mark_stories, read, write
from aggregator.store.tables import DECISIONS, ENTRIES, FEEDS, MATCHES, MINHASH_BANDS, FeedRow
from aggregator.store.upsert import save_entries
from aggregator.text.folding import digest


class ClippingStore:
    """Reads and writes clippings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, entries: Sequence[Entry], site: Feed, now: datetime) -> None:
        """Make the stored clippings those of the files: a clipping taken out there goes."""
        every = digest(*(f"{entry.key} {content_hash(entry)}" for entry in entries))
        with self._database.transaction() as session:
            rows = read(session, select(FEEDS).where(FEEDS.c.url == CLIPPINGS_URL))
            if rows and rows[0].body_hash == every and convert.feed_from_row(rows[0]) == site:
                return
            if not rows:
                session.add(
                    FeedRow(url=CLIPPINGS_URL, role=Role.CLIPPINGS.value, atom_id="", title="")
                )
                session.flush()
                rows = read(session, select(FEEDS).where(FEEDS.c.url == CLIPPINGS_URL))
            (feed,) = rows
            save_entries(session, [Document(feed, entries, kept_whole=True)], now)
            columns = convert.feed_columns(site) | {"body_hash": every, "entries": len(entries)}
            write(session, update(FEEDS).where(FEEDS.c.id == feed.id).values(columns))
            keys = {entry.key for entry in entries}
            held = select(ENTRIES.c.id, ENTRIES.c.story_id, ENTRIES.c.key)
            gone = [
                row
                for row in read(session, held.where(ENTRIES.c.feed_id == feed.id))
                if row.key not in keys
            ]
            mark_stories(session, [row.story_id for row in gone if row.story_id], corrected=True)
            for chunk in chunks([row.id for row in gone]):
                for table in (MINHASH_BANDS, MATCHES, DECISIONS):
                    write(session, delete(table).where(table.c.entry_id.in_(chunk)))
                write(session, delete(ENTRIES).where(ENTRIES.c.id.in_(chunk)))

    def polled_entries(self, urls: Iterable[str]) -> list[Entry]:
        """The entries of these bookmark feeds, in an order that does not depend on the polling."""
        wanted = list(urls)
        if not wanted:
            return []
        with self._database.transaction() as session:
            theirs = (
                select(ENTRIES)
                .join(FEEDS, ENTRIES.c.feed_id == FEEDS.c.id)
                .where(FEEDS.c.url.in_(wanted), ENTRIES.c.pruned_at.is_(None))
                .order_by(FEEDS.c.url, ENTRIES.c.key)
            )
            return [convert.entry_from_row(row) for row in read(session, theirs)]
