"""Which entries are yet to be matched, and what was matched."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update
from sqlmodel import Session

from aggregator.model import MatchedEntry, StoredEntry, StoryEntry
from aggregator.store import convert
from aggregator.store.connection import Database
from aggregator.store.rows import (
    MAX_QUERY_PARAMETERS,
    chunks,
    load_feeds,
    mark_stories,
    read,
    story_entries,
    write,
)
from aggregator.store.tables import ENTRIES, FEEDS, MATCHES, PRUNED, STORIES


class MatchStore:
    """Reads and writes matches."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def unmatched_entries(
        self, vocabulary: str, feeds: Collection[str] | None = None
    ) -> Iterator[StoredEntry]:
        """Entries that were not yet matched with this vocabulary, of these feeds or of all, in the
        order of their rows.

        One without its content keeps what it has, unless the reader has decided about it: words
        that are no longer there must not count as words that never were.
        """
        mine = ENTRIES.c.matched_fingerprint
        other = or_(and_(mine > PRUNED, mine < vocabulary), mine > vocabulary)
        last = 0
        with self._database.transaction() as session:
            # All that was matched with another is found at once by the index, or is everything.
            some = any(
                read(session, select(ENTRIES.c.id).where(part).limit(1)) for part in other.clauses
            )
        stale = or_(mine.is_(None), other) if some else mine.is_(None)
        if feeds is not None:
            theirs = select(FEEDS.c.id).where(FEEDS.c.url.in_(list(feeds)))
            stale = and_(stale, ENTRIES.c.feed_id.in_(theirs))
        while True:
            with self._database.transaction() as session:
                wanted = select(ENTRIES).where(ENTRIES.c.id > last, stale)
                rows = read(session, wanted.order_by(ENTRIES.c.id).limit(MAX_QUERY_PARAMETERS))
                known = load_feeds(session, rows)
            if not rows:
                return
            yield from (convert.stored_entry(row, known[row.feed_id]) for row in rows)
            last = rows[-1].id

    def save(self, matched: Sequence[MatchedEntry], vocabulary: str, now: datetime) -> int:
        """Replace the matches of these entries, in one transaction; gives how many are new."""
        new = 0
        with self._database.transaction() as session:
            for chunk in chunks(matched):
                new += self._save_matches(session, chunk, vocabulary, now)
        return new

    def _save_matches(
        self, session: Session, matched: Sequence[MatchedEntry], vocabulary: str, now: datetime
    ) -> int:
        ids = [entry.row for entry in matched]
        rows = read(session, select(MATCHES).where(MATCHES.c.entry_id.in_(ids)))
        old = {(row.entry_id, row.tag): row for row in rows}
        changed, made, new = set(), [], 0
        for entry in matched:
            for match in entry.matches:
                row = old.pop((entry.row, match.tag), None)
                if row is not None and convert.match_from_row(row) == match:
                    continue
                changed.add(entry.row)
                new += not match.near and (row is None or row.near)
                since = {"matched_at": row.matched_at if row else now}
                made.append({"entry_id": entry.row} | convert.match_columns(match) | since)
        changed.update(entry for entry, _ in old)
        replaced = [*old, *((match["entry_id"], match["tag"]) for match in made)]
        this = delete(MATCHES).where(
            MATCHES.c.entry_id == bindparam("entry"), MATCHES.c.tag == bindparam("name")
        )
        if rows:
            write(session, this, [{"entry": entry, "name": tag} for entry, tag in replaced])
        write(session, insert(MATCHES), made)
        told = read(
            session,
            select(ENTRIES.c.id, ENTRIES.c.story_id).where(
                ENTRIES.c.id.in_(ids), ENTRIES.c.story_id.is_not(None)
            ),
        )
        undecided = update(STORIES).where(STORIES.c.id.in_([row.story_id for row in told]))
        write(session, undecided.values(placement_pending=True))
        stories = sorted({row.story_id for row in told if row.id in changed})
        mark_stories(session, stories, corrected=False)
        done = update(ENTRIES).where(ENTRIES.c.id.in_(ids))
        write(session, done.values(matched_fingerprint=vocabulary))
        return new

    def find_entries(self, text: str, page: str) -> list[StoryEntry]:
        """The entries whose id, key or link is ``text``, or whose page is ``page``, or that tell
        the story of this id."""
        with self._database.transaction() as session:
            entry, told = ENTRIES.c, select(STORIES.c.id).where(STORIES.c.atom_id == text)
            meant = or_(
                entry.atom_id == text,
                entry.key == text,
                entry.link == text,
                entry.page == page,
                entry.story_id.in_(told),
            )
            found = (
                select(ENTRIES)
                .join(FEEDS, entry.feed_id == FEEDS.c.id)
                .where(meant)
                .order_by(entry.first_seen_at, FEEDS.c.url, entry.key)
                .limit(MAX_QUERY_PARAMETERS)
            )
            return story_entries(session, read(session, found))
