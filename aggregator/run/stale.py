"""Which outputs are out of date. `RenderPlanner` computes one `RenderPlan`; `run.render` executes it.

An output is out of date if the store marked it dirty, if the settings it was rendered with have
changed, or if its file is missing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self

from aggregator.match import Vocabulary, channel_key
from aggregator.model import Channel, ChannelKind, Clipping, Config, Subscription
from aggregator.publish.feed_builder import FeedBuilder
from aggregator.publish.paths import KINDS, SITE, source_files
from aggregator.text.folding import digest

if TYPE_CHECKING:
    from aggregator.store import Store

SOURCES_PER_PART = 500


class OutputWriter(Protocol):
    """Where the outputs go: `publish.folder.OutputFolder` or `publish.s3.OutputBucket`."""

    written_bytes: int

    def has(self, name: str) -> bool:
        """Whether there is such a file."""

    def differs(self, name: str, data: bytes) -> bool:
        """Whether the file is missing or holds other bytes."""

    def write(self, name: str, data: bytes) -> bool:
        """Make the file hold ``data``; return whether it had to be written."""

    def sync(self) -> None:
        """Make sure that the written files survive a power cut."""


@dataclass(frozen=True, slots=True)
class RenderPart:
    """A part of the outputs that one worker renders. As text it is the name of a job.

    A channel has its key, which contains a colon. Source pages come in groups, by number. The rest
    (the site's index, lists and status) is one part.
    """

    name: str

    @classmethod
    def of_channel(cls, key: str) -> Self:
        """The feed, page and archive of a channel."""
        return cls(key)

    @classmethod
    def of_sources(cls, number: int) -> Self:
        """The pages of the sources from ``number`` x `SOURCES_PER_PART` on."""
        return cls(f"sources {number}")

    @property
    def sources(self) -> slice | None:
        """The source pages in this part, None if it has none."""
        kind, _, number = self.name.partition(" ")
        if kind != "sources" or ":" in self.name:
            return None
        start = int(number) * SOURCES_PER_PART
        return slice(start, start + SOURCES_PER_PART)


SITE_PART = RenderPart("everything")


@dataclass(slots=True)
class RenderPlan:
    """What to render, with the fingerprints to store once it is written.

    ``channels``: live documents and page of a channel -> digest of its settings.
    ``archives``: (channel, document name) -> address. ``sources``: page of a source -> digest.
    ``lists``: the OPML files. ``site``: digest for the site's pages, None if they stay.
    """

    channels: list[tuple[Channel, str]] = field(default_factory=list)
    archives: list[tuple[Channel, str, str]] = field(default_factory=list)
    sources: list[tuple[Subscription, str]] = field(default_factory=list)
    lists: bool = False
    site: str | None = None

    def __bool__(self) -> bool:
        return bool(self.channels or self.archives or self.sources or self.lists or self.site)

    @property
    def channel_digests(self) -> dict[str, str]:
        """The settings digest of each channel, by its key."""
        return {channel.key: settings for channel, settings in self.channels}

    @property
    def archive_addresses(self) -> dict[tuple[str, str], str]:
        """The address of each archive document, by channel key and name."""
        return {(channel.key, name): address for channel, name, address in self.archives}

    @property
    def source_digests(self) -> dict[str, str]:
        """The settings digest of each source's page, by the source's key."""
        return {source.key: settings for source, settings in self.sources}


class RenderPlanner:
    """Compares the outputs with the store and the settings."""

    def __init__(
        self,
        config: Config,
        vocabulary: Vocabulary,
        clippings: Sequence[Clipping],
        store: "Store",
        writer: OutputWriter,
        files: Mapping[str, str] | None = None,
    ) -> None:
        """``files``: the page of each source by its key, if the caller has it already."""
        self.config = config
        self.builder = make_feed_builder(config, vocabulary)
        self.channels = store.published.channels()
        self.clippings = clippings_by_channel(clippings, vocabulary)
        self.source_files = source_files(config.sources) if files is None else files
        self._archives = store.published.archive_documents()
        self._store = store
        self._writer = writer
        self._settings = {channel.key: self._channel_digest(channel) for channel in self.channels}

    @cached_property
    def entry_counts(self) -> dict[str, int]:
        """The number of stored entries of each source, by its key."""
        return self._store.feeds.entry_counts()

    @property
    def archive_names(self) -> dict[str, list[str]]:
        """The documents of each channel's archive, oldest first."""
        return {
            channel.key: [name for name, *_ in self._archives.get(channel.key, [])]
            for channel in self.channels
            if self.builder.has_archive(channel)
        }

    def parts(self) -> list[RenderPart]:
        """The parts that are out of date, each to be rendered by itself; the site's pages last."""
        plan = self.plan()
        channels = {*plan.channel_digests, *(key for key, _ in plan.archive_addresses)}
        positions = {source.key: n for n, source in enumerate(self.config.sources)}
        groups = {positions[source.key] // SOURCES_PER_PART for source, _ in plan.sources}
        return [
            *map(RenderPart.of_channel, sorted(channels)),
            *map(RenderPart.of_sources, sorted(groups)),
            *([SITE_PART] if plan else []),
        ]

    def plan(self, part: RenderPart | None = None) -> RenderPlan:
        """All that is out of date, or what of it belongs to ``part``. `SITE_PART` always renders
        the site's pages."""
        plan = RenderPlan()
        dirty = self._store.published.dirty_channels(self._settings)
        for channel in self.channels:
            if part is None or part.name == channel.key:
                self._plan_channel(plan, channel, is_dirty=channel.key in dirty)
        sources = self.config.sources
        if part is None:
            plan.sources = self._stale_sources(sources)
        elif part.sources is not None:
            plan.sources = self._stale_sources(sources[part.sources])
        if part is None or part == SITE_PART:
            lists, _, totals = self._store.published.site_fingerprint().partition(" ")
            has_files = all(map(self._writer.has, SITE))
            plan.lists = lists != self._lists_digest or not has_files
            if plan or totals != self._totals_digest or part == SITE_PART:
                plan.site = f"{self._lists_digest} {self._totals_digest}"
        return plan

    def _plan_channel(self, plan: RenderPlan, channel: Channel, *, is_dirty: bool) -> None:
        files = (f"{channel.slug}.{kind}" for kind in KINDS)
        is_stale = is_dirty or not all(map(self._writer.has, files))
        if is_stale:
            plan.channels.append((channel, self._settings[channel.key]))
        plan.archives += [
            (channel, name, self._address(channel, name))
            for name in self._stale_documents(channel, is_stale)
        ]

    def _stale_documents(self, channel: Channel, live_is_stale: bool) -> Iterator[str]:
        """A closed document only if one of its own stories changed; the open one with the feed."""
        if not self.builder.has_archive(channel):
            return
        documents = self._archives.get(channel.key, [])
        for name, is_dirty, address in documents:
            is_open = name == documents[-1][0]
            if (
                is_dirty
                or address != self._address(channel, name)
                or (live_is_stale and is_open)
                or not self._writer.has(f"{channel.slug}/{name}.atom")
            ):
                yield name

    def _stale_sources(self, sources: Sequence[Subscription]) -> list[tuple[Subscription, str]]:
        settings = {source.key: self._source_digest(source) for source in sources}
        dirty = self._store.published.dirty_source_pages(settings)
        return [
            (source, settings[source.key])
            for source in sources
            if source.key in self.entry_counts
            and (source.key in dirty or not self._writer.has(self.source_files[source.key]))
        ]

    def _address(self, channel: Channel, name: str) -> str:
        return f"{self.config.site.url}{channel.slug}/{name}.atom"

    def _channel_digest(self, channel: Channel) -> str:
        clippings = ((c.title, c.link or "") for c in self.clippings.get(channel.key, ()))
        return digest(
            self.builder.fingerprint(channel), *(part for pair in clippings for part in pair)
        )

    def _source_digest(self, source: Subscription) -> str:
        """The settings that a source's page depends on, beside its stories and its health."""
        return digest(self.builder.settings_digest, source.title, self.source_files[source.key])

    @cached_property
    def _lists_digest(self) -> str:
        """What the lists of all feeds and all sources depend on."""
        sources = (part for source in self.config.sources for part in (source.title, source.key))
        return digest(self.builder.settings_digest, *self._settings.values(), *sources)

    @cached_property
    def _totals_digest(self) -> str:
        """What the site's pages depend on, beside what makes other outputs stale too."""
        totals = (self.entry_counts.get(source.key) for source in self.config.sources)
        return digest(*map(str, totals), *map(repr, self._store.feeds.events(1)))


def clippings_by_channel(
    clippings: Iterable[Clipping], vocabulary: Vocabulary
) -> dict[str, list[Clipping]]:
    """The public clippings of each tag, by the key of the tag's channel."""
    by_channel: dict[str, list[Clipping]] = {}
    for clipping in (clipping for clipping in clippings if not clipping.private):
        for tag in dict.fromkeys(map(vocabulary.key, clipping.tags)):
            if tag is not None:
                by_channel.setdefault(channel_key(ChannelKind.TAG, tag), []).append(clipping)
    return by_channel


def make_feed_builder(config: Config, vocabulary: Vocabulary) -> FeedBuilder:
    """A builder of output documents with the titles and descriptions of feeds.toml."""
    names = {tag.key: tag.name for tag in vocabulary.tags}
    titles = {
        channel_key(ChannelKind.TAG, tag.key): (tag.title, tag.description)
        for tag in vocabulary.tags
    } | {
        channel_key(ChannelKind.QUERY, feed.name): (feed.title, feed.description)
        for feed in config.feeds
    }
    return FeedBuilder(config.site, config.publish, names, titles)
