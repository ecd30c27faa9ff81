"""Runs, feeds, their states and events."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session, col, func, select, update

from aggregator.model import EntryChange, FeedEvent, FeedState, ParsedFeed, Subscription
from aggregator.store.connection import Connection
from aggregator.store.rows import (
    CLIPPINGS_URL,
    chunks,
    describe,
    feed_row,
    feed_rows,
    mark_feeds_of,
    save_entries,
)
from aggregator.store.states import event_row, feed_event, feed_state, state_columns
from aggregator.store.tables import EntryRow, FeedEventRow, FeedRow, HostRow, RunRow


class FeedStore(Connection):
    """What polling reads and writes."""

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
            if describe(feed, parsed.feed):
                mark_feeds_of(session, feed)
            changes = save_entries(session, feed, parsed.entries, now)
            feed.first_succeeded_at = feed.first_succeeded_at or now
            _take(session, feed, state, events)
            feed.dirty = feed.dirty or any(c is not EntryChange.UNCHANGED for c in changes)
            return changes

    def save_states(
        self, saved: Sequence[tuple[Subscription, FeedState, Sequence[FeedEvent]]]
    ) -> None:
        """Store what answers without a document have changed."""
        with self._session() as session:
            feeds = feed_rows(session, [subscription for subscription, *_ in saved])
            for subscription, state, events in saved:
                _take(session, feeds[subscription.key], state, events)

    def events(self, limit: int, key: str | None = None) -> list[FeedEvent]:
        """What happened to subscriptions, or to the one of ``key``, the latest first."""
        wanted = select(FeedEventRow).order_by(col(FeedEventRow.id).desc()).limit(limit)
        if key is not None:
            wanted = wanted.where(FeedEventRow.key == key)
        with self._session() as session:
            return [feed_event(row) for row in session.exec(wanted)]

    def holds(self, now: datetime) -> dict[str, datetime]:
        """The hosts that asked us to wait, and until when."""
        with self._session() as session:
            rows = session.exec(select(HostRow).where(HostRow.not_before > now))
            return {row.name: row.not_before for row in rows}

    def save_hold(self, host: str, not_before: datetime) -> None:
        """Remember that a host asked us to wait."""
        with self._session() as session:
            session.merge(HostRow(name=host, not_before=not_before))


def _take(session: Session, feed: FeedRow, state: FeedState, events: Sequence[FeedEvent]) -> None:
    """Take over a state and what is news of it; the page of the source is dirty if what it says
    has changed."""
    before = _said_of(feed)
    feed.sqlmodel_update(state_columns(state))
    session.add_all(map(event_row, events))
    feed.dirty = feed.dirty or bool(events) or before != _said_of(feed)


def _said_of(feed: FeedRow) -> tuple[object, ...]:
    moved = feed.moved_to if feed.move_adopted else None
    return feed.failing_since_at, feed.last_error, feed.ended, moved, feed.silent, feed.warning
