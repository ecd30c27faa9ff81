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
    FeedEvent,
    FeedState,
    LiveEntry,
    MatchedEntry,
    ParsedFeed,
    Role,
    StoredEntry,
    Subscription,
    Tag,
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
    tags_of,
)
from aggregator.store.states import event_row, feed_event, feed_state, state_columns
from aggregator.store.tables import (
    EntryRow,
    FeedEventRow,
    FeedRow,
    HostRow,
    MatchRow,
    RunRow,
    TagRow,
)

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

    def finish_run(self, run: int, now: datetime, *, offline: bool) -> None:
        """Note that a run ended, and whether it found the network gone."""
        with self._session() as session:
            ended = {"finished_at": now, "offline": offline}
            session.exec(update(RunRow).where(col(RunRow.id) == run).values(**ended))

    def was_offline(self) -> bool:
        """Whether the latest run that ended found the network gone."""
        with self._session() as session:
            ended = select(RunRow.offline).where(col(RunRow.finished_at).is_not(None))
            return bool(session.exec(ended.order_by(col(RunRow.id).desc()).limit(1)).first())

    def last_run(self) -> tuple[int, datetime, datetime | None] | None:
        """(pid, started_at, finished_at) of the latest run."""
        with self._session() as session:
            row = session.exec(select(RunRow).order_by(col(RunRow.id).desc()).limit(1)).first()
            return (row.pid, row.started_at, row.finished_at) if row else None

    # -- feeds -------------------------------------------------------------------------------

    def states(self) -> dict[str, FeedState]:
        """What is known of every feed that was ever polled, by its subscription's key."""
        with self._session() as session:
            rows = session.exec(select(FeedRow).where(col(FeedRow.url) != CLIPPINGS_URL))
            return {row.url: feed_state(row) for row in rows}

    def entry_counts(self) -> dict[str, int]:
        """How many entries are stored of each feed, by its address."""
        with self._session() as session:
            rows = session.exec(
                select(FeedRow.url, func.count(col(EntryRow.id)))
                .join(EntryRow, col(EntryRow.feed_id) == FeedRow.id)
                .group_by(FeedRow.url)
            )
            return dict(rows.all())

    def adopt_addresses(self, keys: Iterable[str]) -> None:
        """Where the operator has put a feed's new address in place of the old: it is one feed."""
        with self._session() as session:
            adopted = select(FeedRow).where(col(FeedRow.move_adopted)).order_by(FeedRow.url)
            moved = session.exec(adopted).all()
            wanted = set(keys) if moved else set()
            known = set(session.exec(select(FeedRow.url))) if moved else set()
            for row in moved:
                new = row.moved_to
                if new and new in wanted - known and row.url not in wanted:
                    row.url, row.moved_to, row.moved_since_at = new, None, None
                    row.moved_count, row.move_adopted = 0, False
                    known.add(new)

    def is_same_feed(self, subscription: Subscription, parsed: ParsedFeed) -> bool:
        """Whether a document is of the feed that we know: its own id, or an entry, is the same.

        Anything is, as long as nothing is known.
        """
        keys = [entry.key for entry in parsed.entries]
        with self._session() as session:
            feed = session.exec(select(FeedRow).where(FeedRow.url == subscription.key)).first()
            if feed is None or feed.first_succeeded_at is None:
                return True
            if parsed.feed.id == feed.atom_id != subscription.key:
                return True
            return any(
                session.exec(
                    select(EntryRow.id)
                    .where(EntryRow.feed_id == feed.id, col(EntryRow.key).in_(chunk))
                    .limit(1)
                ).first()
                for chunk in chunks(keys)
            )

    def save_answer(
        self, subscription: Subscription, parsed: ParsedFeed, state: FeedState,
        events: Sequence[FeedEvent], now: datetime,
    ) -> list[EntryChange]:  # fmt: skip
        """Store a document's entries, and the state with its validators, in one transaction.

        So the validators never vouch for entries that were lost on the way.
        """
        with self._session() as session:
            feed = feed_row(session, subscription)
            describe(feed, parsed.feed)
            feed.first_succeeded_at = feed.first_succeeded_at or now
            feed.sqlmodel_update(state_columns(state))
            session.add_all(map(event_row, events))
            return save_entries(session, feed, parsed.entries, now)

    def save_state(
        self, subscription: Subscription, state: FeedState, events: Sequence[FeedEvent]
    ) -> None:
        """Store what an answer without a document has changed."""
        with self._session() as session:
            feed_row(session, subscription).sqlmodel_update(state_columns(state))
            session.add_all(map(event_row, events))

    def events(self, limit: int) -> list[FeedEvent]:
        """What happened to subscriptions, the latest first."""
        latest = col(FeedEventRow.id).desc()
        with self._session() as session:
            rows = session.exec(select(FeedEventRow).order_by(latest).limit(limit))
            return [feed_event(row) for row in rows]

    def holds(self, now: datetime) -> dict[str, datetime]:
        """The hosts that asked us to wait, and until when."""
        with self._session() as session:
            rows = session.exec(select(HostRow).where(HostRow.not_before > now))
            return {row.name: row.not_before for row in rows}

    def save_hold(self, host: str, not_before: datetime) -> None:
        """Remember that a host asked us to wait."""
        with self._session() as session:
            session.merge(HostRow(name=host, not_before=not_before))

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
