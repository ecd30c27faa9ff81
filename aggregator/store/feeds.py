"""Feeds with their polling states and events, and the hosts that asked us to wait."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

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
    AnyRow,
    Values,
    chunks,
    execute,
    fetch_all,
    mark_channels,
    replace_row,
    update_each,
)
from aggregator.store.tables import (
    CHANNEL_STORIES,
    DOCUMENTS,
    ENTRIES,
    EVENTS,
    FEEDS,
    HOST_HOLDS,
)
from aggregator.store.upsert import save_entries

_SELECT_DOCUMENT = (
    select(DOCUMENTS)
    .join(FEEDS, FEEDS.c.id == DOCUMENTS.c.feed_id)
    .where(FEEDS.c.url == bindparam("key"))
)
# The page of a source shows these columns.
_SHOWN_COLUMNS = (
    "failing_since_at",
    "last_error",
    "gone_confirmed",
    "is_silent",
    "warning",
    "notes",
)
NEW_FEED: Values = {
    "entries": 0, "next_poll_reason": "", "hints": {}, "failures": 0, "operator_notified": False,
    "gone_confirmed": False, "moved_count": 0, "move_adopted": False, "is_silent": False,
    "dirty": True, "rendered": "", "reader_version": 0,
}  # fmt: skip


class FeedStore:
    """Reads and writes feeds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def states(self, keys: Collection[str] | None = None) -> dict[str, FeedState]:
        """The states of all polled feeds, or of those with these keys, by subscription key."""
        with self._database.connect() as connection:
            if keys is None:
                rows = fetch_all(connection, select(FEEDS).where(FEEDS.c.url != CLIPPINGS_URL))
            else:
                rows = _rows_by_url(connection, list(keys))
            return {row.url: feed_state(row) for row in rows}

    def entry_counts(self) -> dict[str, int]:
        """The number of stored entries of each polled feed, by subscription key."""
        is_polled = or_(FEEDS.c.url != CLIPPINGS_URL, FEEDS.c.entries > 0)
        query = select(FEEDS.c.url, FEEDS.c.entries).where(is_polled)
        with self._database.connect() as connection:
            return {row.url: row.entries for row in fetch_all(connection, query)}

    def adopt_moved_addresses(self, keys: Iterable[str]) -> None:
        """Keep the history of a feed whose new address now replaces the old one in feeds.toml."""
        query = select(FEEDS).where(FEEDS.c.move_adopted).order_by(FEEDS.c.url)
        with self._database.transaction() as connection:
            moved = fetch_all(connection, query)
            if not moved:
                return
            configured = set(keys)
            stored = {row.url for row in fetch_all(connection, select(FEEDS.c.url))}
            for row in moved:
                new = row.moved_to
                if new and new in configured - stored and row.url not in configured:
                    values: Values = {
                        "url": new, "moved_to": None, "moved_since_at": None, "moved_count": 0,
                        "move_adopted": False,
                    }  # fmt: skip
                    execute(connection, update(FEEDS).where(FEEDS.c.id == row.id).values(values))
                    stored.add(new)

    def is_same_feed(self, subscription: Subscription, parsed: ParsedFeed) -> bool:
        """Whether a document belongs to the stored feed: its id or one of its entries is the same.

        True as long as nothing is stored.
        """
        with self._database.connect() as connection:
            rows = _rows_by_url(connection, [subscription.key])
            if not rows or rows[0].first_succeeded_at is None:
                return True
            (feed,) = rows
            if parsed.feed.id == feed.atom_id != subscription.key:
                return True
            own = select(ENTRIES.c.id).where(ENTRIES.c.feed_id == feed.id).limit(1)
            return any(
                connection.execute(own.where(ENTRIES.c.key.in_(batch))).first()
                for batch in chunks(parsed.keys)
            )

    def last_document(self, subscription: Subscription) -> SeenDocument | None:
        """The entries of the last document, for incremental parsing; None if it was odd."""
        with self._database.connect() as connection:
            row = connection.execute(_SELECT_DOCUMENT, {"key": subscription.key}).first()
            return SeenDocument(row.context, row.entries) if row else None

    def save_answers(
        self, answers: Sequence[ParsedAnswer], now: datetime
    ) -> list[list[EntryChange]]:
        """Store entries, states and validators of documents; return the changes of each document.

        One transaction: validators are never stored without their entries.
        """
        with self._database.transaction() as connection:
            feeds_by_key = _load_or_create(connection, [a.subscription for a in answers])
            feeds = [feeds_by_key[answer.subscription.key] for answer in answers]
            documents = [
                Document(
                    feed,
                    answer.parsed.entries,
                    [entry.key for entry in answer.parsed.known],
                    answer.subscription.role is not Role.SUBSCRIPTION,
                    is_reread=feed.first_succeeded_at is not None
                    and feed.reader_version != answer.state.reader_version,
                )
                for feed, answer in zip(feeds, answers, strict=True)
            ]
            changes = save_entries(connection, documents, now)
            rows = [
                _answered_columns(connection, feed, answer, feed_changes, now)
                for feed, answer, feed_changes in zip(feeds, answers, changes, strict=True)
            ]
            _update_feeds(connection, rows)
            _insert_events(connection, (answer.events for answer in answers))
            _save_documents(connection, feeds, answers)
            return changes

    def save_states(
        self, updates: Sequence[tuple[Subscription, FeedState, Sequence[FeedEvent]]]
    ) -> None:
        """Store the effects of answers without a document."""
        with self._database.transaction() as connection:
            feeds = _load_or_create(connection, [subscription for subscription, *_ in updates])
            rows = [_state_columns(feeds[s.key], s, state, events) for s, state, events in updates]
            _update_feeds(connection, rows)
            _insert_events(connection, (events for *_, events in updates))

    def events(self, limit: int) -> list[FeedEvent]:
        """The latest events of all subscriptions but private ones, latest first."""
        private = select(FEEDS.c.url).where(FEEDS.c.role == Role.PRIVATE_CLIPPINGS.value)
        public = select(EVENTS).where(EVENTS.c.key.not_in(private))
        query = public.order_by(EVENTS.c.id.desc()).limit(limit)
        with self._database.connect() as connection:
            return [feed_event(row) for row in fetch_all(connection, query)]

    def event_histories(self, keys: Sequence[str], limit: int) -> dict[str, list[FeedEvent]]:
        """The latest events of each of these subscriptions, latest first."""
        histories: dict[str, list[FeedEvent]] = {}
        with self._database.connect() as connection:
            for batch in chunks(keys):
                query = select(EVENTS).where(EVENTS.c.key.in_(batch)).order_by(EVENTS.c.id.desc())
                for row in fetch_all(connection, query):
                    history = histories.setdefault(row.key, [])
                    if len(history) < limit:
                        history.append(feed_event(row))
        return histories

    def host_holds(self, now: datetime) -> dict[str, datetime]:
        """The hosts that asked us to wait, and until when."""
        query = select(HOST_HOLDS).where(HOST_HOLDS.c.not_before > now)
        with self._database.connect() as connection:
            return {row.name: row.not_before for row in fetch_all(connection, query)}

    def save_host_hold(self, host: str, not_before: datetime) -> None:
        """A host asked us to wait."""
        with self._database.transaction() as connection:
            replace_row(connection, HOST_HOLDS, {"name": host, "not_before": not_before})


def _rows_by_url(connection: Connection, urls: Sequence[str]) -> list[AnyRow]:
    return [
        row
        for batch in chunks(urls)
        for row in fetch_all(connection, select(FEEDS).where(FEEDS.c.url.in_(batch)))
    ]


def _load_or_create(
    connection: Connection, subscriptions: Sequence[Subscription]
) -> dict[str, AnyRow]:
    """The feed rows of subscriptions by key; new rows are inserted."""
    rows = {row.url: row for row in _rows_by_url(connection, [s.key for s in subscriptions])}
    new = [
        {"url": s.key, "role": s.role.value, "atom_id": s.key, "title": s.title} | NEW_FEED
        for s in subscriptions
        if s.key not in rows
    ]
    execute(connection, insert(FEEDS), new)
    return rows | {row.url: row for row in _rows_by_url(connection, [feed["url"] for feed in new])}


def _answered_columns(
    connection: Connection,
    feed: AnyRow,
    answer: ParsedAnswer,
    changes: Sequence[EntryChange],
    now: datetime,
) -> Values:
    """The columns of a feed after a document; its channels become dirty if its title etc. changed."""
    is_described_anew = convert.feed_from_row(feed) != answer.parsed.feed
    if is_described_anew and feed.first_succeeded_at:
        channels = (
            select(CHANNEL_STORIES.c.channel)
            .join(ENTRIES, ENTRIES.c.story_id == CHANNEL_STORIES.c.story_id)
            .where(ENTRIES.c.feed_id == feed.id, CHANNEL_STORIES.c.live)
        )
        mark_channels(connection, channels)
    return (
        _state_columns(
            feed, answer.subscription, answer.state, answer.events, dirty=is_described_anew
        )
        | convert.feed_columns(answer.parsed.feed)
        | {
            "first_succeeded_at": feed.first_succeeded_at or now,
            "entries": feed.entries + changes.count(EntryChange.NEW),
        }
    )


def _state_columns(
    feed: AnyRow,
    subscription: Subscription,
    state: FeedState,
    events: Sequence[FeedEvent],
    *,
    dirty: bool = False,
) -> Values:
    """The columns with a new state. The source's page is dirty if it shows something new."""
    columns = state_columns(state)
    shows_change = bool(events) or _shown_values(feed._asdict()) != _shown_values(columns)
    page = {"id": feed.id, "role": subscription.role.value, "dirty": dirty or shows_change}
    return columns | page


def _shown_values(state: Mapping[str, Any]) -> tuple[object, ...]:
    moved_to = state["moved_to"] if state["move_adopted"] else None
    return moved_to, *(state[name] for name in _SHOWN_COLUMNS)


def _update_feeds(connection: Connection, rows: Sequence[Values]) -> None:
    """Update feeds. A page that is dirty already stays dirty: new entries may have made it so."""
    update_each(connection, FEEDS, rows, dirty=or_(FEEDS.c.dirty, bindparam("new_dirty")))


def _insert_events(connection: Connection, events: Iterable[Sequence[FeedEvent]]) -> None:
    rows = [event_columns(event) for feed_events in events for event in feed_events]
    execute(connection, insert(EVENTS), rows)


def _save_documents(
    connection: Connection, feeds: Sequence[AnyRow], answers: Sequence[ParsedAnswer]
) -> None:
    """Store what the documents contained; nothing of an odd document."""
    ids = [feed.id for feed in feeds]
    execute(connection, delete(DOCUMENTS).where(DOCUMENTS.c.feed_id.in_(ids)))
    rows = [
        {"feed_id": feed.id} | asdict(answer.parsed.seen)
        for feed, answer in zip(feeds, answers, strict=True)
        if answer.parsed.seen is not None
    ]
    execute(connection, insert(DOCUMENTS), rows)
