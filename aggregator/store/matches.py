"""Which entries must be matched, and the matches of entries."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    update,
)

from aggregator.model import MatchedEntry, Role, StoredEntry, StoryEntry
from aggregator.store import convert
from aggregator.store.connection import Database
from aggregator.store.rows import (
    MAX_QUERY_PARAMETERS,
    Values,
    chunks,
    execute,
    fetch_all,
    load_feeds,
    mark_stories,
    story_entries,
)
from aggregator.store.tables import ENTRIES, FEEDS, MATCHES, STORIES


class MatchStore:
    """Reads and writes matches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unmatched_entries(
        self, fingerprint: str, feeds: Collection[str] | None = None
    ) -> Iterator[StoredEntry]:
        """The entries that were not matched with this fingerprint, of these feeds or of all.

        A pruned entry keeps its matches, because its words are gone, unless the reader has decided
        about it since.
        """
        matched = ENTRIES.c.matched_fingerprint
        # Two ranges instead of "!=": so the index finds the entries, or shows that there are none.
        other = or_(matched < fingerprint, matched > fingerprint)
        is_unmatched: ColumnElement[bool] = matched.is_(None)
        with self._database.connect() as connection:
            if any(
                connection.execute(
                    select(ENTRIES.c.id).where(part, ENTRIES.c.pruned_at.is_(None)).limit(1)
                ).first()
                for part in other.clauses
            ):
                is_unmatched = or_(is_unmatched, and_(other, ENTRIES.c.pruned_at.is_(None)))
        if feeds is not None:
            feed_ids = select(FEEDS.c.id).where(FEEDS.c.url.in_(list(feeds)))
            is_unmatched = and_(is_unmatched, ENTRIES.c.feed_id.in_(feed_ids))
        query = select(ENTRIES).where(is_unmatched).order_by(ENTRIES.c.id)
        last_id = 0
        while True:
            with self._database.connect() as connection:
                batch = query.where(ENTRIES.c.id > last_id).limit(MAX_QUERY_PARAMETERS)
                rows = fetch_all(connection, batch)
                feed_rows = load_feeds(connection, rows)
            if not rows:
                return
            yield from (convert.stored_entry(row, feed_rows[row.feed_id]) for row in rows)
            last_id = rows[-1].id

    def save(self, matched: Sequence[MatchedEntry], fingerprint: str, now: datetime) -> int:
        """Replace the matches of these entries; return the number of new matches."""
        with self._database.transaction() as connection:
            return sum(_save_batch(connection, b, fingerprint, now) for b in chunks(matched))

    def find_entries(self, text: str, page: str) -> list[StoryEntry]:
        """The entries whose id, key, link or story's id is ``text``, or whose page is ``page``.

        Those of private feeds are left out.
        """
        entry = ENTRIES.c
        stories = select(STORIES.c.id).where(STORIES.c.atom_id == text)
        is_meant = or_(
            entry.atom_id == text,
            entry.key == text,
            entry.link == text,
            entry.page == page,
            entry.story_id.in_(stories),
        )
        query = (
            select(ENTRIES)
            .join(FEEDS, entry.feed_id == FEEDS.c.id)
            .where(is_meant, FEEDS.c.role != Role.PRIVATE_CLIPPINGS.value)
            .order_by(entry.first_seen_at, FEEDS.c.url, entry.key)
            .limit(MAX_QUERY_PARAMETERS)
        )
        with self._database.connect() as connection:
            return story_entries(connection, fetch_all(connection, query))


def _save_batch(
    connection: Connection, matched: Sequence[MatchedEntry], fingerprint: str, now: datetime
) -> int:
    ids = [entry.row for entry in matched]
    stored = fetch_all(connection, select(MATCHES).where(MATCHES.c.entry_id.in_(ids)))
    outdated = {(row.entry_id, row.tag): row for row in stored}
    changed_entries: set[int] = set()
    inserts: list[Values] = []
    new_matches = 0
    for entry in matched:
        for match in entry.matches:
            row = outdated.pop((entry.row, match.tag), None)
            if row is not None and convert.match_from_row(row) == match:
                continue
            changed_entries.add(entry.row)
            new_matches += not match.near and (row is None or row.near)
            matched_at = row.matched_at if row else now
            inserts.append(
                {"entry_id": entry.row, "matched_at": matched_at} | convert.match_columns(match)
            )
    changed_entries.update(entry_id for entry_id, _ in outdated)
    if stored:
        replaced = [*outdated, *((values["entry_id"], values["tag"]) for values in inserts)]
        statement = delete(MATCHES).where(
            MATCHES.c.entry_id == bindparam("its_entry"), MATCHES.c.tag == bindparam("its_tag")
        )
        rows = [{"its_entry": entry_id, "its_tag": tag} for entry_id, tag in replaced]
        execute(connection, statement, rows)
    execute(connection, insert(MATCHES), inserts)
    grouped = select(ENTRIES.c.id, ENTRIES.c.story_id).where(
        ENTRIES.c.id.in_(ids), ENTRIES.c.story_id.is_not(None)
    )
    story_by_entry = {row.id: row.story_id for row in fetch_all(connection, grouped)}
    pending = update(STORIES).where(STORIES.c.id.in_(list(story_by_entry.values())))
    execute(connection, pending.values(placement_pending=True))
    changed_stories = {
        story for entry_id, story in story_by_entry.items() if entry_id in changed_entries
    }
    mark_stories(connection, sorted(changed_stories), corrected=False)
    done = update(ENTRIES).where(ENTRIES.c.id.in_(ids))
    execute(connection, done.values(matched_fingerprint=fingerprint))
    return new_matches
