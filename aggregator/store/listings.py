"""Output feeds, the stories that stand in them, and what must be rendered again."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlmodel import Session, col, delete, func, or_, select, update

from aggregator.folding import slugs
from aggregator.identity import mint_id
from aggregator.model import Channel, ChannelKind, Placing, Story
from aggregator.store import tables
from aggregator.store.connection import Connection
from aggregator.store.rows import IN_ONE_QUERY, chunks, stories_of
from aggregator.store.tables import (
    ChannelRow,
    EntryRow,
    FeedRow,
    ListingRow,
    PageRow,
    PingRow,
    StoryRow,
)

MOST_IN_A_DOCUMENT = 300
_MONTH_LENGTH = len("2026-11")


class ListingStore(Connection):
    """What publishing reads and writes."""

    # -- in which feeds stories stand ----------------------------------------------------------

    def save_channels(
        self, wanted: Mapping[str, tuple[ChannelKind, str]], site_url: str, now: datetime
    ) -> None:
        """Remember new output feeds, and which have ended or are back.

        A feed's id is made from the site's address at its first time, and stays when that moves.
        """
        with self._session() as session:
            held = {row.key: row for row in session.exec(select(ChannelRow))}
            names = {
                key: key.partition(":")[2] for key, (kind, _) in wanted.items()
                if kind is not ChannelKind.OWN
            }  # fmt: skip
            known = {key: row.slug for key, row in held.items()}
            known |= {key: name for key, (kind, name) in wanted.items() if kind is ChannelKind.OWN}
            given = slugs(names, known)
            for key, (kind, name) in wanted.items():
                row = held.get(key)
                if row is None:
                    slug = given[key]
                    row = ChannelRow(
                        key=key, kind=kind.value, name=name, slug=slug,
                        feed_id=mint_id(site_url, None, slug), first_seen_at=now,
                    )  # fmt: skip
                    session.add(row)
                elif row.name != name or row.ended_at or row.pruned:
                    row.name, row.ended_at, row.pruned, row.dirty = name, None, False, True
            for key, row in held.items():
                if key not in wanted and row.ended_at is None:
                    row.ended_at, row.dirty = now, True

    def unlisted(self) -> Iterator[tuple[Story, frozenset[str]]]:
        """The stories whose place must be decided again, with the channels they now stand in."""
        last = 0
        while True:
            with self._session() as session:
                rows = session.exec(
                    select(StoryRow)
                    .where(col(StoryRow.unlisted), col(StoryRow.id) > last)
                    .order_by(col(StoryRow.id))
                    .limit(IN_ONE_QUERY)
                ).all()
                held = defaultdict(set)
                ids = [row.id for row in rows]
                listed = select(ListingRow.story_id, ListingRow.channel)
                for story, channel in session.exec(listed.where(col(ListingRow.story_id).in_(ids))):
                    held[story].add(channel)
                found = stories_of(session, rows)
            if not found:
                return
            yield from ((story, frozenset(held[story.row])) for story in found)
            last = found[-1].row

    def save_placings(
        self, placings: Sequence[Placing], live: Collection[tuple[str, int]], now: datetime
    ) -> None:
        """Let stories enter and leave, in one transaction; ``live`` says (channel, story) of those
        that may stand in a live feed.

        A story stands in the archive of its month, or, where a later month was begun, in that:
        closed documents never change for what was found late. One that holds 300 is closed too, so
        that what is written for one story is bounded.
        """
        with self._session() as session:
            archive = _Archive(session)
            touched: set[str] = set()
            for placing in sorted(placings, key=lambda p: (p.date, p.id)):
                touched |= placing.enters | placing.leaves
                if placing.leaves:
                    theirs = ListingRow.story_id == placing.story
                    leaving = col(ListingRow.channel).in_(placing.leaves)
                    for row in session.exec(select(ListingRow).where(theirs, leaving)).all():
                        archive.withdraw(row.channel, row.month)
                        session.delete(row)
                for channel in sorted(placing.enters):
                    session.add(
                        ListingRow(
                            channel=channel, story_id=placing.story,
                            month=archive.enter(channel, placing.date),
                            live=(channel, placing.story) in live, listed_at=now,
                        )
                    )  # fmt: skip
            for keys in chunks(sorted(touched)):
                dirty = update(ChannelRow).where(col(ChannelRow.key).in_(keys))
                session.exec(dirty.values(dirty=True))
            for stories in chunks([placing.story for placing in placings]):
                settled = update(StoryRow).where(col(StoryRow.id).in_(stories))
                session.exec(settled.values(unlisted=False, listed=True))

    # -- what is published ---------------------------------------------------------------------

    def channels(self) -> list[Channel]:
        """Every output feed that has or should have files, in the order of their keys."""
        with self._session() as session:
            rows = session.exec(
                select(ChannelRow).where(~col(ChannelRow.pruned)).order_by(ChannelRow.key)
            )
            return [tables.channel_of(row) for row in rows]

    def dirty_channels(self, rendered: Mapping[str, str]) -> set[str]:
        """The channels to be rendered again; ``rendered`` are digests of today's settings."""
        with self._session() as session:
            rows = session.exec(select(ChannelRow.key, ChannelRow.dirty, ChannelRow.rendered))
            return {key for key, dirty, was in rows if dirty or was != rendered.get(key, was)}

    def pages(self) -> dict[str, list[tuple[str, bool, str]]]:
        """Every document of the archives: month, whether it is dirty, and the address under which
        it was rendered; by channel, in the order of time."""
        found: defaultdict[str, list[tuple[str, bool, str]]] = defaultdict(list)
        columns = select(PageRow.channel, PageRow.month, PageRow.dirty, PageRow.rendered)
        with self._session() as session:
            rows = session.exec(columns.order_by(PageRow.channel, PageRow.month))
            for channel, month, dirty, rendered in rows:
                found[channel].append((month, dirty, rendered))
        return found

    def window(self, channel: str, limit: int) -> list[Story]:
        """The stories that entered a live feed last, those first that are newest."""
        return self._listed(channel, limit, col(ListingRow.live))

    def month(self, channel: str, month: str) -> list[Story]:
        """The stories of a month of a channel's archive."""
        return self._listed(channel, None, ListingRow.month == month)

    def _listed(self, channel: str, limit: int | None, condition: object) -> list[Story]:
        with self._session() as session:
            rows = session.exec(
                select(StoryRow)
                .join(ListingRow, col(ListingRow.story_id) == StoryRow.id)
                .where(ListingRow.channel == channel, condition)  # type: ignore[arg-type]
                .order_by(
                    col(ListingRow.listed_at).desc(), col(StoryRow.updated).desc(), StoryRow.atom_id
                )
                .limit(limit)
            ).all()
            return stories_of(session, rows)

    def newest(self, limit: int, *, before: int | None = None) -> list[Story]:
        """The stories stored last, newest first; ``before`` is a `Story.row` to go on from."""
        with self._session() as session:
            rows = select(StoryRow).order_by(col(StoryRow.id).desc()).limit(limit)
            if before is not None:
                rows = rows.where(col(StoryRow.id) < before)
            return stories_of(session, session.exec(rows).all())

    def newest_of_feed(self, key: str, limit: int) -> list[Story]:
        """The newest stories that a subscription told."""
        with self._session() as session:
            rows = session.exec(
                select(StoryRow)
                .where(
                    col(StoryRow.id).in_(
                        select(EntryRow.story_id)
                        .join(FeedRow, col(FeedRow.id) == EntryRow.feed_id)
                        .where(FeedRow.url == key)
                        .order_by(tables.entry_date().desc(), EntryRow.key)
                        .limit(limit)
                    )
                )
                .order_by(col(StoryRow.updated).desc(), StoryRow.atom_id)
            ).all()
            return stories_of(session, rows)

    def places(self, stories: Iterable[int]) -> dict[int, list[str]]:
        """The channels in which these stories stand."""
        found: defaultdict[int, list[str]] = defaultdict(list)
        with self._session() as session:
            for ids in chunks(sorted(stories)):
                rows = session.exec(
                    select(ListingRow.story_id, ListingRow.channel)
                    .where(col(ListingRow.story_id).in_(ids))
                    .order_by(ListingRow.channel)
                )
                for story, channel in rows:
                    found[story].append(channel)
        return found

    def counts(self) -> dict[str, dict[str, int]]:
        """How many stories stand in each month of each channel."""
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        with self._session() as session:
            rows = session.exec(
                select(PageRow.channel, PageRow.month, PageRow.stories).order_by(
                    PageRow.channel, PageRow.month
                )
            )
            for channel, page, number in rows:
                month = page[:_MONTH_LENGTH]
                found[channel][month] = found[channel].get(month, 0) + number
        return found

    def neighbours(self, channel: str, limit: int) -> list[tuple[str, int]]:
        """The tags that share most stories with this one, and how many."""
        with self._session() as session:
            shared = select(ListingRow.story_id).where(ListingRow.channel == channel)
            number = func.count()
            rows = session.exec(
                select(ListingRow.channel, number)
                .join(ChannelRow, col(ChannelRow.key) == ListingRow.channel)
                .where(
                    col(ListingRow.story_id).in_(shared),
                    ListingRow.channel != channel,
                    ChannelRow.kind == ChannelKind.TAG.value,
                    col(ChannelRow.ended_at).is_(None),
                )
                .group_by(ListingRow.channel)
                .order_by(number.desc(), ListingRow.channel)
                .limit(limit)
            )
            return [(key, count) for key, count in rows]

    def dirty_feeds(self, rendered: str) -> set[str]:
        """The subscriptions whose own page is to be rendered again; ``rendered`` is a digest of
        today's settings."""
        stale = or_(col(FeedRow.dirty), FeedRow.rendered != rendered)
        with self._session() as session:
            return set(session.exec(select(FeedRow.url).where(stale)))

    def save_rendered(
        self, channels: Mapping[str, str], pages: Mapping[tuple[str, str], str],
        feeds: Mapping[str, str],
    ) -> None:  # fmt: skip
        """What was asked for is written: ``channels`` with the digests of their settings, ``pages``
        with their addresses, ``feeds`` with the digests of theirs."""
        with self._session() as session:
            for key, rendered in channels.items():
                done = update(ChannelRow).where(ChannelRow.key == key)  # type: ignore[arg-type]
                session.exec(done.values(dirty=False, rendered=rendered))
            for (channel, month), address in pages.items():
                page = session.get(PageRow, (channel, month))
                if page:
                    page.dirty, page.rendered = False, address
            for url, digest in feeds.items():
                clean = update(FeedRow).where(FeedRow.url == url)  # type: ignore[arg-type]
                session.exec(clean.values(dirty=False, rendered=digest))

    def save_pings(self, urls: Iterable[str]) -> None:
        """The hub is to be told that these changed."""
        with self._session() as session:
            for url in urls:
                session.merge(PingRow(url=url))

    def pings(self) -> list[str]:
        """The addresses of which the hub is yet to be told."""
        with self._session() as session:
            return list(session.exec(select(PingRow.url).order_by(PingRow.url)))

    def pinged(self, url: str) -> None:
        """The hub was told."""
        with self._session() as session:
            session.exec(delete(PingRow).where(col(PingRow.url) == url))

    def prune(self) -> list[Channel]:
        """Take what has ended out of the store, but for its slug and id; gives what it was."""
        with self._session() as session:
            rows = session.exec(
                select(ChannelRow)
                .where(col(ChannelRow.ended_at).is_not(None), ~col(ChannelRow.pruned))
                .order_by(ChannelRow.key)
            ).all()
            for row in rows:
                row.pruned, row.dirty = True, False
                session.exec(delete(ListingRow).where(col(ListingRow.channel) == row.key))
                session.exec(delete(PageRow).where(col(PageRow.channel) == row.key))
            return [tables.channel_of(row) for row in rows]


class _Archive:
    """The documents of all archives, while stories enter them in the order of their dates."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open: dict[str, PageRow] = {}  # the latest of each channel
        latest = select(PageRow.channel, func.max(PageRow.month)).group_by(PageRow.channel)
        for channel, month in session.exec(latest).all():
            self._open[channel] = _existing(session, channel, month)

    def enter(self, channel: str, date: datetime) -> str:
        """Where a story of this date goes; the document before a new one now has a next."""
        month = f"{date:%Y-%m}"
        page = self._open.get(channel)
        if page is None or month > page.month[:_MONTH_LENGTH]:
            page = self._begin(channel, month, page)
        elif page.stories >= MOST_IN_A_DOCUMENT:
            month, _, part = page.month.partition(".")
            page = self._begin(channel, f"{month}.{int(part or 1) + 1:03}", page)
        page.stories += 1
        page.dirty = True
        return page.month

    def withdraw(self, channel: str, month: str) -> None:
        """A story leaves the document."""
        page = self._open.get(channel)
        if page is None or page.month != month:
            page = _existing(self._session, channel, month)
        page.stories -= 1
        page.dirty = True

    def _begin(self, channel: str, month: str, before: PageRow | None) -> PageRow:
        page = self._open[channel] = PageRow(channel=channel, month=month)
        self._session.add(page)
        if before is not None:
            before.dirty = True
        return page


def _existing(session: Session, channel: str, month: str) -> PageRow:
    page = session.get(PageRow, (channel, month))
    assert page is not None, (channel, month)
    return page
