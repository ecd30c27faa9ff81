"""The whole store: clippings and matches, beside what `feeds` keeps of the subscriptions,
`stories` of the stories, `placings` and `listings` of the output feeds, `teaching` of what is
learned, what `retention` takes away, and `space` gives back.

Every query is in these files, one short transaction per step of a run.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlmodel import col, delete, or_, select, update

from aggregator.model import Copy, Entry, Feed, MatchedEntry, Role, StoredEntry
from aggregator.store import values
from aggregator.store.feeds import FeedStore
from aggregator.store.listings import ListingStore
from aggregator.store.placings import PlacingStore
from aggregator.store.retention import RetentionStore
from aggregator.store.rows import (
    CLIPPINGS_URL,
    IN_ONE_QUERY,
    chunks,
    describe,
    mark_stories,
    matches_of,
    save_entries,
)
from aggregator.store.space import SpaceStore
from aggregator.store.stories import StoryStore
from aggregator.store.tables import BandRow, DecisionRow, EntryRow, FeedRow, MatchRow, StoryRow


class Store(FeedStore, StoryStore, PlacingStore, ListingStore, RetentionStore, SpaceStore):
    """The state of an installation. One writer at a time: hold the lock of `runlock`."""

    def save_clippings(self, entries: Sequence[Entry], site: Feed, now: datetime) -> None:
        """Make the stored clippings those of the files: a clipping taken out there goes."""
        with self._session() as session:
            feed = session.exec(select(FeedRow).where(FeedRow.url == CLIPPINGS_URL)).first()
            if feed is None:
                feed = FeedRow(
                    url=CLIPPINGS_URL, role=Role.CLIPPINGS.value, atom_id=site.id, title=site.title
                )
                session.add(feed)
                session.flush()
            describe(feed, site)
            save_entries(session, feed, entries, now)
            keys = {entry.key for entry in entries}
            held = session.exec(
                select(EntryRow.id, EntryRow.story_id, EntryRow.key).where(
                    EntryRow.feed_id == feed.id
                )
            )
            gone = [(row, story) for row, story, key in held if key not in keys]
            mark_stories(session, [story for _, story in gone if story], corrected=True)
            for chunk in chunks([row for row, _ in gone]):
                session.exec(delete(BandRow).where(col(BandRow.entry_id).in_(chunk)))
                session.exec(delete(MatchRow).where(col(MatchRow.entry_id).in_(chunk)))
                session.exec(delete(DecisionRow).where(col(DecisionRow.entry_id).in_(chunk)))
                session.exec(delete(EntryRow).where(col(EntryRow.id).in_(chunk)))

    def clipped_entries(self, urls: Iterable[str]) -> list[Entry]:
        """The entries of these bookmark feeds, in an order that does not depend on the polling."""
        with self._session() as session:
            rows = session.exec(
                select(EntryRow)
                .join(FeedRow, col(EntryRow.feed_id) == FeedRow.id)
                .where(col(FeedRow.url).in_(list(urls)), col(EntryRow.pruned_at).is_(None))
                .order_by(FeedRow.url, EntryRow.key)
            )
            return [values.entry_of(row) for row in rows]

    # -- matching ----------------------------------------------------------------------------

    def unmatched(self, vocabulary: str) -> Iterator[StoredEntry]:
        """Entries that were not yet matched with this vocabulary, in the order of their rows.

        One without its content keeps what it has, unless the reader has decided about it: words
        that are no longer there must not count as words that never were.
        """
        last = 0
        decided = select(DecisionRow.entry_id)
        while True:
            with self._session() as session:
                rows = session.exec(
                    select(EntryRow, FeedRow)
                    .join(FeedRow, col(EntryRow.feed_id) == FeedRow.id)
                    .where(
                        col(EntryRow.id) > last,
                        or_(col(EntryRow.vocabulary).is_(None), EntryRow.vocabulary != vocabulary),
                        or_(
                            col(EntryRow.pruned_at).is_(None),
                            col(EntryRow.vocabulary).is_(None),
                            col(EntryRow.id).in_(decided),
                        ),
                    )
                    .order_by(col(EntryRow.id))
                    .limit(IN_ONE_QUERY)
                ).all()
                found = [values.stored_entry(row, feed) for row, feed in rows]
            if not found:
                return
            yield from found
            last = found[-1].row

    def save_matches(self, matched: Iterable[MatchedEntry], vocabulary: str, now: datetime) -> int:
        """Replace the matches of these entries, in one transaction; gives how many are new."""
        new = 0
        with self._session() as session:
            for chunk in chunks(list(matched)):
                ids = [entry.row for entry in chunk]
                old = {
                    (row.entry_id, row.tag): row
                    for row in session.exec(select(MatchRow).where(col(MatchRow.entry_id).in_(ids)))
                }
                changed = set()
                for entry in chunk:
                    for match in entry.matches:
                        row = old.pop((entry.row, match.tag), None)
                        if row is not None and values.match_of(row) == match:
                            continue
                        changed.add(entry.row)
                        columns = values.match_columns(match)
                        if row is not None:
                            new += row.near and not match.near
                            row.sqlmodel_update(columns)
                            continue
                        new += not match.near
                        session.add(MatchRow(entry_id=entry.row, matched_at=now, **columns))
                for row in old.values():
                    changed.add(row.entry_id)
                    session.delete(row)
                of_them = select(EntryRow.story_id).where(col(EntryRow.id).in_(ids))
                undecided = update(StoryRow).where(col(StoryRow.id).in_(of_them))
                session.exec(undecided.values(unlisted=True))
                theirs = select(EntryRow.story_id).where(col(EntryRow.id).in_(changed))
                stories = sorted({story for story in session.exec(theirs) if story})
                mark_stories(session, stories, corrected=False)
                session.exec(
                    update(EntryRow).where(col(EntryRow.id).in_(ids)).values(vocabulary=vocabulary)
                )
        return new

    def find(self, text: str, page: str) -> list[Copy]:
        """The entries whose id, key or link is ``text``, or whose page is ``page``, or that tell
        the story of this id."""
        with self._session() as session:
            rows = session.exec(
                select(EntryRow, FeedRow)
                .join(FeedRow, col(EntryRow.feed_id) == FeedRow.id)
                .where(
                    or_(
                        EntryRow.atom_id == text,
                        EntryRow.key == text,
                        EntryRow.link == text,
                        EntryRow.page == page,
                        col(EntryRow.story_id).in_(
                            select(StoryRow.id).where(StoryRow.atom_id == text)
                        ),
                    )
                )
                .order_by(col(EntryRow.first_seen_at), FeedRow.url, EntryRow.key)
                .limit(IN_ONE_QUERY)
            ).all()
            matches = matches_of(session, [row.id for row, _ in rows])
            return [
                Copy(values.stored_entry(row, feed), tuple(matches.get(row.id or 0, ())))
                for row, feed in rows
            ]
