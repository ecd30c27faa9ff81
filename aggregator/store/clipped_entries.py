"""The stored clippings: those of the files, and those of polled bookmark feeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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

    def save(
        self,
        entries: Sequence[Entry],
        site: Feed,
        now: datetime,
        *,
        detect_language: Callable[[str], str | None] = lambda text: None,
        version: int = 0,
    ) -> None:
        """Store the clippings of the files, and delete those that were removed from the files.

        ``detect_language`` is called only if there is something to store, with each text. ``version``
        is that of the program's readers.
        """
        body_hash = digest(
            str(version), *(f"{entry.key} {content_hash(entry)}" for entry in entries)
        )
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
            is_reread = feed.body_hash is not None and feed.reader_version != version
            entries = [
                replace(entry, language=detect_language(f"{entry.title}\n{entry.text}"))
                for entry in entries
            ]
            document = Document(feed, entries, is_kept=True, is_reread=is_reread)
            save_entries(connection, [document], now)
            columns = convert.feed_columns(site) | {
                "body_hash": body_hash,
                "entries": len(entries),
                "reader_version": version,
            }
            execute(connection, update(FEEDS).where(FEEDS.c.id == feed.id).values(columns))
            _delete_others(connection, feed.id, {entry.key for entry in entries})

    def polled_entries(self, key: str) -> list[Entry]:
        """The entries of a bookmark feed, in an order that does not depend on polling."""
        query = (
            select(ENTRIES)
            .join(FEEDS, ENTRIES.c.feed_id == FEEDS.c.id)
            .where(FEEDS.c.url == key, ENTRIES.c.pruned_at.is_(None))
            .order_by(ENTRIES.c.key)
        )
        with self._database.connect() as connection:
            return [convert.entry_from_row(row) for row in fetch_all(connection, query)]

    def save_roles(self, roles: Mapping[Role, Sequence[str]]) -> None:
        """Give the polled feeds with these keys their roles, and withdraw what is private.

        The role stays when an address leaves feeds.toml, so its entries stay private.
        """
        with self._database.transaction() as connection:
            for role, keys in roles.items():
                has_other_role = FEEDS.c.url.in_(keys) & (FEEDS.c.role != role.value)
                if keys:
                    execute(connection, update(FEEDS).where(has_other_role).values(role=role.value))
            _withdraw_private(connection)


def _withdraw_private(connection: Connection) -> None:
    """Take the entries of private feeds out of their stories, so that no output contains them."""
    query = (
        select(ENTRIES.c.id, ENTRIES.c.story_id)
        .join(FEEDS, ENTRIES.c.feed_id == FEEDS.c.id)
        .where(FEEDS.c.role == Role.PRIVATE_CLIPPINGS.value, ENTRIES.c.story_id.is_not(None))
    )
    rows = fetch_all(connection, query)
    mark_stories(connection, [row.story_id for row in rows], corrected=True)
    for ids in chunks([row.id for row in rows]):
        execute(connection, update(ENTRIES).where(ENTRIES.c.id.in_(ids)).values(story_id=None))
        execute(connection, delete(MINHASH_BANDS).where(MINHASH_BANDS.c.entry_id.in_(ids)))


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
