"""Executes a `RenderPlan`: renders stories as documents and pages, and writes the files.

Imported only by runs that render something: importing the renderers takes longer than most runs.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aggregator.model import (
    Channel,
    ChannelKind,
    FeedEvent,
    FeedState,
    OutputFeed,
    Story,
    Subscription,
)
from aggregator.publish.atom import render_atom
from aggregator.publish.html import Pages
from aggregator.publish.jsonfeed import render_jsonfeed
from aggregator.publish.opml import render_opml, render_subscriptions
from aggregator.publish.status_feed import STATUS, STATUS_ENTRIES, status_feed
from aggregator.run.stale import OutputWriter, RenderPlan, RenderPlanner

if TYPE_CHECKING:
    from aggregator.store import Store

NEWEST_ON_INDEX = 20  # stories
RELATED_TAGS = 8
STORIES_OF_SOURCE = 30
SOURCES_PER_QUERY = 20
MAX_WINDOWS = 4  # each of as many stories as a live feed holds


class Renderer:
    """Renders what a plan names."""

    def __init__(self, planner: RenderPlanner, store: "Store", writer: OutputWriter) -> None:
        self._planner = planner
        self._builder = planner.builder
        self._site = planner.config.site
        self._sources = planner.config.sources
        self._archive_names = planner.archive_names
        self._store = store
        self._writer = writer
        self._counts = store.published.counts_by_month()
        feeds = [self._builder.head(channel) for channel in planner.channels]
        thumbnails = planner.config.publish.thumbnails
        self._pages = Pages(self._site, planner.source_files, feeds, thumbnails=thumbnails)
        self._current_feeds = [feed for feed in feeds if feed.channel.ended_at is None]
        self._states: dict[str, FeedState] = {}
        self._changed_files: list[str] = []

    def render(self, plan: RenderPlan) -> list[str]:
        """Write all that the plan names; return the names of the files that changed."""
        if plan.site or plan.sources:
            keys = None if plan.site else [source.key for source, _ in plan.sources]
            self._states = self._store.feeds.states(keys)
        for channel, name, _ in plan.archives:
            self._render_archive(channel, name)
        for channel, _ in plan.channels:
            self._render_channel(channel)
        sources = [source for source, _ in plan.sources]
        for start in range(0, len(sources), SOURCES_PER_QUERY):
            self._render_sources(sources[start : start + SOURCES_PER_QUERY])
        if plan.lists:
            self._write("index.opml", render_opml(self._site, self._current_feeds))
            self._write("sources.opml", render_subscriptions(self._site, self._sources))
        if plan.site:
            self._render_site()
        self._writer.sync()
        return self._changed_files

    def _render_archive(self, channel: Channel, name: str) -> None:
        stories = self._store.published.archive_stories(channel.key, name)
        names = self._archive_names.get(channel.key, ())
        self._write_atom(self._builder.archive(channel, stories, names, name))

    def _render_channel(self, channel: Channel) -> None:
        """The live feed as Atom and JSON, and its page."""
        counts = self._counts.get(channel.key, {})
        archive_names = self._archive_names.get(channel.key, ())
        stories = self._live_stories(channel.key)
        feed = self._builder.live_feed(channel, stories, archive_names, sum(counts.values()))
        self._write_atom(feed)
        self._write(f"{feed.path}.json", render_jsonfeed(feed))
        is_tag = channel.kind is ChannelKind.TAG
        related = self._store.published.related_tags(channel.key, RELATED_TAGS) if is_tag else []
        clippings = self._planner.clippings.get(channel.key, [])
        page = self._pages.channel(feed, counts, archive_names, related, clippings)
        self._write(f"{feed.path}.html", page)

    def _live_stories(self, channel: str) -> Iterator[Story]:
        """The stories of a live feed, newest first, read window by window as they are consumed.

        A source with many entries gets only its share of a feed, so one window may not be enough.
        """
        size = self._planner.config.publish.live
        for window in range(MAX_WINDOWS):
            stories = self._store.published.live_stories(channel, window * size, size)
            yield from stories
            if len(stories) < size:
                return

    def _render_sources(self, sources: Sequence[Subscription]) -> None:
        keys = [source.key for source in sources]
        histories = self._store.feeds.event_histories(keys, STATUS_ENTRIES)
        newest = self._store.published.newest_by_feed(keys, STORIES_OF_SOURCE)
        for source in sources:
            self._render_source(source, newest.get(source.key, []), histories.get(source.key, []))

    def _render_source(
        self, source: Subscription, stories: Sequence[Story], history: Sequence[FeedEvent]
    ) -> None:
        state = self._states.get(source.key)
        assert state is not None, source.key
        entries = [self._builder.entry(story) for story in stories]
        page = self._pages.source(source, state, entries, history)
        self._write(self._planner.source_files[source.key], page)

    def _render_site(self) -> None:
        """The index, and the health of the sources as page and feed."""
        published = self._store.published
        newest = published.newest_published(NEWEST_ON_INDEX)
        newest.sort(key=lambda story: (story.updated, story.id), reverse=True)
        channels = published.channels_of_stories(story.row for story in newest)
        entries = [(self._builder.entry(story), channels.get(story.row, [])) for story in newest]
        self._write("index.html", self._pages.index(self._counts, entries))
        events = self._store.feeds.events(STATUS_ENTRIES)
        status = status_feed(self._site, events)
        self._write_atom(status)
        self._write(f"{status.path}.json", render_jsonfeed(status))
        entry_counts = self._planner.entry_counts
        page = self._pages.status(self._sources, self._states, entry_counts, events)
        self._write(f"{STATUS}.html", page)

    def _write_atom(self, feed: OutputFeed) -> None:
        name, data = f"{feed.path}.atom", render_atom(feed)
        if feed.hub and self._writer.differs(name, data):
            self._store.published.save_pings([feed.address("atom")])
        self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        if self._writer.write(name, data):
            self._changed_files.append(name)
