"""The second half of a run: group entries into stories, list those in feeds, write what changed.

    new entries     | group  | story
    changed stories | place  | listings
    touched feeds   | render | files, pings

Cost follows change: a feed that nothing entered, left or corrected is not even read. What is to
be rendered stands in the store until it is written, so a run that is killed is completed by the
next.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from aggregator.match import (
    PlacementRules,
    Vocabulary,
    channel_key,
    choose_live,
    expected_channels,
    place,
)
from aggregator.model import (
    Channel,
    ChannelKind,
    Clipping,
    Config,
    MembershipChange,
    Subscription,
)
from aggregator.publish.entries import FeedBuilder
from aggregator.publish.paths import KINDS, SITE, source_files
from aggregator.run.stale import (
    EVERYTHING,
    SOURCES,
    SOURCES_PER_PART,
    RenderPlan,
    Writer,
)
from aggregator.text.folding import digest

if TYPE_CHECKING:
    from aggregator.store import Store

Turn = Callable[[], AbstractContextManager[None]]

_AT_ONCE = 500  # stories that stay where they are, noted in one transaction


def place_stories(config: Config, vocabulary: Vocabulary, store: "Store", now: datetime) -> int:
    """Decide again in which feeds stand the stories of which something has changed; gives how many
    those are."""
    store.channels.save(expected_channels(vocabulary, config), config.site.url, now)
    rules = PlacementRules(vocabulary, config)
    moving: list[MembershipChange] = []
    number = 0
    staying: list[MembershipChange] = []
    # Only a query asks what an entry says.
    for story, now_in in store.channels.pending_stories(whole=bool(config.feeds)):
        number += 1
        membership_change = place(story, now_in, rules)
        if membership_change.enters or membership_change.leaves:
            moving.append(membership_change)
        else:
            staying.append(membership_change)
        if len(staying) == _AT_ONCE:
            store.channels.save_membership_changes(staying, (), now)
            staying = []
    store.channels.save_membership_changes(staying, (), now)
    store.channels.save_membership_changes(
        moving, choose_live(moving, config.publish.backfill), now
    )
    return number


def publish(
    config: Config,
    vocabulary: Vocabulary,
    clippings: Sequence[Clipping],
    store: "Store",
    writer: Writer,
    *,
    part: str | None = None,
    turn: Turn = nullcontext,
    files: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Render what is to be rendered, or one ``part`` of it: a channel, the pages of some of the sources,
    or what is about everything. Gives the names of the files that changed.

    ``turn`` is held whenever something is stored, for who is not the only one who stores. ``files``
    are those of the pages of sources, if they are known (`source_files`).
    """
    return _Publisher(config, vocabulary, clippings, store, writer, files).publish(part, turn)


def stale_parts(
    config: Config,
    vocabulary: Vocabulary,
    clippings: Sequence[Clipping],
    store: "Store",
    writer: Writer,
    files: Mapping[str, str] | None = None,
) -> list[str]:
    """The parts in which `publish` may render what is to be rendered, each by itself. What is about
    everything comes last."""
    return _Publisher(config, vocabulary, clippings, store, writer, files).parts()


class _Publisher:
    """Finds out what is stale, has it rendered, and notes that."""

    def __init__(
        self,
        config: Config,
        vocabulary: Vocabulary,
        clippings: Sequence[Clipping],
        store: "Store",
        writer: Writer,
        files: Mapping[str, str] | None,
    ) -> None:
        self._config = config
        self._behind = _by_tag(clippings, vocabulary)
        self._store = store
        self._writer = writer
        self._editor = make_feed_builder(config, vocabulary)
        self._channels = store.published.channels()
        self._pages = store.published.archive_documents()
        self._sources = config.sources
        self._files = source_files(self._sources) if files is None else files
        self._rendered = {c.key: self._fingerprint(c) for c in self._channels}

    @cached_property
    def _polled(self) -> dict[str, int]:
        return self._store.feeds.entry_counts()

    def publish(self, part: str | None, turn: Turn) -> tuple[str, ...]:
        stale = self.stale(part)
        if not stale:
            return ()
        archives = {(c.key, month): self._address(c, month) for c, month in stale.archives}
        live = {channel.key: self._rendered[channel.key] for channel in stale.live}
        sources = {source.key: self._source_digest(source) for source in stale.sources}
        with turn():
            self._store.published.begin_rendering(live, archives, sources)
        from aggregator.run.render import Renderer  # most runs have nothing to render

        months = {
            channel.key: [month for month, *_ in self._pages.get(channel.key, [])]
            for channel in self._channels
            if self._editor.has_archive(channel)
        }
        renderer = Renderer(
            self._config,
            self._editor,
            self._channels,
            months,
            self._behind,
            self._files,
            self._polled if stale.sources or stale.pages else {},
            self._store,
            self._writer,
        )
        written = renderer.render(stale)
        site = f"{self._lists} {self._totals}" if stale.pages else None
        with turn():
            self._store.published.save_rendered(live, archives, sources, site)
        return tuple(written)

    def parts(self) -> list[str]:
        stale = self.stale()
        channels = {channel.key for channel in (*stale.live, *(c for c, _ in stale.archives))}
        place = {source.key: number for number, source in enumerate(self._sources)}
        numbers = {place[source.key] // SOURCES_PER_PART for source in stale.sources}
        pages = [f"{SOURCES}{number}" for number in sorted(numbers)]
        return [*sorted(channels), *pages, EVERYTHING] if stale else []

    def stale(self, part: str | None = None) -> RenderPlan:
        """What must be rendered again, or what of it is in one ``part``; what is about everything is, if
        that is the part."""
        stale = RenderPlan()
        dirty = self._store.published.dirty_channels(self._rendered)
        for channel in self._channels:
            if part not in (None, channel.key):
                continue
            files = (f"{channel.slug}.{kind}" for kind in KINDS)
            live = channel.key in dirty or not all(map(self._writer.has, files))
            if live:
                stale.live.append(channel)
            stale.archives += [(channel, month) for month in self._stale_months(channel, live)]
        if part is None:
            stale.sources = self._stale_sources(self._sources)
        elif part.startswith(SOURCES):
            start = int(part.removeprefix(SOURCES)) * SOURCES_PER_PART
            stale.sources = self._stale_sources(self._sources[start : start + SOURCES_PER_PART])
        if part in (None, EVERYTHING):
            lists, _, totals = self._store.published.site_fingerprint().partition(" ")
            there = all(map(self._writer.has, SITE))
            stale.lists = lists != self._lists or not there
            stale.pages = bool(stale) or totals != self._totals or part == EVERYTHING
        return stale

    def _stale_months(self, channel: Channel, live: bool) -> Iterator[str]:
        """Closed months only if one of their own stories changed, the open one with the feed."""
        if not self._editor.has_archive(channel):
            return
        pages = self._pages.get(channel.key, [])
        for month, dirty, rendered in pages:
            wanted = dirty or rendered != self._address(channel, month)
            latest = live and month == pages[-1][0]
            if wanted or latest or not self._writer.has(f"{channel.slug}/{month}.atom"):
                yield month

    def _stale_sources(self, sources: Sequence[Subscription]) -> list[Subscription]:
        rendered = {source.key: self._source_digest(source) for source in sources}
        dirty = self._store.published.dirty_source_pages(rendered)
        return [
            source
            for source in sources
            if source.key in self._polled
            and (source.key in dirty or not self._writer.has(self._files[source.key]))
        ]

    def _address(self, channel: Channel, month: str) -> str:
        return f"{self._config.site.url}{channel.slug}/{month}.atom"

    def _fingerprint(self, channel: Channel) -> str:
        behind = ((c.title, c.link or "") for c in self._behind.get(channel.key, ()))
        return digest(
            self._editor.fingerprint(channel), *(part for pair in behind for part in pair)
        )

    def _source_digest(self, source: Subscription) -> str:
        """Of what the page of a source depends on beside its stories and its health."""
        return digest(self._editor.settings_digest, source.title, self._files[source.key])

    @cached_property
    def _lists(self) -> str:
        """Of what names all feeds and all subscriptions."""
        sources = (part for source in self._sources for part in (source.title, source.key))
        return digest(self._editor.settings_digest, *self._rendered.values(), *sources)

    @cached_property
    def _totals(self) -> str:
        """Of what the pages about everything tell beside what makes others stale too."""
        totals = (self._polled.get(source.key) for source in self._sources)
        return digest(*map(str, totals), *map(repr, self._store.feeds.events(1)))


def _by_tag(clippings: Iterable[Clipping], vocabulary: Vocabulary) -> dict[str, list[Clipping]]:
    """The clippings behind each tag's channel."""
    found: dict[str, list[Clipping]] = {}
    for clipping in clippings:
        for tag in dict.fromkeys(map(vocabulary.key, clipping.tags)):
            if tag is not None:
                found.setdefault(channel_key(ChannelKind.TAG, tag), []).append(clipping)
    return found


def make_feed_builder(config: Config, vocabulary: Vocabulary) -> FeedBuilder:
    """What makes documents of stories, as feeds.toml says."""
    names = {tag.key: tag.name for tag in vocabulary.tags}
    titles = {
        channel_key(ChannelKind.TAG, tag.key): (tag.title, tag.description)
        for tag in vocabulary.tags
    } | {
        channel_key(ChannelKind.QUERY, feed.name): (feed.title, feed.description)
        for feed in config.feeds
    }
    return FeedBuilder(config.site, config.publish, names, titles)
