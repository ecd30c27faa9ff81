"""The database: every query, one short transaction per step of a run."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, delete, func, or_, select, update

from aggregator.errors import StorageError
from aggregator.identity import mint_id
from aggregator.model import (
    Copy,
    Entry,
    EntryChange,
    Feed,
    FeedState,
    Fetched,
    LiveEntry,
    MatchedEntry,
    ParsedFeed,
    Role,
    StoredEntry,
    Subscription,
    Tag,
    Validators,
)
from aggregator.store import tables
from aggregator.store.engine import database_path, open_engine
from aggregator.store.migrate import upgrade
from aggregator.store.rows import (
    IN_ONE_QUERY,
    chunks,
    copies_of,
    describe,
    feed_row,
    matches_of,
    save_entries,
    succeed,
    tags_of,
)
from aggregator.store.tables import EntryRow, FeedRow, MatchRow, RunRow, TagRow

CLIPPINGS_URL = "clippings:"  # the feed row of the reader's clippings files
_COPIES = 3  # stored entries read per entry wanted: some are copies of one story


class Store:
    """The state of an installation. One writer at a time: hold the lock of `runlock`."""

    def __init__(self, url: str, root: Path) -> None:
        """Open, or create, the database of ``[store] url`` in the project folder ``root``.

        Raises StorageError if it cannot be opened, is damaged, or is of a later version.
        """
        self.path = database_path(url, root)
        self._engine = open_engine(self.path)
        try:
            with self._guard(), self._engine.begin() as connection:
                upgrade(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the file back, with its write-ahead log merged into it."""
        self._engine.dispose()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            raise StorageError(f"{self.path}: {error}") from error
        except (SQLAlchemyError, OSError) as error:
            reason = getattr(error, "orig", None) or error
            raise StorageError(
                f"{self.path}: {reason}; the file is left as it is, restore a backup if it is damaged"
            ) from error

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """One transaction: all of it is stored, or nothing."""
        with self._guard(), Session(self._engine, expire_on_commit=False) as session:
            yield session
            session.commit()

    # -- runs --------------------------------------------------------------------------------

    def start_run(self, pid: int, now: datetime) -> int:
        """Note that a run began; gives its number."""
        with self._session() as session:
            row = RunRow(pid=pid, started_at=now)
            session.add(row)
            session.flush()
            return row.id or 0

    def finish_run(self, run: int, now: datetime) -> None:
        """Note that a run ended."""
        with self._session() as session:
            session.exec(update(RunRow).where(col(RunRow.id) == run).values(finished_at=now))

    def last_run(self) -> tuple[int, datetime, datetime | None] | None:
        """(pid, started_at, finished_at) of the latest run."""
        with self._session() as session:
            row = session.exec(select(RunRow).order_by(col(RunRow.id).desc()).limit(1)).first()
            return (row.pid, row.started_at, row.finished_at) if row else None

    # -- feeds -------------------------------------------------------------------------------

    def states(self) -> dict[str, FeedState]:
        """What is known of every feed that was ever polled, by its address in feeds.toml."""
        with self._session() as session:
            rows = session.exec(select(FeedRow).where(col(FeedRow.url) != CLIPPINGS_URL))
            return {row.url: tables.feed_state(row) for row in rows}

    def entry_counts(self) -> dict[str, int]:
        """How many entries are stored of each feed, by its address."""
        with self._session() as session:
            rows = session.exec(
                select(FeedRow.url, func.count(col(EntryRow.id)))
                .join(EntryRow, col(EntryRow.feed_id) == FeedRow.id)
                .group_by(FeedRow.url)
            )
            return dict(rows.all())

    def save_answer(
        self, subscription: Subscription, fetched: Fetched, parsed: ParsedFeed, body_hash: str,
        now: datetime,
    ) -> list[EntryChange]:  # fmt: skip
        """Store a document's entries, and its validators, in one transaction.

        So the validators never vouch for entries that were lost on the way.
        """
        with self._session() as session:
            feed = feed_row(session, subscription)
            describe(feed, parsed.feed)
            feed.etag = fetched.validators.etag
            feed.last_modified = fetched.validators.last_modified
            feed.body_hash = body_hash
            feed.first_succeeded_at = feed.first_succeeded_at or now
            succeed(feed, now)
            return save_entries(session, feed, parsed.entries, now)

    def save_not_modified(
        self, subscription: Subscription, validators: Validators, now: datetime
    ) -> None:
        """Nothing new. A 304 may carry newer validators (RFC 9111 section 4.3.4)."""
        with self._session() as session:
            feed = feed_row(session, subscription)
            feed.etag = validators.etag or feed.etag
            feed.last_modified = validators.last_modified or feed.last_modified
            succeed(feed, now)

    def save_failure(
        self, subscription: Subscription, reason: str, not_before: datetime | None, now: datetime
    ) -> int:
        """Remember the trouble; gives how many times in a row it has been."""
        with self._session() as session:
            feed = feed_row(session, subscription)
            feed.failures += 1
            feed.last_error = reason
            feed.fetched_at = now
            feed.not_before = not_before
            return feed.failures

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
