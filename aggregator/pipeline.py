"""A run, from feeds.toml to outputs/: the only file in which the stages meet.

    due subscriptions | poll | parse | store      collect
    unmatched entries | match | choose | store    match
    tags              | select | render | write   publish

Each step ends in a transaction, and each begins from what is stored: so a run that is killed
anywhere is completed by the next.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from aggregator import urls
from aggregator.clippings import clipping_from_entry, entries_from_clippings
from aggregator.fetch.schedule import is_due, not_before
from aggregator.match import Matcher, Vocabulary, build_vocabulary, choose_live, is_late
from aggregator.model import (
    Clipping,
    Config,
    Copy,
    Entry,
    EntryChange,
    Feed,
    FeedState,
    Fetched,
    FetchFailed,
    FetchOutcome,
    Gone,
    LiveEntry,
    MatchedEntry,
    NotModified,
    ParsedFeed,
    ParseFailed,
    RunReport,
    StoredEntry,
    Subscription,
    Tag,
    TagFeed,
    Trouble,
    Validators,
)
from aggregator.parse import parse_document
from aggregator.publish.atom import render_atom
from aggregator.publish.opml import render_opml
from aggregator.publish.select import tag_feed
from aggregator.publish.site import render_index

_GONE = "the feed is gone for good (HTTP 410): take it out of feeds.toml, or find its new address"


class Poller(Protocol):
    """What the run needs of `fetch`."""

    def poll(
        self, due: Iterable[tuple[Subscription, Validators]], now: datetime
    ) -> AsyncIterator[tuple[Subscription, FetchOutcome]]:
        """Ask every publisher; give each answer as it comes."""


class Keeper(Protocol):
    """What the run needs of `store`; each method is one transaction."""

    def states(self) -> dict[str, FeedState]: ...
    def slugs(self) -> dict[str, str]: ...
    def clipped_entries(self, urls: Iterable[str]) -> list[Entry]: ...
    def save_clippings(self, entries: Sequence[Entry], site: Feed, now: datetime) -> None: ...
    def save_answer(
        self, subscription: Subscription, fetched: Fetched, parsed: ParsedFeed, body_hash: str,
        now: datetime,
    ) -> list[EntryChange]: ...  # fmt: skip
    def save_not_modified(
        self, subscription: Subscription, validators: Validators, now: datetime
    ) -> None: ...
    def save_failure(
        self, subscription: Subscription, reason: str, not_before: datetime | None, now: datetime
    ) -> int: ...
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


class Progress(Protocol):
    """Somebody who watches."""

    def begin(self, total: int) -> None:
        """``total`` subscriptions will be polled."""

    def polled(self, subscription: Subscription, outcome: str) -> None:
        """One of them has answered, or not."""


async def run(
    config: Config,
    clippings: Sequence[Clipping],
    store: Keeper,
    poller: Poller,
    writer: Writer,
    progress: Progress,
    now: datetime,
) -> RunReport:
    """One pass of the whole line. ``now`` is the time of everything that happens in it.

    Raises StorageError or PublishError; trouble with publishers is in the report.
    """
    tally = _Tally()
    store.save_clippings(entries_from_clippings(clippings), _clippings_feed(config), now)
    await collect(config, store, poller, progress, now, tally)
    polled = store.clipped_entries(config.clippings_urls)
    clippings = [*clippings, *map(clipping_from_entry, polled)]
    vocabulary = build_vocabulary(clippings, config.tags, config.subscriptions, store.slugs())
    tally.matched = match(config, vocabulary, clippings, store, now)
    tally.written = publish(config, vocabulary, store, writer, now)
    return tally.report()


async def collect(
    config: Config,
    store: Keeper,
    poller: Poller,
    progress: Progress,
    now: datetime,
    tally: "_Tally",
) -> None:
    """Poll what is due, and store what it says."""
    states = store.states()
    due = []
    for subscription in config.subscriptions:
        state = states.setdefault(subscription.url, FeedState(subscription.url))
        if is_due(state, subscription, now):
            due.append((subscription, state.validators))
    tally.waiting = len(config.subscriptions) - len(due)
    progress.begin(len(due))
    async for subscription, outcome in poller.poll(due, now):
        state = states[subscription.url]
        words = await _take(subscription, outcome, state, store, now, tally)
        progress.polled(subscription, words)


async def _take(
    subscription: Subscription,
    outcome: FetchOutcome,
    state: FeedState,
    store: Keeper,
    now: datetime,
    tally: "_Tally",
) -> str:
    """Store one answer; gives what became of it, in words."""

    def failed(reason: str, retry_after: timedelta | None = None) -> str:
        streak = store.save_failure(subscription, reason, not_before(now, retry_after), now)
        tally.troubles.append(
            Trouble(subscription.title, urls.redact(subscription.url), reason, streak)
        )
        return reason

    def unchanged(validators: Validators) -> str:
        store.save_not_modified(subscription, validators, now)
        tally.not_modified += 1
        _note_recovery(subscription, state, tally)
        return "not modified"

    match outcome:
        case FetchFailed():
            return failed(outcome.reason, outcome.retry_after)
        case Gone():
            return failed(_GONE)
        case NotModified():
            return unchanged(outcome.validators)
    body_hash = hashlib.sha256(outcome.body).hexdigest()
    if body_hash == state.body_hash:  # a server that does not answer conditional requests
        return unchanged(outcome.validators)
    # In a thread, so that a long document does not make other publishers' answers late.
    parsed = await asyncio.to_thread(parse_document, outcome, now, subscription.language)
    if isinstance(parsed, ParseFailed):
        return failed(parsed.reason)
    changes = store.save_answer(subscription, outcome, parsed, body_hash, now)
    new, modified = changes.count(EntryChange.NEW), changes.count(EntryChange.MODIFIED)
    tally.fetched += 1
    tally.new += new
    tally.modified += modified
    tally.warnings += [f'"{subscription.title}": {warning}' for warning in parsed.warnings]
    if outcome.moved_to:
        moved = f"moved for good to {urls.redact(outcome.moved_to)}: change its url in feeds.toml"
        tally.warnings.append(f'"{subscription.title}": {moved}')
    _note_recovery(subscription, state, tally)
    return f"{new} new, {modified} modified"


def _note_recovery(subscription: Subscription, state: FeedState, tally: "_Tally") -> None:
    if state.failures:
        tally.recovered.append(subscription.title)


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
    files = {f"{feed.tag.slug}.atom": render_atom(feed) for feed in feeds}
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


@dataclass(slots=True)
class _Tally:
    """The report while it grows."""

    fetched: int = 0
    not_modified: int = 0
    waiting: int = 0
    new: int = 0
    modified: int = 0
    matched: int = 0
    written: tuple[str, ...] = ()
    troubles: list[Trouble] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def report(self) -> RunReport:
        return RunReport(
            polled=self.fetched + self.not_modified + len(self.troubles),
            fetched=self.fetched,
            not_modified=self.not_modified,
            waiting=self.waiting,
            new=self.new,
            modified=self.modified,
            matched=self.matched,
            written=self.written,
            troubles=tuple(sorted(self.troubles, key=lambda t: t.title)),
            recovered=tuple(sorted(self.recovered)),
            warnings=tuple(sorted(self.warnings)),
        )
