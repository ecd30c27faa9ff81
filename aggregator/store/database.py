"""The whole store: entries, matches and tags, beside what `feeds` keeps of their feeds.

Every query is in these two files, one short transaction per step of a run.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlmodel import col, delete, func, or_, select, update

from aggregator.identity import mint_id
from aggregator.model import Copy, Entry, Feed, LiveEntry, MatchedEntry, Role, StoredEntry, Tag
from aggregator.store import tables
from aggregator.store.feeds import CLIPPINGS_URL, FeedStore
from aggregator.store.rows import (
    IN_ONE_QUERY,
    chunks,
    copies_of,
    describe,
    matches_of,
    save_entries,
    tags_of,
)
from aggregator.store.tables import EntryRow, FeedRow, MatchRow, TagRow

_COPIES = 3  # stored entries read per entry wanted: some are copies of one story


class Store(FeedStore):
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
                select(EntryRow.id, EntryRow.key).where(EntryRow.feed_id == feed.id)
            )
            for chunk in chunks([row for row, key in held if key not in keys]):
                session.exec(delete(MatchRow).where(col(MatchRow.entry_id).in_(chunk)))
                session.exec(delete(EntryRow).where(col(EntryRow.id).in_(chunk)))

    def clipped_entries(self, urls: Iterable[str]) -> list[Entry]:
        """The entries of these bookmark feeds, in an order that does not depend on the polling."""
        with self._session() as session:
            rows = session.exec(
                select(EntryRow)
                .join(FeedRow, col(EntryRow.feed_id) == FeedRow.id)
                .where(col(FeedRow.url).in_(list(urls)))
                .order_by(FeedRow.url, EntryRow.key)
            )
            return [tables.entry_of(row) for row in rows]

    # -- matching ----------------------------------------------------------------------------

    def unmatched(self, vocabulary: str) -> Iterator[StoredEntry]:
        """Entries that were not yet matched with this vocabulary, in the order of their rows."""
        last = 0
        while True:
            with self._session() as session:
                rows = session.exec(
                    select(EntryRow, FeedRow)
                    .join(FeedRow, col(EntryRow.feed_id) == FeedRow.id)
                    .where(
                        col(EntryRow.id) > last,
                        or_(col(EntryRow.vocabulary).is_(None), EntryRow.vocabulary != vocabulary),
                    )
                    .order_by(col(EntryRow.id))
                    .limit(IN_ONE_QUERY)
                ).all()
                tags = tags_of(session, [row.id for row, _ in rows])
                found = [tables.stored_entry(r, f, tags.get(r.id or 0)) for r, f in rows]
            if not found:
                return
            yield from found
            last = found[-1].row

    def save_matches(self, matched: Iterable[MatchedEntry], vocabulary: str, now: datetime) -> int:
        """Replace the matches of these entries, in one transaction; gives how many are new.

        An entry that belonged to a tag before keeps its place in the live feed, or outside it.
        """
        new = 0
        with self._session() as session:
            for chunk in chunks(list(matched)):
                ids = [entry.row for entry in chunk]
                old = {
                    (row.entry_id, row.tag): row
                    for row in session.exec(select(MatchRow).where(col(MatchRow.entry_id).in_(ids)))
                }
                for entry in chunk:
                    for match in entry.matches:
                        columns = tables.match_columns(match)
                        row = old.pop((entry.row, match.tag), None)
                        if row is not None:
                            row.sqlmodel_update(columns)
                            continue
                        new += 1
                        live = match.tag in entry.live
                        session.add(
                            MatchRow(entry_id=entry.row, matched_at=now, live=live, **columns)
                        )
                for row in old.values():
                    session.delete(row)
                session.exec(
                    update(EntryRow).where(col(EntryRow.id).in_(ids)).values(vocabulary=vocabulary)
                )
        return new

    # -- tags and publishing -----------------------------------------------------------------

    def slugs(self) -> dict[str, str]:
        """The slug of every tag that was ever published, by its folded key."""
        with self._session() as session:
            return dict(session.exec(select(TagRow.key, TagRow.slug)).all())

    def save_tags(
        self, tags: Iterable[Tag], site_url: str, now: datetime
    ) -> dict[str, tuple[str, datetime]]:
        """Remember new tags; gives the id of each tag's feed and when the tag was first seen.

        A feed's id is made from the site's address at that time and stays when the site moves.
        """
        with self._session() as session:
            held = {row.key: row for row in session.exec(select(TagRow))}
            for tag in tags:
                if tag.key not in held:
                    feed_id = mint_id(site_url, None, tag.slug)
                    held[tag.key] = TagRow(
                        key=tag.key, name=tag.name, slug=tag.slug, feed_id=feed_id,
                        first_seen_at=now,
                    )  # fmt: skip
                    session.add(held[tag.key])
                held[tag.key].name = tag.name
            return {key: (row.feed_id, row.first_seen_at) for key, row in held.items()}

    def live_entries(self, tag: str, limit: int) -> tuple[list[LiveEntry], list[Copy]]:
        """The newest entries of a tag's feed, newest first, and every stored copy of their pages."""
        with self._session() as session:
            date = func.coalesce(EntryRow.updated, EntryRow.published, EntryRow.first_seen_at)
            rows = session.exec(
                select(EntryRow, FeedRow)
                .join(FeedRow, col(EntryRow.feed_id) == FeedRow.id)
                .join(MatchRow, col(MatchRow.entry_id) == EntryRow.id)
                .where(MatchRow.tag == tag, col(MatchRow.live))
                .order_by(date.desc(), EntryRow.atom_id, FeedRow.url)
                .limit(limit * _COPIES)
            ).all()
            matches = matches_of(session, [row.id for row, _ in rows])
            live = [
                LiveEntry(tables.stored_entry(row, feed), tuple(matches.get(row.id or 0, ())))
                for row, feed in rows
            ]
            pages = sorted({row.page for row, _ in rows if row.page})
            copies = [copy for chunk in chunks(pages) for copy in copies_of(session, chunk)]
        return live, copies

    def count(self, tag: str) -> int:
        """How many stories belong to a tag, live or not."""
        story = func.coalesce(EntryRow.page, EntryRow.atom_id)
        with self._session() as session:
            return session.exec(
                select(func.count(story.distinct()))
                .join(MatchRow, col(MatchRow.entry_id) == EntryRow.id)
                .where(MatchRow.tag == tag)
            ).one()

    def find(self, text: str, page: str) -> list[LiveEntry]:
        """The entries whose id, key or link is ``text``, or whose page is ``page``."""
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
                    )
                )
                .order_by(col(EntryRow.first_seen_at), FeedRow.url, EntryRow.key)
                .limit(IN_ONE_QUERY)
            ).all()
            matches = matches_of(session, [row.id for row, _ in rows])
            return [
                LiveEntry(tables.stored_entry(row, feed), tuple(matches.get(row.id or 0, ())))
                for row, feed in rows
            ]
