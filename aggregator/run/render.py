"""Rendering what must be rendered again: stories become documents and pages, and those files.

Imported by the runs that write something: the renderers take longer to import than most runs last.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from aggregator.model import (
    Channel,
    ChannelKind,
    Clipping,
    Config,
    FeedEvent,
    FeedState,
    OutputFeed,
    Story,
    Subscription,
)
from aggregator.publish.atom import render_atom
from aggregator.publish.entries import FeedBuilder
from aggregator.publish.html import ChannelPage, IndexPage, Pages, SourcePage, StatusPage
from aggregator.publish.jsonfeed import render_jsonfeed
from aggregator.publish.opml import render_opml, render_subscriptions
from aggregator.publish.status_feed import STATUS, STATUS_ENTRIES, status_feed
from aggregator.run.stale import RenderPlan, Writer

if TYPE_CHECKING:
    from aggregator.store import Store

_NEWEST = 20  # on the index
_RELATED = 8
_OF_A_SOURCE = 30
_SOURCES_AT_ONCE = 20  # whose stories are read together
_PORTIONS = 4  # of as many stories as a live feed holds


class Renderer:
    """One run's rendering; ``months`` are the documents of every archive in the order of time,
    ``behind`` the clippings behind each channel, ``files`` those of the pages of sources,
    ``totals`` how many entries are stored of each."""

    def __init__(
        self,
        config: Config,
        editor: FeedBuilder,
        channels: Sequence[Channel],
        months: Mapping[str, Sequence[str]],
        behind: Mapping[str, Sequence[Clipping]],
        files: Mapping[str, str],
        totals: Mapping[str, int],
        store: "Store",
        writer: Writer,
    ) -> None:
        self._config = config
        self._editor = editor
        self._months = months
        self._behind = behind
        self._store = store
        self._writer = writer
        self._counts = store.published.counts_by_month()
        heads = [editor.head(channel) for channel in channels]
        self._files = files
        self._html = Pages(config.site, files, heads)
        self._heads = [head for head in heads if head.channel.ended_at is None]
        self._totals = totals
        self._sources = config.sources
        self._states: dict[str, FeedState] = {}
        self._written: list[str] = []

    def render(self, stale: RenderPlan) -> list[str]:
        """Write all that is stale; gives the names of the files that changed."""
        if stale.pages or stale.sources:
            keys = None if stale.pages else [source.key for source in stale.sources]
            self._states = self._store.feeds.states(keys)
        for channel, month in stale.archives:
            stories = self._store.published.archive_stories(channel.key, month)
            months = self._months.get(channel.key, ())
            self._feed(self._editor.archive(channel, stories, months, month))
        for channel in stale.live:
            self._live(channel)
        for start in range(0, len(stale.sources), _SOURCES_AT_ONCE):
            self._some_sources(stale.sources[start : start + _SOURCES_AT_ONCE])
        if stale.lists:
            self._lists()
        if stale.pages:
            self._site()
        self._writer.sync()
        return self._written

    def _live(self, channel: Channel) -> None:
        counts = self._counts.get(channel.key, {})
        months = self._months.get(channel.key, ())
        stories = self._entered(channel.key)
        feed = self._editor.live_feed(channel, stories, months, sum(counts.values()))
        self._feed(feed)
        self._write(f"{feed.path}.json", render_jsonfeed(feed))
        is_tag = channel.kind is ChannelKind.TAG
        page = ChannelPage(
            feed=feed,
            months=counts,
            documents=months,
            related=self._store.published.related_tags(channel.key, _RELATED) if is_tag else [],
            clippings=self._behind.get(channel.key, []),
        )
        self._write(f"{feed.path}.html", self._html.channel(page))

    def _entered(self, channel: str) -> Iterator[Story]:
        """The stories that entered a live feed, the last first, read as they are wanted: a loud source
        has no more than its share of the feed, and not for that are all read that ever entered."""
        size = self._config.publish.live
        for portion in range(_PORTIONS):
            stories = self._store.published.live_stories(channel, portion * size, size)
            yield from stories
            if len(stories) < size:
                return

    def _some_sources(self, subscriptions: Sequence[Subscription]) -> None:
        keys = [subscription.key for subscription in subscriptions]
        histories = self._store.feeds.event_histories(keys, STATUS_ENTRIES)
        newest = self._store.published.newest_by_feed(keys, _OF_A_SOURCE)
        for subscription in subscriptions:
            key = subscription.key
            self._source(subscription, newest.get(key, []), histories.get(key, []))

    def _source(
        self, subscription: Subscription, stories: Sequence[Story], history: Sequence[FeedEvent]
    ) -> None:
        key, state = subscription.key, self._states.get(subscription.key)
        assert state is not None, key
        found = [self._editor.entry(story) for story in stories]
        page = SourcePage(subscription, state, found, history)
        self._write(self._files[key], self._html.source(page))

    def _lists(self) -> None:
        """What names all feeds and all sources."""
        site = self._config.site
        self._write("index.opml", render_opml(site, self._heads))
        self._write("sources.opml", render_subscriptions(site, self._sources))

    def _site(self) -> None:
        """The pages about everything, and the news of the subscriptions."""
        store = self._store
        newest = store.published.newest_published(_NEWEST)
        newest.sort(key=lambda story: (story.updated, story.id), reverse=True)
        places = store.published.channels_of_stories(story.row for story in newest)
        entries = [(self._editor.entry(story), places.get(story.row, [])) for story in newest]
        self._write("index.html", self._html.index(IndexPage(self._counts, entries)))
        events = store.feeds.events(STATUS_ENTRIES)
        status = status_feed(self._config.site, events)
        self._feed(status)
        self._write(f"{status.path}.json", render_jsonfeed(status))
        health = StatusPage(self._sources, self._states, self._totals, events)
        self._write(f"{STATUS}.html", self._html.status(health))

    def _feed(self, feed: OutputFeed) -> None:
        name, data = f"{feed.path}.atom", render_atom(feed)
        if feed.hub and self._writer.differs(name, data):
            self._store.published.save_pings([feed.address("atom")])
        self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        if self._writer.write(name, data):
            self._written.append(name)
