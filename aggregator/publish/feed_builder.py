"""Builds the documents of channels: live feeds and archives. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import escape

from aggregator import __version__
from aggregator.model import (
    Author,
    Channel,
    ChannelKind,
    OutputFeed,
    PublishedEntry,
    PublishSettings,
    Role,
    Site,
    Story,
)
from aggregator.publish.entries import EntryBuilder, primary_copy
from aggregator.publish.translations import load_translator
from aggregator.text.atom_ids import mint_id
from aggregator.text.folding import digest

# atom:updated of a feed without entries. It must not depend on the clock, or two machines would write
# two files. The W3C's validator doubts dates before 1990.
NEVER = datetime(2000, 1, 1, tzinfo=UTC)
FORMAT_VERSION = 4  # increase it when a document or page changes for the same stories


class FeedBuilder:
    """Builds the documents of channels.

    ``names`` maps tag keys to the names shown; ``titles`` maps channel keys to the title and
    description in feeds.toml. ``settings_digest`` covers everything that all entries and pages
    depend on, except the titles of subscriptions.
    """

    def __init__(
        self,
        site: Site,
        settings: PublishSettings,
        names: Mapping[str, str],
        titles: Mapping[str, tuple[str | None, str | None]],
    ) -> None:
        self._site = site
        self._settings = settings
        self._names = names
        self._titles = titles
        self._translator = load_translator(site.language)
        self.entry = EntryBuilder(site, settings, names).build
        self.settings_digest = self._settings_digest()
        self._source_titles = repr(sorted(settings.source_titles.items()))

    def fingerprint(self, channel: Channel) -> str:
        """Digest of everything that the documents of ``channel`` depend on, except stories."""
        titled = repr(self._with_title(channel))
        return digest(self.settings_digest, self._source_titles, titled)

    def has_archive(self, channel: Channel) -> bool:
        """Whether ``channel`` has archive documents."""
        return channel.is_archived(archive_all=self._settings.archive_all)

    def head(self, channel: Channel) -> OutputFeed:
        """The live feed without its entries, for lists of feeds."""
        return self._document(channel, channel.slug, (), 0)

    def live_feed(
        self, channel: Channel, stories: Iterable[Story], archive_names: Sequence[str], total: int
    ) -> OutputFeed:
        """The document that people subscribe to.

        ``stories`` are in the order in which they entered the feed, latest first; as many are read
        as fit into the feed. ``archive_names`` are the documents of the archive, oldest first.
        """
        entries = self._build_entries(self._window(stories))
        if channel.ended_at:
            entries.insert(0, self._discontinued_notice(channel, channel.ended_at))
        previous = None
        if archive_names and self.has_archive(channel):
            previous = _archive_path(channel, archive_names[-1])
        feed = self._document(channel, channel.slug, entries, total)
        return replace(feed, previous=previous, hub=self._settings.hub)

    def archive(
        self, channel: Channel, stories: Sequence[Story], archive_names: Sequence[str], name: str
    ) -> OutputFeed:
        """The archive document ``name`` (RFC 5005 section 4), with all of its stories."""
        paths = [_archive_path(channel, archive_name) for archive_name in archive_names]
        index = archive_names.index(name)
        entries = self._build_entries(stories)
        return replace(
            self._document(channel, paths[index], entries, len(stories)),
            archive=True,
            current=channel.slug,
            previous=paths[index - 1] if index else None,
            next=paths[index + 1] if index + 1 < len(paths) else None,
        )

    def _settings_digest(self) -> str:
        settings = replace(self._settings, summary_only=frozenset(), source_titles={}, metrics=None)
        summary_only = sorted(self._settings.summary_only)  # the order of a set is random
        parts = (self._site, settings, summary_only, self._names, __version__, FORMAT_VERSION)
        return digest(*map(repr, parts))

    def _with_title(self, channel: Channel) -> Channel:
        title, description = self._titles.get(channel.key, (None, None))
        if channel.kind is ChannelKind.OWN:
            name, description = self._translator.own_channel(channel.name)
            title = self._translator.gettext("%(site)s: %(name)s", site=self._site.title, name=name)
        return replace(channel, title=title, description=description)

    def _document(
        self, channel: Channel, path: str, entries: Sequence[PublishedEntry], total: int
    ) -> OutputFeed:
        return OutputFeed(
            channel=self._with_title(channel),
            path=path,
            site=self._site,
            updated=max((entry.updated for entry in entries), default=NEVER),
            entries=tuple(entries),
            total=total,
        )

    def _window(self, stories: Iterable[Story]) -> list[Story]:
        """The stories of a live feed. A source has a limited share, so that one loud blog does not
        fill the feed."""
        counts: Counter[str] = Counter()
        window: list[Story] = []
        for story in stories:
            primary = primary_copy(story)
            if primary.role is not Role.CLIPPINGS:
                if counts[primary.feed_url] == self._settings.per_source:
                    continue
                counts[primary.feed_url] += 1
            window.append(story)
            if len(window) == self._settings.live:
                break
        return window

    def _build_entries(self, stories: Iterable[Story]) -> list[PublishedEntry]:
        """Entries of ``stories``, latest first."""
        entries = sorted(map(self.entry, stories), key=lambda entry: entry.id)
        return sorted(entries, key=lambda entry: entry.updated, reverse=True)

    def _discontinued_notice(self, channel: Channel, ended_at: datetime) -> PublishedEntry:
        """The last entry of a channel after its tag or query was removed."""
        text = self._translator.gettext(
            "This feed has been discontinued: the tag or query “%(name)s” no longer exists",
            name=channel.name,
        )
        return PublishedEntry(
            id=mint_id(channel.id, None, f"ended {ended_at.isoformat()}"),
            title=text,
            updated=ended_at,
            link=self._site.url,
            published=ended_at,
            content=f"<p>{escape(text, quote=False)}</p>",
            authors=(Author(self._site.author),),
            language=self._translator.code,
        )


def _archive_path(channel: Channel, name: str) -> str:
    return f"{channel.slug}/{name}"
