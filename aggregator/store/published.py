"""Reads the content of the outputs, and marks the outputs that must be rendered again."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, select, update

from aggregator.model import Channel, ChannelKind, Story, StoryEntry
from aggregator.store import convert
from aggregator.store.channels import MONTH_LENGTH
from aggregator.store.connection import Database
from aggregator.store.rows import (
    UPDATE_ARCHIVE_DOCUMENT,
    Values,
    chunks,
    execute,
    fetch_all,
    insert_missing,
    load_stories,
    make_story,
    mark_source_pages,
    replace_row,
    story_entries,
)
from aggregator.store.tables import (
    ARCHIVE_DOCUMENTS,
    CHANNEL_STORIES,
    CHANNELS,
    ENTRIES,
    FEEDS,
    HUB_PINGS,
    SINGLETON_ID,
    SITES,
    STORIES,
)

_UPDATE_CHANNEL = update(CHANNELS).where(CHANNELS.c.key == bindparam("its_key"))
_UPDATE_FEED = update(FEEDS).where(FEEDS.c.url == bindparam("its_url"))


class ArchiveDocument(NamedTuple):
    """A document of an archive. ``address``: under which it was last rendered."""

    name: str
    dirty: bool
    address: str


class PublishedStore:
    """Reads channels with their stories, and the marks of outputs that must be rendered again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def channels(self) -> list[Channel]:
        """The channels that have or should have files, by key."""
        query = select(CHANNELS).where(~CHANNELS.c.pruned).order_by(CHANNELS.c.key)
        with self._database.connect() as connection:
            return [convert.channel_from_row(row) for row in fetch_all(connection, query)]

    def live_stories(self, channel: str, start: int, limit: int) -> list[Story]:
        """Stories of a live feed, the last to enter first, from position ``start`` on."""
        with self._database.connect() as connection:
            query = _stories_of(channel, CHANNEL_STORIES.c.live).offset(start).limit(limit)
            return load_stories(connection, fetch_all(connection, query))

    def archive_stories(self, channel: str, name: str) -> list[Story]:
        """The stories of an archive document."""
        with self._database.connect() as connection:
            query = _stories_of(channel, CHANNEL_STORIES.c.document == name)
            return load_stories(connection, fetch_all(connection, query))

    def newest(self, limit: int, *, before: int | None = None) -> list[Story]:
        """The stories stored last, newest first; ``before``: continue after this `Story.row`."""
        query = select(STORIES)
        return self._newest(query.where(STORIES.c.id < before) if before else query, limit)

    def newest_published(self, limit: int) -> list[Story]:
        """The stories stored last that belong to any channel."""
        is_member = select(CHANNEL_STORIES.c.story_id).where(
            CHANNEL_STORIES.c.story_id == STORIES.c.id
        )
        return self._newest(select(STORIES).where(is_member.exists()), limit)

    def _newest(self, query: Select[Any], limit: int) -> list[Story]:
        with self._database.connect() as connection:
            rows = fetch_all(connection, query.order_by(STORIES.c.id.desc()).limit(limit))
            return load_stories(connection, rows)

    def newest_by_feed(self, keys: Sequence[str], limit: int) -> dict[str, list[Story]]:
        """The newest stories of each subscription in a tag's or query's feed, by subscription key.

        Each story has only the entries of that subscription.
        """
        members = (
            select(FEEDS.c.url, ENTRIES.c.feed_id, ENTRIES.c.story_id)
            .join(FEEDS, FEEDS.c.id == ENTRIES.c.feed_id)
            .join(CHANNEL_STORIES, CHANNEL_STORIES.c.story_id == ENTRIES.c.story_id)
            .join(CHANNELS, CHANNELS.c.key == CHANNEL_STORIES.c.channel)
            .where(FEEDS.c.url.in_(keys), CHANNELS.c.kind != ChannelKind.OWN.value)
            .distinct()
            .subquery()
        )
        latest_first = (STORIES.c.updated.desc(), STORIES.c.atom_id)
        rank = func.row_number().over(partition_by=members.c.feed_id, order_by=latest_first)
        ranked = (
            select(STORIES, members.c.url, members.c.feed_id, rank.label("rank"))
            .join(members, members.c.story_id == STORIES.c.id)
            .subquery()
        )
        newest = select(ranked).where(ranked.c.rank <= limit).order_by(ranked.c.rank)
        stories: defaultdict[str, list[Story]] = defaultdict(list)
        with self._database.connect() as connection:
            rows = fetch_all(connection, newest)
            feeds = sorted({row.feed_id for row in rows})
            copies = _copies_of_feeds(connection, sorted({row.id for row in rows}), feeds)
            for row in rows:
                stories[row.url].append(make_story(row, copies[row.feed_id, row.id]))
        return stories

    def channels_of_stories(self, stories: Iterable[int]) -> dict[int, list[str]]:
        """The channels (keys) of each story (row)."""
        channels: defaultdict[int, list[str]] = defaultdict(list)
        table = CHANNEL_STORIES.c
        query = select(table.story_id, table.channel).order_by(table.channel)
        with self._database.connect() as connection:
            for batch in chunks(sorted(stories)):
                for story, channel in fetch_all(connection, query.where(table.story_id.in_(batch))):
                    channels[story].append(channel)
        return channels

    def counts_by_month(self) -> dict[str, dict[str, int]]:
        """The number of stories of each channel in each month."""
        counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
        table = ARCHIVE_DOCUMENTS.c
        query = select(table.channel, table.name, table.stories).order_by(table.channel, table.name)
        with self._database.connect() as connection:
            for channel, name, number in fetch_all(connection, query):
                month = name[:MONTH_LENGTH]
                counts[channel][month] = counts[channel].get(month, 0) + number
        return counts

    def related_tags(self, channel: str, limit: int) -> list[tuple[str, int]]:
        """The tags that share most stories with this one, and the number of these stories."""
        table, number = CHANNEL_STORIES.c, func.count()
        shared = select(table.story_id).where(table.channel == channel)
        query = (
            select(table.channel, number)
            .join(CHANNELS, CHANNELS.c.key == table.channel)
            .where(
                table.story_id.in_(shared),
                table.channel != channel,
                CHANNELS.c.kind == ChannelKind.TAG.value,
                CHANNELS.c.ended_at.is_(None),
            )
            .group_by(table.channel)
            .order_by(number.desc(), table.channel)
            .limit(limit)
        )
        with self._database.connect() as connection:
            return [(key, count) for key, count in fetch_all(connection, query)]

    # -- what must be rendered again ---------------------------------------------------------

    def dirty_channels(self, settings: Mapping[str, str]) -> set[str]:
        """The channels to render again; ``settings``: digests of today's settings, by key."""
        query = select(CHANNELS.c.key, CHANNELS.c.dirty, CHANNELS.c.rendered)
        return self._dirty_keys(query, settings)

    def dirty_source_pages(self, settings: Mapping[str, str]) -> set[str]:
        """The subscriptions (keys) with a page to render again; ``settings`` likewise."""
        query = select(FEEDS.c.url, FEEDS.c.dirty, FEEDS.c.rendered)
        return self._dirty_keys(query, settings)

    def _dirty_keys(self, query: Select[Any], settings: Mapping[str, str]) -> set[str]:
        with self._database.connect() as connection:
            return {
                key
                for key, dirty, rendered in fetch_all(connection, query)
                if dirty or rendered != settings.get(key, rendered)
            }

    def archive_documents(self) -> dict[str, list[ArchiveDocument]]:
        """The documents of all archives by channel, oldest first."""
        documents: defaultdict[str, list[ArchiveDocument]] = defaultdict(list)
        table = ARCHIVE_DOCUMENTS.c
        query = select(table.channel, table.name, table.dirty, table.rendered)
        with self._database.connect() as connection:
            for row in fetch_all(connection, query.order_by(table.channel, table.name)):
                documents[row.channel].append(ArchiveDocument(row.name, row.dirty, row.rendered))
        return documents

    def site_fingerprint(self) -> str:
        """Digest of the settings with which the site's pages were last rendered."""
        query = select(SITES.c.rendered).where(SITES.c.id == SINGLETON_ID)
        with self._database.connect() as connection:
            return connection.execute(query).scalar() or ""

    def begin_rendering(
        self,
        channels: Iterable[str],
        documents: Iterable[tuple[str, str]],
        feeds: Iterable[str],
    ) -> None:
        """These outputs, and then the site's pages, are about to be written.

        Until `save_rendered` their digests are empty, so an interrupted rendering is repeated.
        """
        no_digests = (
            dict.fromkeys(channels, ""),
            dict.fromkeys(documents, ""),
            dict.fromkeys(feeds, ""),
        )
        with self._database.transaction() as connection:
            _save_digests(connection, *no_digests, {"dirty": False})
            replace_row(connection, SITES, {"id": SINGLETON_ID, "rendered": ""})

    def save_rendered(
        self,
        channels: Mapping[str, str],
        documents: Mapping[tuple[str, str], str],
        feeds: Mapping[str, str],
        site: str | None,
    ) -> None:
        """These outputs are written: store the digests of their settings, and their addresses.

        What became dirty since `begin_rendering` stays dirty.
        """
        with self._database.transaction() as connection:
            _save_digests(connection, channels, documents, feeds, {})
            if site is not None:
                replace_row(connection, SITES, {"id": SINGLETON_ID, "rendered": site})

    # -- the hub, and channels that ended ----------------------------------------------------

    def save_pings(self, urls: Iterable[str]) -> None:
        """Remember to tell the hub that these feeds changed."""
        with self._database.transaction() as connection:
            insert_missing(connection, HUB_PINGS, [{"url": url} for url in urls])

    def pings(self) -> list[str]:
        """The feeds to ping the hub about."""
        query = select(HUB_PINGS.c.url).order_by(HUB_PINGS.c.url)
        with self._database.connect() as connection:
            return [row.url for row in fetch_all(connection, query)]

    def remove_ping(self, url: str) -> None:
        """Forget a ping that the hub accepted."""
        with self._database.transaction() as connection:
            execute(connection, delete(HUB_PINGS).where(HUB_PINGS.c.url == url))

    def remove_ended_channels(self) -> list[Channel]:
        """Remove the stories of ended channels, but keep their slugs and ids; return the channels."""
        has_ended = CHANNELS.c.ended_at.is_not(None), ~CHANNELS.c.pruned
        with self._database.transaction() as connection:
            rows = fetch_all(
                connection, select(CHANNELS).where(*has_ended).order_by(CHANNELS.c.key)
            )
            keys = [row.key for row in rows]
            is_member = CHANNEL_STORIES.c.channel.in_(keys)
            feeds = select(ENTRIES.c.feed_id).join(
                CHANNEL_STORIES, CHANNEL_STORIES.c.story_id == ENTRIES.c.story_id
            )
            mark_source_pages(connection, feeds.where(is_member))
            execute(connection, delete(CHANNEL_STORIES).where(is_member))
            is_document = ARCHIVE_DOCUMENTS.c.channel.in_(keys)
            execute(connection, delete(ARCHIVE_DOCUMENTS).where(is_document))
            is_ended = CHANNELS.c.key.in_(keys)
            execute(connection, update(CHANNELS).where(is_ended).values(pruned=True, dirty=False))
            return [convert.channel_from_row(row) for row in rows]


def _stories_of(channel: str, condition: ColumnElement[bool]) -> Select[Any]:
    return (
        select(STORIES)
        .join(CHANNEL_STORIES, CHANNEL_STORIES.c.story_id == STORIES.c.id)
        .where(CHANNEL_STORIES.c.channel == channel, condition)
        .order_by(CHANNEL_STORIES.c.entered_at.desc(), STORIES.c.updated.desc(), STORIES.c.atom_id)
    )


def _copies_of_feeds(
    connection: Connection, stories: Sequence[int], feeds: Sequence[int]
) -> dict[tuple[int, int], list[StoryEntry]]:
    """The entries of these stories in these feeds, by feed id and story id."""
    copies: defaultdict[tuple[int, int], list[StoryEntry]] = defaultdict(list)
    for batch in chunks(stories):
        query = select(ENTRIES).where(ENTRIES.c.story_id.in_(batch), ENTRIES.c.feed_id.in_(feeds))
        entries = fetch_all(connection, query)
        for entry, copy in zip(entries, story_entries(connection, entries), strict=True):
            copies[entry.feed_id, entry.story_id].append(copy)
    return copies


def _save_digests(
    connection: Connection,
    channels: Mapping[str, str],
    documents: Mapping[tuple[str, str], str],
    feeds: Mapping[str, str],
    flags: Mapping[str, bool],
) -> None:
    """Store what these outputs were rendered with, and ``flags`` for each of them."""
    values: Values = {"rendered": bindparam("digest"), **flags}
    channel_rows = [{"its_key": key, "digest": digest} for key, digest in channels.items()]
    execute(connection, _UPDATE_CHANNEL.values(values), channel_rows)
    document_rows = [
        {"its_channel": channel, "its_name": name, "digest": address}
        for (channel, name), address in documents.items()
    ]
    execute(connection, UPDATE_ARCHIVE_DOCUMENT.values(values), document_rows)
    feed_rows = [{"its_url": url, "digest": digest} for url, digest in feeds.items()]
    execute(connection, _UPDATE_FEED.values(values), feed_rows)
