"""What stands in the output feeds, and what must be rendered again."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlmodel import col, delete, func, or_, select, update
from sqlmodel.sql.expression import SelectOfScalar

from aggregator.model import Channel, ChannelKind, Story
from aggregator.store import values
from aggregator.store.connection import Connection
from aggregator.store.placings import MONTH_LENGTH
from aggregator.store.rows import chunks, stories_of
from aggregator.store.tables import (
    ChannelRow,
    EntryRow,
    FeedRow,
    ListingRow,
    PageRow,
    PingRow,
    StoryRow,
)


class ListingStore(Connection):
    """What publishing reads and writes."""

    def channels(self) -> list[Channel]:
        """Every output feed that has or should have files, in the order of their keys."""
        with self._session() as session:
            rows = session.exec(
                select(ChannelRow).where(~col(ChannelRow.pruned)).order_by(ChannelRow.key)
            )
            return [values.channel_of(row) for row in rows]

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
        rows = select(StoryRow).where(col(StoryRow.id) < before) if before else select(StoryRow)
        return self._newest(rows, limit)

    def newest_listed(self, limit: int) -> list[Story]:
        """Those of them that stand in any feed."""
        listed = select(ListingRow.story_id).where(ListingRow.story_id == StoryRow.id)
        return self._newest(select(StoryRow).where(listed.exists()), limit)

    def _newest(self, rows: SelectOfScalar[StoryRow], limit: int) -> list[Story]:
        with self._session() as session:
            found = session.exec(rows.order_by(col(StoryRow.id).desc()).limit(limit)).all()
            return stories_of(session, found)

    def newest_of_feed(self, key: str, limit: int) -> list[Story]:
        """The newest stories of a subscription, as it tells them."""
        with self._session() as session:
            rows = session.exec(
                select(StoryRow)
                .where(
                    col(StoryRow.id).in_(
                        select(EntryRow.story_id)
                        .join(FeedRow, col(FeedRow.id) == EntryRow.feed_id)
                        .where(FeedRow.url == key)
                        .order_by(values.entry_date().desc(), EntryRow.key)
                        .limit(limit)
                    )
                )
                .order_by(col(StoryRow.updated).desc(), StoryRow.atom_id)
            ).all()
            return stories_of(session, rows, key)

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
                month = page[:MONTH_LENGTH]
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
            return [values.channel_of(row) for row in rows]
