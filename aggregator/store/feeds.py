"""Feeds, their states and events, and the hosts that asked us to wait."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert
from sqlalchemy import select as columns
from sqlmodel import Session, col, or_, select

from aggregator.model import (
    EntryChange,
    FeedEvent,
    FeedState,
    ParsedAnswer,
    ParsedFeed,
    Role,
    SeenDocument,
    Subscription,
)
from aggregator.store import convert
from aggregator.store.connection import Database
from aggregator.store.convert_state import event_columns, feed_event, feed_state, state_columns
from aggregator.store.lookup import Document
from aggregator.store.rows import (
    CLIPPINGS_URL,
    chunks,
    mark_channels_of_feed,
    read,
    update_each,
    write,
)
from aggregator.store.tables import (
    DOCUMENTS,
    EVENTS,
    FEEDS,
    EntryRow,
    FeedEventRow,
    FeedRow,
    HostHoldRow,
)
from aggregator.store.upsert import save_entries


class FeedStore:
    """What polling reads and writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self, keys: Collection[str] | None = None) -> dict[str, FeedState]:
        """What is known of every feed that was ever polled, or of those of these ``keys``, by its
        subscription's key."""
        with self._database.transaction() as session:
            if keys is None:
                rows = read(session, columns(FEEDS).where(FEEDS.c.url != CLIPPINGS_URL))
            else:
                rows = [row for some in chunks(list(keys)) for row in _by_url(session, some)]
            return {row.url: feed_state(row) for row in rows}

    def entry_counts(self) -> dict[str, int]:
        """How many entries are stored of each feed that was ever polled, by its address."""
        with self._database.transaction() as session:
            known = or_(FeedRow.url != CLIPPINGS_URL, FeedRow.entries > 0)
            return dict(session.exec(select(FeedRow.url, FeedRow.entries).where(known)).all())

    def adopt_moved_addresses(self, keys: Iterable[str]) -> None:
        """Where the operator has put a feed's new address in place of the old: it is one feed."""
        with self._database.transaction() as session:
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
        with self._database.transaction() as session:
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
                for chunk in chunks(parsed.keys)
            )

    def last_document(self, subscription: Subscription) -> SeenDocument | None:
        """What its last document held, if that is known."""
        with self._database.connect() as connection:
            found = connection.execute(_SEEN, {"key": subscription.key}).first()
            return SeenDocument(found.context, found.entries) if found else None

    def save_answers(
        self, answers: Sequence[ParsedAnswer], now: datetime
    ) -> list[list[EntryChange]]:
        """Store documents' entries, and the states with their validators, in one transaction.

        So the validators never vouch for entries that were lost on the way.
        """
        with self._database.transaction() as session:
            feeds = _feeds(session, [reading.subscription for reading in answers])
            rows = [feeds[reading.subscription.key] for reading in answers]
            changes = save_entries(
                session,
                [
                    Document(
                        feed,
                        reading.parsed.entries,
                        [entry.key for entry in reading.parsed.known],
                        reading.subscription.role is Role.CLIPPINGS,
                    )
                    for feed, reading in zip(rows, answers, strict=True)
                ],
                now,
            )
            saved = []
            for feed, reading, told in zip(rows, answers, changes, strict=True):
                described = convert.feed_from_row(feed) != reading.parsed.feed
                if described and feed.first_succeeded_at:
                    mark_channels_of_feed(session, feed.id)
                saved.append(
                    _taken(feed, reading.subscription, reading.state, reading.events, described)
                    | convert.feed_columns(reading.parsed.feed)
                    | {
                        "first_succeeded_at": feed.first_succeeded_at or now,
                        "entries": feed.entries + told.count(EntryChange.NEW),
                    }
                )
            _update(session, saved)
            write(session, insert(EVENTS), _events(reading.events for reading in answers))
            _remember(session, rows, answers)
            return changes

    def save_states(
        self, saved: Sequence[tuple[Subscription, FeedState, Sequence[FeedEvent]]]
    ) -> None:
        """Store what answers without a document have changed."""
        with self._database.transaction() as session:
            feeds = _feeds(session, [subscription for subscription, *_ in saved])
            _update(
                session,
                [_taken(feeds[s.key], s, state, events) for s, state, events in saved],
            )
            write(session, insert(EVENTS), _events(events for *_, events in saved))

    def events(self, limit: int) -> list[FeedEvent]:
        """What happened to subscriptions, the latest first."""
        wanted = select(FeedEventRow).order_by(col(FeedEventRow.id).desc()).limit(limit)
        with self._database.transaction() as session:
            return [feed_event(row) for row in session.exec(wanted)]

    def event_histories(self, keys: Sequence[str], limit: int) -> dict[str, list[FeedEvent]]:
        """What happened to each of these subscriptions, the latest first."""
        found: dict[str, list[FeedEvent]] = {}
        with self._database.transaction() as session:
            for chunk in chunks(keys):
                theirs = columns(EVENTS).where(EVENTS.c.key.in_(chunk))
                for row in read(session, theirs.order_by(EVENTS.c.id.desc())):
                    history = found.setdefault(row.key, [])
                    if len(history) < limit:
                        history.append(feed_event(row))
        return found

    def host_holds(self, now: datetime) -> dict[str, datetime]:
        """The hosts that asked us to wait, and until when."""
        with self._database.transaction() as session:
            rows = session.exec(select(HostHoldRow).where(HostHoldRow.not_before > now))
            return {row.name: row.not_before for row in rows}

    def save_host_hold(self, host: str, not_before: datetime) -> None:
        """Remember that a host asked us to wait."""
        with self._database.transaction() as session:
            session.merge(HostHoldRow(name=host, not_before=not_before))


def _feeds(session: Session, subscriptions: Sequence[Subscription]) -> dict[str, Any]:
    """The rows of subscriptions by their keys, made if need be."""
    keys = [subscription.key for subscription in subscriptions]
    held = {row.url: row for chunk in chunks(keys) for row in _by_url(session, chunk)}
    new = [
        {"url": s.key, "role": s.role.value, "atom_id": s.key, "title": s.title} | _NOTHING_KNOWN
        for s in subscriptions
        if s.key not in held
    ]
    if new:
        write(session, insert(FEEDS), new)
        for chunk in chunks([row["url"] for row in new]):
            held |= {row.url: row for row in _by_url(session, chunk)}
    return held


def _by_url(session: Session, urls: Sequence[Any]) -> Sequence[Any]:
    return read(session, columns(FEEDS).where(FEEDS.c.url.in_(urls)))


def _taken(
    feed: Any, subscription: Subscription, state: FeedState, events: Sequence[FeedEvent],
    described: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The columns of a feed that take over a state; its page is dirty if what that says has changed,
    or what the publisher says of it (``described``)."""
    taken = state_columns(state)
    told = bool(events) or _said(feed._mapping) != _said(taken)
    return taken | {"id": feed.id, "role": subscription.role.value, "dirty": described or told}


def _said(state: Mapping[str, Any]) -> tuple[object, ...]:
    moved = state["moved_to"] if state["move_adopted"] else None
    return moved, *(state[name] for name in _SAID)


def _update(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Give feeds new columns. What is dirty stays it: entries that were stored a moment ago may have
    made it so."""
    update_each(session, FEEDS, rows, dirty=or_(FEEDS.c.dirty, bindparam("new_dirty")))


def _events(every: Iterable[Sequence[FeedEvent]]) -> list[dict[str, Any]]:
    return [event_columns(event) for events in every for event in events]


def _remember(session: Session, feeds: Sequence[Any], answers: Sequence[ParsedAnswer]) -> None:
    """Keep what the documents held; of an odd one, nothing."""
    write(session, delete(DOCUMENTS).where(DOCUMENTS.c.feed_id.in_([feed.id for feed in feeds])))
    seen = [
        {"feed_id": feed.id} | asdict(reading.parsed.seen)
        for feed, reading in zip(feeds, answers, strict=True)
        if reading.parsed.seen is not None
    ]
    write(session, insert(DOCUMENTS), seen)


_SEEN = (
    columns(DOCUMENTS)
    .join(FEEDS, FEEDS.c.id == DOCUMENTS.c.feed_id)
    .where(FEEDS.c.url == bindparam("key"))
)
_SAID = ("failing_since_at", "last_error", "gone_confirmed", "is_silent", "warning")
_NOTHING_KNOWN = {
    "entries": 0, "next_poll_reason": "", "hints": {}, "failures": 0, "operator_notified": False, "gone_confirmed": False,
    "moved_count": 0, "move_adopted": False, "is_silent": False, "dirty": True, "rendered": "",
}  # fmt: skip
