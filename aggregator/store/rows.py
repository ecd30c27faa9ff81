"""Steps of a transaction: what the methods of `Store` do with rows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from sqlmodel import Session, col, or_, select, update

from aggregator.identity import mint_id
from aggregator.model import Copy, Entry, EntryChange, Feed, Match, Role, Story, Subscription
from aggregator.store import values
from aggregator.store.decide import (
    MOST_NOISE,
    MOST_REVISIONS,
    decide,
    essence,
    find_twin,
    is_noise,
    is_significant,
    revise,
)
from aggregator.store.tables import (
    ChannelRow,
    EntryRow,
    FeedRow,
    ListingRow,
    MatchRow,
    PageRow,
    StoryRow,
)

T = TypeVar("T")

CLIPPINGS_URL = "clippings:"  # the feed row of the reader's clippings files
IN_ONE_QUERY = 500  # SQLite's limit on variables is 32,766; a short statement is faster


def feed_row(session: Session, subscription: Subscription) -> FeedRow:
    """The row of a subscription, made if need be."""
    return feed_rows(session, [subscription])[subscription.key]


def feed_rows(session: Session, subscriptions: Sequence[Subscription]) -> dict[str, FeedRow]:
    """The rows of subscriptions by their keys, made if need be."""
    feeds: dict[str, FeedRow] = {}
    for chunk in chunks([subscription.key for subscription in subscriptions]):
        held = session.exec(select(FeedRow).where(col(FeedRow.url).in_(chunk)))
        feeds |= {row.url: row for row in held}
    for subscription in subscriptions:
        key, role = subscription.key, subscription.role.value
        if key not in feeds:
            feeds[key] = FeedRow(url=key, role=role, atom_id=key, title=subscription.title)
            session.add(feeds[key])
            session.flush()
        feeds[key].role = role
    return feeds


def save_entries(
    session: Session, feed: FeedRow, entries: Sequence[Entry], now: datetime
) -> list[EntryChange]:
    """Insert what is new and update what is modified; gives what each entry was."""
    known: dict[str, EntryRow] = {}
    for chunk in chunks([entry.key for entry in entries]):
        held = select(EntryRow).where(EntryRow.feed_id == feed.id, col(EntryRow.key).in_(chunk))
        known |= {row.key: row for row in session.exec(held)}
    strangers = [entry for entry in entries if entry.key not in known]
    present = {row.id or 0 for row in known.values()}
    twins = _twins(session, feed, strangers, present)
    changes = []
    for entry in entries:
        row = known.get(entry.key) or twins.get(entry.key)
        if row is None:
            columns = values.entry_columns(_own_page(session, feed, entry))
            new = EntryRow(feed_id=feed.id or 0, first_seen_at=now, changed_at=now, **columns)
            session.add(new)
            changes.append(EntryChange.NEW)
        else:
            row.key = entry.key
            changes.append(_update(session, feed, row, entry, now))
    return changes


def _twins(
    session: Session, feed: FeedRow, strangers: Sequence[Entry], present: set[int]
) -> dict[str, EntryRow]:
    """The stored entries that a publisher now serves under other keys, by the new key.

    ``present`` are those that stand in the document under the keys that we know.
    """
    found: dict[str, EntryRow] = {}
    if feed.first_succeeded_at is None or feed.url == CLIPPINGS_URL:
        return found
    for chunk in chunks(strangers):
        pages = [entry.page for entry in chunk if entry.page]
        titles = [entry.title for entry in chunk]
        rows = {
            row.id: row
            for row in session.exec(
                select(EntryRow)
                .where(
                    EntryRow.feed_id == feed.id,
                    or_(col(EntryRow.page).in_(pages), col(EntryRow.title).in_(titles)),
                )
                .order_by(col(EntryRow.id))
            )
            if row.id and row.id not in present
        }
        gone = {id: values.entry_of(row) for id, row in rows.items()}
        for entry in chunk:
            twin = find_twin(entry, gone.items(), wholesale=not present)
            if twin is not None:
                found[entry.key] = rows[twin]
                del gone[twin]
    return found


def _own_page(session: Session, feed: FeedRow, entry: Entry) -> Entry:
    """``entry``, without its page where that already is another's of the same feed.

    A link that is given to one entry after another ("today") names none of them.
    """
    if entry.page is None or feed.first_succeeded_at is None:
        return entry
    taken = select(EntryRow.id).where(EntryRow.feed_id == feed.id, EntryRow.page == entry.page)
    if session.exec(taken.limit(1)).first() is None:
        return entry
    minted = entry.id == mint_id(feed.url, entry.page, entry.key)
    own = mint_id(feed.url, None, entry.key)
    return replace(entry, page=None, id=own if minted else entry.id)


def _update(
    session: Session, feed: FeedRow, row: EntryRow, entry: Entry, now: datetime
) -> EntryChange:
    # A feed of the reader's own clippings may once have been a subscription: they are kept whole.
    wanted = row.pruned_at is not None and feed.role == Role.CLIPPINGS.value
    change = EntryChange.MODIFIED if wanted else decide(row.content_hash, entry)
    if change is not EntryChange.MODIFIED:
        return change
    old = values.entry_of(row)
    noise = is_noise(old, entry)
    if row.pruned_at:  # only a digest is left of what it said: its title tells what is significant
        noise = row.essence == essence(entry) and not wanted
        old = replace(old, text=entry.text)
    if noise:
        if row.noise == MOST_NOISE:
            return EntryChange.UNCHANGED
        row.noise += 1
    significant = is_significant(old, entry)
    story = session.get(StoryRow, row.story_id) if row.story_id else None
    if significant and story and story.revisions >= MOST_REVISIONS:
        significant = False
    revised = revise(old, entry, now, significant=significant)
    whole = {"changed_at": now, "vocabulary": None, "pruned_at": None, "essence": None}
    row.sqlmodel_update(values.entry_columns(revised) | whole)
    if story:
        if significant:
            story.revisions += 1
            later = free_moment(session, revised.updated or now)
            story.updated = max(story.updated, later)
        mark_stories(session, [story.id or 0], corrected=True)
    return change


def free_moment(session: Session, at: datetime) -> datetime:
    """The last second up to ``at`` that is no other story's ``updated``.

    Feed readers are confused by equal ones in a feed, says the W3C's validator. Where a whole run's
    corrections have taken the seconds before ``at``, they are read a handful at a time, then more.
    """
    most = 4
    while True:
        before = select(StoryRow.updated).where(col(StoryRow.updated) <= at).distinct()
        taken = session.exec(before.order_by(col(StoryRow.updated).desc()).limit(most)).all()
        for moment in taken:
            if moment != at:
                return at
            at -= timedelta(seconds=1)
        if len(taken) < most:
            return at
        most = min(most * 8, IN_ONE_QUERY)


def mark_stories(session: Session, stories: Sequence[int], *, corrected: bool) -> None:
    """The feeds in which these stories stand must be rendered again, in which feeds they stand
    decided again; ``corrected``: the closed months of the archives that hold them too."""
    for chunk in chunks(stories):
        session.exec(update(StoryRow).where(col(StoryRow.id).in_(chunk)).values(unlisted=True))
        theirs = col(ListingRow.story_id).in_(chunk)
        of_theirs = select(ListingRow.channel).where(theirs)
        session.exec(
            update(ChannelRow).where(col(ChannelRow.key).in_(of_theirs)).values(dirty=True)
        )
        if corrected:
            held = select(ListingRow.channel, ListingRow.month).where(theirs).distinct()
            for channel, month in session.exec(held).all():
                mark_page(session, channel, month)


def mark_page(session: Session, channel: str, month: str) -> None:
    """A document of an archive must be rendered again."""
    page = update(PageRow).where(PageRow.channel == channel, PageRow.month == month)  # type: ignore[arg-type]
    session.exec(page.values(dirty=True))


def mark_feeds_of(session: Session, feed: FeedRow) -> None:
    """The live feeds that hold something of ``feed`` must be rendered again."""
    theirs = (
        select(ListingRow.channel)
        .join(EntryRow, col(EntryRow.story_id) == ListingRow.story_id)
        .where(EntryRow.feed_id == feed.id, col(ListingRow.live))
    )
    session.exec(update(ChannelRow).where(col(ChannelRow.key).in_(theirs)).values(dirty=True))


def describe(row: FeedRow, feed: Feed) -> bool:
    """Take over what the publisher says of its feed; gives whether it said something else."""
    changed = values.feed_of(row) != feed
    row.dirty = row.dirty or changed
    row.atom_id, row.title, row.link = feed.id, feed.title, feed.link
    row.language, row.rights = feed.language, feed.rights
    return changed


def matches_of(session: Session, ids: Sequence[int | None]) -> dict[int, list[Match]]:
    """The matches of these entries, the surest first, and those that nearly are."""
    found: dict[int, list[Match]] = {}
    for chunk in chunks(ids):
        rows = session.exec(
            select(MatchRow)
            .where(col(MatchRow.entry_id).in_(chunk))
            .order_by(col(MatchRow.score).desc(), MatchRow.tag)
        )
        for row in rows:
            found.setdefault(row.entry_id, []).append(values.match_of(row))
    return found


def stories_of(
    session: Session, rows: Sequence[StoryRow], feed_url: str | None = None
) -> list[Story]:
    """These stories whole, in their order, or as the feed of ``feed_url`` tells them.

    Copies are in an order that no machine's clock decides.
    """
    copies: dict[int, list[Copy]] = {}
    for chunk in chunks([row.id or 0 for row in rows]):
        found = session.exec(
            select(EntryRow, FeedRow)
            .join(FeedRow, col(EntryRow.feed_id) == FeedRow.id)
            .where(col(EntryRow.story_id).in_(chunk), feed_url is None or FeedRow.url == feed_url)
            .order_by(FeedRow.url, EntryRow.key)
        ).all()
        matches = matches_of(session, [entry.id for entry, _ in found])
        for entry, feed in found:
            copy = Copy(values.stored_entry(entry, feed), tuple(matches.get(entry.id or 0, ())))
            copies.setdefault(entry.story_id or 0, []).append(copy)
    return [
        Story(row.id or 0, row.atom_id, row.updated, tuple(copies.get(row.id or 0, ())), row.listed)
        for row in rows
    ]


def chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """``items`` in the portions that one query takes."""
    for start in range(0, len(items), IN_ONE_QUERY):
        yield items[start : start + IN_ONE_QUERY]
