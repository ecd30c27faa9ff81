"""The second half of a run: group entries into stories, list those in feeds, write what changed.

    new entries     | group  | story
    changed stories | place  | listings
    touched feeds   | render | files, pings

Cost follows change: a feed that nothing entered, left or corrected is not even read. What is to
be rendered stands in the store until it is written, so a run that is killed is completed by the
next.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from aggregator.folding import digest
from aggregator.match import (
    Lister,
    Vocabulary,
    channel_key,
    choose_live,
    place,
    wanted_channels,
)
from aggregator.model import (
    Channel,
    ChannelKind,
    Clipping,
    Config,
    FeedEvent,
    FeedState,
    OutputFeed,
    Placing,
    Role,
    Story,
)
from aggregator.publish.atom import render_atom
from aggregator.publish.jsonfeed import render_jsonfeed
from aggregator.publish.opml import render_opml, render_subscriptions
from aggregator.publish.pages import (
    ChannelPage,
    IndexPage,
    Pages,
    SourcePage,
    StatusPage,
)
from aggregator.publish.select import Editor
from aggregator.publish.status import STATUS, STATUS_ENTRIES, status_feed

_NEWEST = 20  # on the index
_RELATED = 8
_OF_A_SOURCE = 30
_SPARE = 4  # stories read per place in a live feed: a loud source has no more than its share


class ListKeeper(Protocol):
    """What publishing needs of `store`; each method is one transaction."""

    def group(self, now: datetime) -> int: ...
    def save_channels(
        self, wanted: Mapping[str, tuple[ChannelKind, str]], site_url: str, now: datetime
    ) -> None: ...
    def unlisted(self) -> Iterator[tuple[Story, frozenset[str]]]: ...
    def save_placings(
        self, placings: Sequence[Placing], live: Collection[tuple[str, int]], now: datetime
    ) -> None: ...
    def channels(self) -> list[Channel]: ...
    def dirty_channels(self, rendered: Mapping[str, str]) -> set[str]: ...
    def pages(self) -> dict[str, list[tuple[str, bool, str]]]: ...
    def window(self, channel: str, limit: int) -> list[Story]: ...
    def month(self, channel: str, month: str) -> list[Story]: ...
    def newest_listed(self, limit: int) -> list[Story]: ...
    def newest_of_feed(self, key: str, limit: int) -> list[Story]: ...
    def places(self, stories: Iterable[int]) -> dict[int, list[str]]: ...
    def counts(self) -> dict[str, dict[str, int]]: ...
    def entry_counts(self) -> dict[str, int]: ...
    def neighbours(self, channel: str, limit: int) -> list[tuple[str, int]]: ...
    def dirty_feeds(self, rendered: str) -> set[str]: ...
    def states(self) -> dict[str, FeedState]: ...
    def events(self, limit: int, key: str | None = None) -> list[FeedEvent]: ...
    def save_pings(self, urls: Iterable[str]) -> None: ...
    def save_rendered(
        self, channels: Mapping[str, str], pages: Mapping[tuple[str, str], str],
        feeds: Mapping[str, str],
    ) -> None: ...  # fmt: skip


class Writer(Protocol):
    """What the run needs of the output folder."""

    def has(self, name: str) -> bool:
        """Whether there is such a file."""

    def differs(self, name: str, data: bytes) -> bool:
        """Whether the file holds something else."""

    def write(self, name: str, data: bytes) -> bool:
        """Make the file hold ``data``; give whether it had to be written."""

    def sync(self) -> None:
        """See to it that what was written outlives a power cut."""


def place_stories(config: Config, vocabulary: Vocabulary, store: ListKeeper, now: datetime) -> None:
    """Decide again in which feeds stand the stories of which something has changed."""
    store.save_channels(wanted_channels(vocabulary, config), config.site.url, now)
    lister = Lister(vocabulary, config)
    placings = [place(story, now_in, lister) for story, now_in in store.unlisted()]
    store.save_placings(placings, choose_live(placings, config.publish.backfill), now)


def publish(
    config: Config,
    vocabulary: Vocabulary,
    clippings: Sequence[Clipping],
    store: ListKeeper,
    writer: Writer,
) -> tuple[str, ...]:
    """Render what is to be rendered; gives the names of the files that changed."""
    return _Publisher(config, vocabulary, clippings, store, writer).publish()


@dataclass(slots=True)
class _Done:
    """What was rendered, to be noted once it is written."""

    channels: dict[str, str] = field(default_factory=dict)
    pages: dict[tuple[str, str], str] = field(default_factory=dict)
    feeds: dict[str, str] = field(default_factory=dict)


class _Publisher:
    """One run's rendering."""

    def __init__(
        self,
        config: Config,
        vocabulary: Vocabulary,
        clippings: Sequence[Clipping],
        store: ListKeeper,
        writer: Writer,
    ) -> None:
        self._config = config
        self._behind = _by_tag(clippings, vocabulary)
        self._store = store
        self._writer = writer
        self._editor = editor_of(config, vocabulary)
        self._channels = store.channels()
        self._months = store.pages()
        self._counts = store.counts()
        subscriptions = [s for s in config.subscriptions if s.role is Role.SUBSCRIPTION]
        self._subscriptions = sorted(subscriptions, key=lambda s: (s.title, s.key))
        heads = [self._editor.head(channel) for channel in self._channels]
        self._html = Pages(config.site, {s.key: s.title for s in self._subscriptions}, heads)
        self._heads = [head for head in heads if head.channel.ended_at is None]
        self._written: list[str] = []
        self._done = _Done()

    def publish(self) -> tuple[str, ...]:
        rendered = {c.key: self._fingerprint(c) for c in self._channels}
        dirty = self._store.dirty_channels(rendered)
        for channel in self._channels:
            files = (f"{channel.slug}.{kind}" for kind in ("atom", "json", "html"))
            stale = channel.key in dirty or not all(map(self._writer.has, files))
            self._archives(channel, stale=stale)
            if stale:
                self._live(channel)
                self._done.channels[channel.key] = rendered[channel.key]
        self._lists()
        self._site()
        self._writer.sync()
        self._store.save_rendered(self._done.channels, self._done.pages, self._done.feeds)
        return tuple(self._written)

    def _fingerprint(self, channel: Channel) -> str:
        behind = ((c.title, c.link or "") for c in self._behind.get(channel.key, ()))
        return digest(
            self._editor.fingerprint(channel), *(part for pair in behind for part in pair)
        )

    def _archives(self, channel: Channel, *, stale: bool) -> None:
        """Closed months only if one of their own stories changed, the open one with the feed."""
        pages = self._months.get(channel.key, [])
        months = [month for month, *_ in pages]
        for month, dirty, rendered in pages:
            name = f"{channel.slug}/{month}.atom"
            address = f"{self._config.site.url}{name}"
            wanted = dirty or rendered != address or (stale and month == months[-1])
            if wanted or not self._writer.has(name):
                stories = self._store.month(channel.key, month)
                self._feed(self._editor.archive(channel, stories, months, month))
                self._done.pages[channel.key, month] = address

    def _live(self, channel: Channel) -> None:
        counts = self._counts.get(channel.key, {})
        stories = self._store.window(channel.key, self._config.publish.live * _SPARE)
        months = [month for month, *_ in self._months.get(channel.key, [])]
        feed = self._editor.live_feed(channel, stories, months, sum(counts.values()))
        self._feed(feed)
        self._write(f"{feed.path}.json", render_jsonfeed(feed))
        is_tag = channel.kind is ChannelKind.TAG
        page = ChannelPage(
            feed=feed,
            months=counts,
            documents=months,
            related=self._store.neighbours(channel.key, _RELATED) if is_tag else [],
            clippings=self._behind.get(channel.key, []),
        )
        self._write(f"{feed.path}.html", self._html.channel(page))

    def _lists(self) -> None:
        """What names all feeds, and the news of the subscriptions."""
        site = self._config.site
        status = status_feed(site, self._store.events(STATUS_ENTRIES))
        self._feed(status)
        self._write(f"{status.path}.json", render_jsonfeed(status))
        self._write("index.opml", render_opml(site, self._heads))
        self._write("sources.opml", render_subscriptions(site, self._subscriptions))

    def _site(self) -> None:
        """The pages of everything, and of the sources of which something has changed."""
        store = self._store
        newest = store.newest_listed(_NEWEST)
        newest.sort(key=lambda story: (story.updated, story.id), reverse=True)
        places = store.places(story.row for story in newest)
        entries = [(self._editor.entry(story), places.get(story.row, [])) for story in newest]
        self._write("index.html", self._html.index(IndexPage(self._counts, entries)))
        states, totals = store.states(), store.entry_counts()
        rendered = self._editor.settings_digest
        dirty = store.dirty_feeds(rendered)
        for subscription in self._subscriptions:
            key, state = subscription.key, states.get(subscription.key)
            name = self._html.source_name(key)
            if state and (key in dirty or not self._writer.has(name)):
                stories = store.newest_of_feed(key, _OF_A_SOURCE)
                found = [self._editor.entry(story) for story in stories]
                history = store.events(STATUS_ENTRIES, key)
                page = SourcePage(subscription, state, totals.get(key, 0), found, history)
                self._write(name, self._html.source(page))
                self._done.feeds[key] = rendered
        events = store.events(STATUS_ENTRIES)
        health = StatusPage(self._subscriptions, states, totals, events)
        self._write(f"{STATUS}.html", self._html.status(health))

    def _feed(self, feed: OutputFeed) -> None:
        name, data = f"{feed.path}.atom", render_atom(feed)
        if feed.hub and self._writer.differs(name, data):
            self._store.save_pings([feed.address("atom")])
        self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        if self._writer.write(name, data):
            self._written.append(name)


def _by_tag(clippings: Iterable[Clipping], vocabulary: Vocabulary) -> dict[str, list[Clipping]]:
    """The clippings behind each tag's channel."""
    found: dict[str, list[Clipping]] = {}
    for clipping in clippings:
        for tag in dict.fromkeys(map(vocabulary.key, clipping.tags)):
            if tag is not None:
                found.setdefault(channel_key(ChannelKind.TAG, tag), []).append(clipping)
    return found


def editor_of(config: Config, vocabulary: Vocabulary) -> Editor:
    """What makes documents of stories, as feeds.toml says."""
    names = {tag.key: tag.name for tag in vocabulary.tags}
    titles = {
        channel_key(ChannelKind.TAG, tag.key): (tag.title, tag.description)
        for tag in vocabulary.tags
    } | {
        channel_key(ChannelKind.QUERY, feed.name): (feed.title, feed.description)
        for feed in config.feeds
    }
    return Editor(config.site, config.publish, names, titles)
