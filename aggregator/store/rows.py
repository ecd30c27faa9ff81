"""Steps of a transaction: what the methods of `Store` do with rows."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from sqlmodel import Session, col, select

from aggregator.model import Copy, Entry, EntryChange, Feed, Match, Role, Subscription
from aggregator.store import tables
from aggregator.store.decide import decide, revise
from aggregator.store.tables import EntryRow, FeedRow, MatchRow

T = TypeVar("T")

IN_ONE_QUERY = 500  # SQLite's limit on variables is 32,766; a short statement is faster


def feed_row(session: Session, subscription: Subscription) -> FeedRow:
    """The row of a subscription, made if need be."""
    feed = session.exec(select(FeedRow).where(FeedRow.url == subscription.key)).first()
    if feed is None:
        feed = FeedRow(
            url=subscription.key,
            role=subscription.role.value,
            atom_id=subscription.key,
            title=subscription.title,
        )
        session.add(feed)
        session.flush()
    feed.role = subscription.role.value
    return feed


def save_entries(
    session: Session, feed: FeedRow, entries: Iterable[Entry], now: datetime
) -> list[EntryChange]:
    """Insert what is new and update what is modified; gives what each entry was."""
    changes = []
    for chunk in chunks(list(entries)):
        keys = [entry.key for entry in chunk]
        known = {
            row.key: row
            for row in session.exec(
                select(EntryRow).where(EntryRow.feed_id == feed.id, col(EntryRow.key).in_(keys))
            )
        }
        for entry in chunk:
            row = known.get(entry.key)
            change = decide(row.content_hash if row else None, entry)
            changes.append(change)
            if row is None:
                columns = tables.entry_columns(entry)
                session.add(
                    EntryRow(feed_id=feed.id or 0, first_seen_at=now, changed_at=now, **columns)
                )
            elif change is EntryChange.MODIFIED:
                revised = revise(tables.entry_of(row), entry, now)
                row.sqlmodel_update(
                    tables.entry_columns(revised) | {"changed_at": now, "vocabulary": None}
                )
    return changes


def describe(row: FeedRow, feed: Feed) -> None:
    """Take over what the publisher says of its feed."""
    row.atom_id, row.title, row.link = feed.id, feed.title, feed.link
    row.language, row.rights = feed.language, feed.rights


def matches_of(session: Session, ids: Sequence[int | None]) -> dict[int, list[Match]]:
    """The matches of these entries, the surest first."""
    found: dict[int, list[Match]] = {}
    for chunk in chunks(ids):
        rows = session.exec(
            select(MatchRow)
            .where(col(MatchRow.entry_id).in_(chunk))
            .order_by(col(MatchRow.score).desc(), MatchRow.tag)
        )
        for row in rows:
            found.setdefault(row.entry_id, []).append(tables.match_of(row))
    return found


def tags_of(session: Session, ids: Sequence[int | None]) -> dict[int, frozenset[str]]:
    """The tags of these entries."""
    return {
        row: frozenset(match.tag for match in matches)
        for row, matches in matches_of(session, ids).items()
    }


def copies_of(session: Session, pages: Sequence[str]) -> list[Copy]:
    """Every stored entry that shows one of these pages."""
    rows = session.exec(
        select(EntryRow.page, EntryRow.atom_id, EntryRow.first_seen_at, EntryRow.feed_id).where(
            col(EntryRow.page).in_(pages)
        )
    ).all()
    feed_ids = {feed_id for *_, feed_id in rows}
    feeds = {
        id: (Role(role), url)
        for id, role, url in session.exec(
            select(FeedRow.id, FeedRow.role, FeedRow.url).where(col(FeedRow.id).in_(feed_ids))
        )
    }
    return [Copy(page or "", id, seen, *feeds[feed_id]) for page, id, seen, feed_id in rows]


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """``items`` in the portions that one query takes."""
    for start in range(0, len(items), IN_ONE_QUERY):
        yield items[start : start + IN_ONE_QUERY]
