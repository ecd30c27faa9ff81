"""Finds the feeds of a page: those it announces, then those its publishing system usually has."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from aggregator.discover.conventions import conventional_feeds, linked_feeds, well_known_feeds
from aggregator.model import Fetched, FetchFailed, Gone, Network, ParseFailed, Poll, Subscription
from aggregator.parse.html_links import read_page
from aggregator.text import urls

if TYPE_CHECKING:
    from aggregator.fetch.poller import Fetcher
    from aggregator.parse.pool import ParsingPool

MAX_REQUESTS = 10  # of one kind of URL: they go to one host, with a second between them


@dataclass(frozen=True, slots=True)
class Candidate:
    """A feed that was fetched and parsed."""

    url: str
    title: str
    language: str | None
    entries: int
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Discovery:
    """The feeds, the best first, or the reason why there are none."""

    feeds: tuple[Candidate, ...]
    error: str | None
    requests: int


async def discover(
    address: str,
    fetcher: "Fetcher",
    parser: "ParsingPool",
    now: datetime,
    allow_private: tuple[Network, ...] = (),
) -> Discovery:
    """Find the feeds of a page. ``address`` may be a feed itself, and may omit ``https://``."""
    url = address if "://" in address else f"https://{address}"
    if not urls.is_web(url):
        return Discovery((), "no web address", 0)
    search = _Search(fetcher, parser, now, allow_private)
    outcome = await search.fetch(url)
    page, error = None, "no feed found"
    if isinstance(outcome, Candidate):
        return search.result([outcome], error)
    if isinstance(outcome, Fetched):
        page, url = read_page(outcome.body, outcome.final_url), outcome.final_url
    else:
        error = outcome.reason
        if outcome.unreached:
            return search.result([], error)
    announced = [link.url for link in page.feeds()] if page else []
    feeds = await search.try_each([*announced, *conventional_feeds(url, page)], MAX_REQUESTS)
    if not feeds and page:
        feeds = await search.try_each(linked_feeds(page), MAX_REQUESTS, enough=1)
    if not feeds:
        feeds = await search.try_each(well_known_feeds(url), 2 * MAX_REQUESTS, enough=1)
    # A blog announces a feed of its comments too, which is rarely wanted.
    feeds.sort(key=lambda candidate: "/comments/" in candidate.url)
    return search.result(feeds, error)


@dataclass(slots=True)
class _Search:
    fetcher: "Fetcher"
    parser: "ParsingPool"
    now: datetime
    allow_private: tuple[Network, ...]
    requested: set[str] = field(default_factory=set)

    def result(self, feeds: list[Candidate], error: str) -> Discovery:
        return Discovery(tuple(feeds), None if feeds else error, len(self.requested))

    async def fetch(self, url: str) -> Candidate | Fetched | FetchFailed:
        """The feed at ``url``, or a document that is no feed, or the failure."""
        self.requested.add(url)
        key = urls.without_secrets(url)
        subscription = Subscription(url, key, key, allow_private=self.allow_private)
        outcome = await self.fetcher.fetch(Poll(subscription, url), self.now)
        if isinstance(outcome, FetchFailed):
            return outcome
        if isinstance(outcome, Gone):
            return FetchFailed(key, "HTTP 410 (gone for good)", 410)
        if not isinstance(outcome, Fetched):
            return FetchFailed(key, "its host asked us to wait")
        parsed = await self.parser.parse(outcome, self.now, None)
        if isinstance(parsed, ParseFailed):
            return outcome
        dates = [date for entry in parsed.entries if (date := entry.updated or entry.published)]
        return Candidate(
            url=outcome.moved_to or url,  # a temporary redirect may change tomorrow
            title=parsed.feed.title,
            language=parsed.feed.language,
            entries=len(parsed.entries),
            newest=max(dates, default=None),
        )

    async def try_each(
        self, addresses: Iterable[str], max_requests: int, enough: int | None = None
    ) -> list[Candidate]:
        """The feeds among the first ``addresses`` that are new; stop when there are ``enough``."""
        feeds: dict[str, Candidate] = {}
        new = (url for url in addresses if url not in self.requested)
        for url in islice(new, max_requests):
            outcome = await self.fetch(url)
            if isinstance(outcome, Candidate):
                feeds.setdefault(urls.link_key(outcome.url), outcome)
                if len(feeds) == enough:
                    break
        return list(feeds.values())
