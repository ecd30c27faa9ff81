"""What stands in the output feeds, and what must be rendered again."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam
from sqlalchemy import select as columns
from sqlmodel import Session, col, delete, func, select, update

from aggregator.model import Channel, ChannelKind, Story, StoryEntry
from aggregator.store import convert
from aggregator.store.channels import MONTH_LENGTH
from aggregator.store.connection import Database
from aggregator.store.rows import (
    UPDATE_ARCHIVE_DOCUMENT,
    chunks,
    load_stories,
    make_story,
    mark_sources,
    read,
    story_entries,
    write,
)
from aggregator.store.tables import (
    ARCHIVE_DOCUMENTS,
    CHANNEL_STORIES,
    CHANNELS,
    ENTRIES,
    FEEDS,
    STORIES,
    ArchiveDocumentRow,
    ChannelRow,
    ChannelStoryRow,
    HubPingRow,
    SiteRow,
)

_THE_ONE = 1
_CHANNEL = update(CHANNELS).where(CHANNELS.c.key == bindparam("its_key"))
_FEED = update(FEEDS).where(FEEDS.c.url == bindparam("its_url"))


def _note(
    session: Session,
    channels: Mapping[str, str],
    pages: Mapping[tuple[str, str], str],
    feeds: Mapping[str, str],
    more: Mapping[str, bool],
) -> None:
    """The digests with which these are rendered, and ``more`` of each."""
    new: dict[str, Any] = {"rendered": bindparam("digest"), **more}
    rows = [{"its_key": key, "digest": digest} for key, digest in channels.items()]
    write(session, _CHANNEL.values(new), rows)
    documents = [
        {"its_channel": channel, "its_name": month, "digest": address}
        for (channel, month), address in pages.items()
    ]
    write(session, UPDATE_ARCHIVE_DOCUMENT.values(new), documents)
    sources = [{"its_url": url, "digest": digest} for url, digest in feeds.items()]
    write(session, _FEED.values(new), sources)


class PublishedStore:
    """What publishing reads and writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def channels(self) -> list[Channel]:
        """Every output feed that has or should have files, in the order of their keys."""
        with self._database.transaction() as session:
            rows = session.exec(
                select(ChannelRow).where(~col(ChannelRow.pruned)).order_by(ChannelRow.key)
            )
            return [convert.channel_from_row(row) for row in rows]

    def dirty_channels(self, rendered: Mapping[str, str]) -> set[str]:
        """The channels to be rendered again; ``rendered`` are digests of today's settings."""
        with self._database.transaction() as session:
            rows = session.exec(select(ChannelRow.key, ChannelRow.dirty, ChannelRow.rendered))
            return {key for key, dirty, was in rows if dirty or was != rendered.get(key, was)}

    def archive_documents(self) -> dict[str, list[tuple[str, bool, str]]]:
        """Every document of the archives: month, whether it is dirty, and the address under which
        it was rendered; by channel, in the order of time."""
        found: defaultdict[str, list[tuple[str, bool, str]]] = defaultdict(list)
        rows = columns(
            ARCHIVE_DOCUMENTS.c.channel,
            ARCHIVE_DOCUMENTS.c.name,
            ARCHIVE_DOCUMENTS.c.dirty,
            ARCHIVE_DOCUMENTS.c.rendered,
        )
        with self._database.transaction() as session:
            for row in read(
                session, rows.order_by(ARCHIVE_DOCUMENTS.c.channel, ARCHIVE_DOCUMENTS.c.name)
            ):
                found[row.channel].append((row.name, row.dirty, row.rendered))
        return found

    def live_stories(self, channel: str, start: int, limit: int) -> list[Story]:
        """The stories that entered a live feed last, those first that are newest, from the
        ``start``-th on."""
        with self._database.transaction() as session:
            rows = self._listed(channel, CHANNEL_STORIES.c.live).offset(start).limit(limit)
            return load_stories(session, read(session, rows))

    def archive_stories(self, channel: str, month: str) -> list[Story]:
        """The stories of a month of a channel's archive."""
        with self._database.transaction() as session:
            return load_stories(
                session, read(session, self._listed(channel, CHANNEL_STORIES.c.document == month))
            )

    def _listed(self, channel: str, condition: Any) -> Any:
        return (
            columns(STORIES)
            .join(CHANNEL_STORIES, CHANNEL_STORIES.c.story_id == STORIES.c.id)
            .where(CHANNEL_STORIES.c.channel == channel, condition)
            .order_by(
                CHANNEL_STORIES.c.entered_at.desc(), STORIES.c.updated.desc(), STORIES.c.atom_id
            )
        )

    def newest(self, limit: int, *, before: int | None = None) -> list[Story]:
        """The stories stored last, newest first; ``before`` is a `Story.row` to go on from."""
        rows = columns(STORIES)
        return self._newest(rows.where(STORIES.c.id < before) if before else rows, limit)

    def newest_published(self, limit: int) -> list[Story]:
        """Those of them that stand in any feed."""
        listed = columns(CHANNEL_STORIES.c.story_id).where(
            CHANNEL_STORIES.c.story_id == STORIES.c.id
        )
        return self._newest(columns(STORIES).where(listed.exists()), limit)

    def _newest(self, rows: Any, limit: int) -> list[Story]:
        with self._database.transaction() as session:
            found = read(session, rows.order_by(STORIES.c.id.desc()).limit(limit))
            return load_stories(session, found)

    def newest_by_feed(self, keys: Sequence[str], limit: int) -> dict[str, list[Story]]:
        """The newest stories of each of these subscriptions that stand in a feed of a tag or a
        query, as it tells them."""
        theirs = (
            columns(FEEDS.c.url, ENTRIES.c.feed_id, ENTRIES.c.story_id)
            .join(FEEDS, FEEDS.c.id == ENTRIES.c.feed_id)
            .join(CHANNEL_STORIES, CHANNEL_STORIES.c.story_id == ENTRIES.c.story_id)
            .join(CHANNELS, CHANNELS.c.key == CHANNEL_STORIES.c.channel)
            .where(FEEDS.c.url.in_(keys), CHANNELS.c.kind != ChannelKind.OWN.value)
            .distinct()
            .subquery()
        )
        latest_first = (STORIES.c.updated.desc(), STORIES.c.atom_id)
        place = func.row_number().over(partition_by=theirs.c.feed_id, order_by=latest_first)
        ranked = (
            columns(STORIES, theirs.c.url, theirs.c.feed_id, place.label("place"))
            .join(theirs, theirs.c.story_id == STORIES.c.id)
            .subquery()
        )
        found: defaultdict[str, list[Story]] = defaultdict(list)
        with self._database.transaction() as session:
            newest = columns(ranked).where(ranked.c.place <= limit).order_by(ranked.c.place)
            rows = read(session, newest)
            told: defaultdict[tuple[int, int], list[StoryEntry]] = defaultdict(list)
            feeds = sorted({row.feed_id for row in rows})
            for stories in chunks(sorted({row.id for row in rows})):
                told_by_them = columns(ENTRIES).where(
                    ENTRIES.c.story_id.in_(stories), ENTRIES.c.feed_id.in_(feeds)
                )
                entries = read(session, told_by_them)
                for entry, copy in zip(entries, story_entries(session, entries), strict=True):
                    told[entry.feed_id, entry.story_id].append(copy)
            for row in rows:
                found[row.url].append(make_story(row, told[row.feed_id, row.id]))
        return found

    def channels_of_stories(self, stories: Iterable[int]) -> dict[int, list[str]]:
        """The channels in which these stories stand."""
        found: defaultdict[int, list[str]] = defaultdict(list)
        with self._database.transaction() as session:
            for ids in chunks(sorted(stories)):
                rows = session.exec(
                    select(ChannelStoryRow.story_id, ChannelStoryRow.channel)
                    .where(col(ChannelStoryRow.story_id).in_(ids))
                    .order_by(ChannelStoryRow.channel)
                )
                for story, channel in rows:
                    found[story].append(channel)
        return found

    def counts_by_month(self) -> dict[str, dict[str, int]]:
        """How many stories stand in each month of each channel."""
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        with self._database.transaction() as session:
            rows = session.exec(
                select(
                    ArchiveDocumentRow.channel, ArchiveDocumentRow.name, ArchiveDocumentRow.stories
                ).order_by(ArchiveDocumentRow.channel, ArchiveDocumentRow.name)
            )
            for channel, page, number in rows:
                month = page[:MONTH_LENGTH]
                found[channel][month] = found[channel].get(month, 0) + number
        return found

    def related_tags(self, channel: str, limit: int) -> list[tuple[str, int]]:
        """The tags that share most stories with this one, and how many."""
        with self._database.transaction() as session:
            shared = select(ChannelStoryRow.story_id).where(ChannelStoryRow.channel == channel)
            number = func.count()
            rows = session.exec(
                select(ChannelStoryRow.channel, number)
                .join(ChannelRow, col(ChannelRow.key) == ChannelStoryRow.channel)
                .where(
                    col(ChannelStoryRow.story_id).in_(shared),
                    ChannelStoryRow.channel != channel,
                    ChannelRow.kind == ChannelKind.TAG.value,
                    col(ChannelRow.ended_at).is_(None),
                )
                .group_by(ChannelStoryRow.channel)
                .order_by(number.desc(), ChannelStoryRow.channel)
                .limit(limit)
            )
            return [(key, count) for key, count in rows]

    def dirty_source_pages(self, rendered: Mapping[str, str]) -> set[str]:
        """The subscriptions whose own page is to be rendered again; ``rendered`` are digests of
        today's settings, by the keys of those that have one."""
        rows = columns(FEEDS.c.url, FEEDS.c.dirty, FEEDS.c.rendered)
        with self._database.transaction() as session:
            return {
                url
                for url, dirty, was in read(session, rows)
                if dirty or was != rendered.get(url, was)
            }

    def site_fingerprint(self) -> str:
        """A digest of the settings with which the pages about everything were rendered."""
        with self._database.transaction() as session:
            row = session.get(SiteRow, _THE_ONE)
            return row.rendered if row else ""

    def save_rendered(
        self, channels: Mapping[str, str], pages: Mapping[tuple[str, str], str],
        feeds: Mapping[str, str], site: str | None,
    ) -> None:  # fmt: skip
        """What was asked for is written: ``channels`` with the digests of their settings, ``pages``
        with their addresses, ``feeds`` and ``site`` with the digests of theirs. What has become
        dirty since `begin_rendering` stays it."""
        with self._database.transaction() as session:
            _note(session, channels, pages, feeds, {})
            if site is not None:
                session.merge(SiteRow(id=_THE_ONE, rendered=site))

    def begin_rendering(
        self, channels: Collection[str], pages: Collection[tuple[str, str]], feeds: Collection[str]
    ) -> None:
        """What these hold from now on is going to be written, and then the pages about everything.
        Until it is, their digests are those of nothing: if it is cut short, it is done again."""
        with self._database.transaction() as session:
            nothing = (
                dict.fromkeys(channels, ""),
                dict.fromkeys(pages, ""),
                dict.fromkeys(feeds, ""),
            )
            _note(session, *nothing, {"dirty": False})
            session.merge(SiteRow(id=_THE_ONE, rendered=""))

    def save_pings(self, urls: Iterable[str]) -> None:
        """The hub is to be told that these changed."""
        with self._database.transaction() as session:
            for url in urls:
                session.merge(HubPingRow(url=url))

    def pings(self) -> list[str]:
        """The addresses of which the hub is yet to be told."""
        with self._database.transaction() as session:
            return list(session.exec(select(HubPingRow.url).order_by(HubPingRow.url)))

    def remove_ping(self, url: str) -> None:
        """The hub was told."""
        with self._database.transaction() as session:
            session.exec(delete(HubPingRow).where(col(HubPingRow.url) == url))

    def remove_ended_channels(self) -> list[Channel]:
        """Take what has ended out of the store, but for its slug and id; gives what it was."""
        with self._database.transaction() as session:
            rows = session.exec(
                select(ChannelRow)
                .where(col(ChannelRow.ended_at).is_not(None), ~col(ChannelRow.pruned))
                .order_by(ChannelRow.key)
            ).all()
            for row in rows:
                row.pruned, row.dirty = True, False
                theirs = columns(ENTRIES.c.feed_id).join(
                    CHANNEL_STORIES, CHANNEL_STORIES.c.story_id == ENTRIES.c.story_id
                )
                mark_sources(session, theirs.where(CHANNEL_STORIES.c.channel == row.key))
                session.exec(delete(ChannelStoryRow).where(col(ChannelStoryRow.channel) == row.key))
                session.exec(
                    delete(ArchiveDocumentRow).where(col(ArchiveDocumentRow.channel) == row.key)
                )
            return [convert.channel_from_row(row) for row in rows]
