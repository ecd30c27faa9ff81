"""A run, from feeds.toml to outputs/: here, and in `collect`, the stages meet.

    due subscriptions | poll | parse | store      collect
    unmatched entries | match | choose | store    match
    tags              | select | render | write   publish

Each step ends in a transaction, and each begins from what is stored: so a run that is killed
anywhere is completed by the next.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from aggregator.clippings import clipping_from_entry, entries_from_clippings
from aggregator.collect import FeedKeeper, Parser, Poller, Progress, collect
from aggregator.match import Matcher, Vocabulary, build_vocabulary, choose_live, is_late
from aggregator.model import (
    Clipping,
    Config,
    Copy,
    Entry,
    Feed,
    FeedEvent,
    LiveEntry,
    MatchedEntry,
    RunReport,
    StoredEntry,
    Tag,
    TagFeed,
)
from aggregator.publish.atom import render_atom
from aggregator.publish.jsonfeed import render_jsonfeed
from aggregator.publish.opml import render_opml
from aggregator.publish.select import tag_feed
from aggregator.publish.site import render_index
from aggregator.publish.status import STATUS_ENTRIES, status_feed


class Keeper(FeedKeeper, Protocol):
    """What a run needs of `store`; each method is one transaction."""

    def slugs(self) -> dict[str, str]: ...
    def events(self, limit: int) -> list[FeedEvent]: ...
    def clipped_entries(self, urls: Iterable[str]) -> list[Entry]: ...
    def save_clippings(self, entries: Sequence[Entry], site: Feed, now: datetime) -> None: ...
    def unmatched(self, vocabulary: str) -> Iterator[StoredEntry]: ...
    def save_matches(
        self, matched: Iterable[MatchedEntry], vocabulary: str, now: datetime
    ) -> int: ...
    def save_tags(
        self, tags: Iterable[Tag], site_url: str, now: datetime
    ) -> dict[str, tuple[str, datetime]]: ...
    def live_entries(self, tag: str, limit: int) -> tuple[list[LiveEntry], list[Copy]]: ...
    def count(self, tag: str) -> int: ...


class Writer(Protocol):
    """What the run needs of the output folder."""

    def write(self, name: str, data: bytes) -> bool:
        """Make the file hold ``data``; give whether it had to be written."""


async def run(
    config: Config,
    clippings: Sequence[Clipping],
    store: Keeper,
    poller: Poller,
    parser: Parser,
    writer: Writer,
    progress: Progress,
    now: datetime,
    *,
    everything: bool = False,
) -> RunReport:
    """One pass of the whole line. ``now`` is the time of everything that happens in it.

    ``everything``: poll also what is not due. Raises StorageError or PublishError; trouble with
    publishers is in the report.
    """
    store.save_clippings(entries_from_clippings(clippings), _clippings_feed(config), now)
    told = await collect(config, store, poller, parser, progress, now, everything=everything)
    polled = store.clipped_entries(config.clippings_keys)
    clippings = [*clippings, *map(clipping_from_entry, polled)]
    vocabulary = build_vocabulary(clippings, config.tags, config.subscriptions, store.slugs())
    matched = match(config, vocabulary, clippings, store, now)
    written = publish(config, vocabulary, store, writer, now)
    return RunReport(
        polled=told.fetched + told.not_modified + len(told.troubles),
        fetched=told.fetched,
        not_modified=told.not_modified,
        waiting=told.waiting,
        new=told.new,
        modified=told.modified,
        matched=matched,
        offline=told.offline,
        written=written,
        troubles=tuple(sorted(told.troubles, key=lambda trouble: trouble.title)),
        events=tuple(sorted(told.events, key=lambda event: (event.title, event.kind.value))),
        warnings=tuple(sorted(told.warnings)),
    )


def match(
    config: Config,
    vocabulary: Vocabulary,
    clippings: Sequence[Clipping],
    store: Keeper,
    now: datetime,
) -> int:
    """Match what was not yet matched with this vocabulary; gives how many matches are new."""
    matcher = Matcher(vocabulary, clippings, config.subscriptions)
    matched = [
        MatchedEntry(
            row=stored.row,
            matches=matcher.match(stored),
            known=stored.tags,
            late=is_late(stored),
            date=stored.date,
        )
        for stored in store.unmatched(vocabulary.fingerprint)
    ]
    chosen = choose_live(matched, config.publish.backfill)
    return store.save_matches(chosen, vocabulary.fingerprint, now)


def publish(
    config: Config, vocabulary: Vocabulary, store: Keeper, writer: Writer, now: datetime
) -> tuple[str, ...]:
    """Render every tag's feed and the pages; gives the names of the files that changed."""
    feeds = list(tag_feeds(config, vocabulary, store, now))
    status = status_feed(config.site, store.events(STATUS_ENTRIES))
    files = {}
    for feed in (*feeds, status):
        files[f"{feed.tag.slug}.atom"] = render_atom(feed)
        files[f"{feed.tag.slug}.json"] = render_jsonfeed(feed)
    files["index.opml"] = render_opml(config.site, feeds)
    files["index.html"] = render_index(config.site, feeds)
    return tuple(name for name, data in files.items() if writer.write(name, data))


def tag_feeds(
    config: Config, vocabulary: Vocabulary, store: Keeper, now: datetime
) -> Iterator[TagFeed]:
    """The feed of every tag, as it now stands in the store."""
    known = store.save_tags(vocabulary.tags, config.site.url, now)
    names = {tag.key: tag.name for tag in vocabulary.tags}
    for tag in vocabulary.tags:
        live, copies = store.live_entries(tag.key, config.publish.live)
        feed_id, first_seen_at = known[tag.key]
        yield tag_feed(
            tag,
            feed_id,
            config.site,
            config.publish,
            names,
            live,
            copies,
            store.count(tag.key),
            first_seen_at,
        )


def _clippings_feed(config: Config) -> Feed:
    return Feed(config.site.url, config.site.title, config.site.url, None, None)
