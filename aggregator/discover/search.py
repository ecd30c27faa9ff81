"""Asks for what a page announces, then for what its publishing system has by convention."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from aggregator.discover.conventions import conventional_feeds, linked_feeds, well_known_feeds
from aggregator.model import (
    Fetched,
    FetchFailed,
    Gone,
    Network,
    ParseFailed,
    Poll,
    Subscription,
)
from aggregator.parse import read_page
from aggregator.text import urls

if TYPE_CHECKING:
    from aggregator.fetch.poller import Fetcher
    from aggregator.parse.pool import ParsingPool

_MOST_ASKED = 10  # of what a page announces; one a second, for they are of one host


@dataclass(frozen=True, slots=True)
class Candidate:
    """A feed that was found, and read."""

    url: str
    title: str
    language: str | None
    entries: int
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, the best first, or why nothing was. ``asked`` counts requests."""

    found: tuple[Candidate, ...]
    trouble: str | None
    asked: int


async def discover(
    address: str,
    visitor: "Fetcher",
    parser: "ParsingPool",
    now: datetime,
    allow_private: tuple[Network, ...] = (),
) -> Search:
    """The feeds of the page at ``address``, which may leave out ``https://``, or that feed itself."""
    url = address if "://" in address else f"https://{address}"
    if not urls.is_web(url):
        return Search((), "no web address", 0)
    search = _Search(visitor, parser, now, allow_private)
    outcome = await search.ask(url)
    if isinstance(outcome, Candidate):
        return Search((outcome,), None, search.asked)
    page = None
    if isinstance(outcome, Fetched):
        page, url = read_page(outcome.body, outcome.final_url), outcome.final_url
    elif outcome.unreached:
        return Search((), outcome.reason, search.asked)
    announced = [link.url for link in page.feeds()] if page else []
    likely = dict.fromkeys((*announced, *conventional_feeds(url, page)))
    found = await search.try_each(likely, _MOST_ASKED)
    if not found and page:
        found = await search.try_each(linked_feeds(page), _MOST_ASKED, enough=1)
    if not found:
        found = await search.try_each(well_known_feeds(url), _MOST_ASKED * 2, enough=1)
    # A blog's comments are announced beside its posts, and are what nobody looks for.
    found.sort(key=lambda candidate: "/comments/" in candidate.url)
    if found:
        return Search(tuple(found), None, search.asked)
    trouble = outcome.reason if isinstance(outcome, FetchFailed) else "no feed was found there"
    return Search((), trouble, search.asked)


class _Search:
    def __init__(
        self,
        visitor: "Fetcher",
        parser: "ParsingPool",
        now: datetime,
        allow_private: tuple[Network, ...],
    ) -> None:
        self.asked = 0
        self._visitor = visitor
        self._parser = parser
        self._now = now
        self._allow_private = allow_private
        self._seen: set[str] = set()

    async def ask(self, url: str) -> Candidate | Fetched | FetchFailed:
        """The feed at ``url``, or the document that is none, or the trouble."""
        self.asked += 1
        self._seen.add(url)
        key = urls.without_secrets(url)
        subscription = Subscription(url, key, key, allow_private=self._allow_private)
        outcome = await self._visitor.fetch(Poll(subscription, url), self._now)
        if isinstance(outcome, FetchFailed):
            return outcome
        if not isinstance(outcome, Fetched):
            gone = isinstance(outcome, Gone)
            reason = "HTTP 410 (gone for good)" if gone else "its host asked us to wait"
            return FetchFailed(key, reason, 410 if gone else None)
        parsed = await self._parser.parse(outcome, self._now, None)
        if isinstance(parsed, ParseFailed):
            return outcome
        dates = [date for e in parsed.entries if (date := e.updated or e.published)]
        # The final address only if it moved for good: any other redirect may change tomorrow.
        return Candidate(
            url=outcome.moved_to or url,
            title=parsed.feed.title,
            language=parsed.feed.language,
            entries=len(parsed.entries),
            newest=max(dates, default=None),
        )

    async def try_each(
        self, addresses: Iterable[str], most: int, enough: int | None = None
    ) -> list[Candidate]:
        """The feeds among ``addresses``, of which ``most`` are asked; ``enough`` ends it early."""
        found: dict[str, Candidate] = {}
        new = (url for url in addresses if url not in self._seen)
        for url in islice(new, most):
            answer = await self.ask(url)
            if isinstance(answer, Candidate):
                found.setdefault(urls.link_key(answer.url), answer)
                if len(found) == enough:
                    break
        return list(found.values())
