"""The pages that people read in a browser. The one file that uses Jinja2. Pure.

They load nothing and run nothing but the filter box of the index. Style and script are in them,
and the Content-Security-Policy names those by hash, so that nothing a publisher writes can ever
run there. What a publisher writes is shown as plain text.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from hashlib import sha256
from itertools import groupby
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aggregator.model import (
    ChannelKind,
    Clipping,
    FeedEvent,
    FeedState,
    OutputFeed,
    PublishedEntry,
    Site,
    Subscription,
)
from aggregator.publish.translations import Words, words

_MONTHS = 12  # of a sparkline

Counts = Mapping[str, int]  # of stories, by month
Placed = tuple[PublishedEntry, Sequence[str]]  # an entry, and the keys of the channels it is in


@dataclass(frozen=True, slots=True)
class IndexPage:
    """``counts`` are those of each channel."""

    counts: Mapping[str, Counts]
    newest: Sequence[Placed]


@dataclass(frozen=True, slots=True)
class ChannelPage:
    """``documents`` are the names of those of its archive, in the order of time; ``related`` are
    keys of tags, with the number of stories that they share with this."""

    feed: OutputFeed
    months: Counts
    documents: Sequence[str]
    related: Sequence[tuple[str, int]]
    clippings: Sequence[Clipping]


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A subscription, with what of it was published last, and what happened to it."""

    subscription: Subscription
    state: FeedState
    entries: Sequence[PublishedEntry]
    events: Sequence[FeedEvent]


@dataclass(frozen=True, slots=True)
class StatusPage:
    """Every subscription with its state, and what happened to them, the latest first."""

    subscriptions: Sequence[Subscription]
    states: Mapping[str, FeedState]
    totals: Mapping[str, int]
    events: Sequence[FeedEvent]


@dataclass(frozen=True, slots=True)
class _Row:
    """A feed in the list of all, with its stories of the last year as `_bars`."""

    feed: OutputFeed
    total: int
    bars: list[tuple[int, float]]


class Pages:
    """Renders the pages of one site; ``sources`` are the files of those of its subscriptions, by
    their keys."""

    def __init__(self, site: Site, sources: Mapping[str, str], feeds: Sequence[OutputFeed]) -> None:
        self._site = site
        self._words = words(site.language)
        self._feeds = {feed.channel.key: feed for feed in feeds}
        self._sources = sources

    def index(self, page: IndexPage) -> bytes:
        """``index.html``: every feed, and the newest entries of all."""
        last = max((month for counts in page.counts.values() for month in counts), default="")
        rows = [
            _Row(feed, sum(counts.values()), _bars(counts, last))
            for key, feed in self._feeds.items()
            for counts in [page.counts.get(key, {})]
            if feed.channel.ended_at is None
        ]
        rows.sort(key=lambda row: -row.total)
        tags = [row for row in rows if row.feed.channel.kind is ChannelKind.TAG]
        others = [row for row in rows if row.feed.channel.kind is not ChannelKind.TAG]
        newest = [(entry, self._tags_of(places)) for entry, places in page.newest]
        return self._render("index.html", "", tags=tags, others=others, newest=newest)

    def channel(self, page: ChannelPage) -> bytes:
        """The page of an output feed: its live entries by day, with the reasons for them."""
        feed = page.feed
        days = groupby(feed.entries, key=lambda entry: entry.updated.date())
        return self._render(
            "channel.html",
            "",
            feed=feed,
            days=[(day, list(entries)) for day, entries in days],
            bars=_bars(page.months, max(page.months, default="")),
            documents=list(reversed(page.documents)),
            related=[(self._feeds[key], n) for key, n in page.related if key in self._feeds],
            clippings=page.clippings,
        )

    def source(self, page: SourcePage) -> bytes:
        """The page of a subscription."""
        days = groupby(page.entries, key=lambda entry: entry.updated.date())
        return self._render(
            "source.html",
            "../",
            subscription=page.subscription,
            state=page.state,
            days=[(day, list(entries)) for day, entries in days],
            events=page.events,
        )

    def status(self, page: StatusPage) -> bytes:
        """``_status.html``: the health of every subscription. No clock is in it: what it says
        changes when something happens to a subscription, not when it is polled."""
        rows = [
            {
                "subscription": subscription,
                "state": state,
                "total": page.totals.get(subscription.key, 0),
                "href": self._sources[subscription.key] if state.fetched_at else None,
            }
            for subscription in page.subscriptions
            for state in [page.states.get(subscription.key) or FeedState(subscription.key)]
        ]
        return self._render("status.html", "", rows=rows, events=page.events)

    def _label(self, feed: OutputFeed) -> str:
        """What a feed is called on its own site."""
        channel = feed.channel
        match channel.kind:
            case ChannelKind.TAG:
                return f"#{channel.name}"
            case ChannelKind.OWN:
                return self._words.own_titles[channel.name]
            case ChannelKind.QUERY:
                return channel.title or channel.name

    def _tags_of(self, places: Sequence[str]) -> list[OutputFeed]:
        found = (self._feeds[key] for key in places if key in self._feeds)
        return [
            feed
            for feed in found
            if feed.channel.kind is ChannelKind.TAG and feed.channel.ended_at is None
        ]

    def _render(self, template: str, root: str, **values: Any) -> bytes:
        style, script = _asset("style.css"), _asset("filter.js")
        page = (
            _environment()
            .get_template(template)
            .render(
                site=self._site,
                words=self._words,
                root=root,
                label=self._label,
                style=style,
                script=script,
                style_hash=_hash(style),
                script_hash=_hash(script),
                **values,
            )
        )
        return page.encode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("aggregator.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["segment"] = quote
    environment.filters["breakable"] = _breakable
    environment.filters["day"] = _day
    environment.filters["month"] = _month
    return environment


@cache
def _asset(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _bars(counts: Counts, last: str) -> list[tuple[int, float]]:
    """The heights, 0 to 1, of the twelve months up to ``last``, by their places."""
    if not last:
        return []
    end = int(last[:4]) * 12 + int(last[5:]) - 1
    months = [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(end - _MONTHS + 1, end + 1)]
    most = max((counts.get(month, 0) for month in months), default=0)
    return [
        (place, round(counts[month] / most, 2))
        for place, month in enumerate(months)
        if counts.get(month)
    ]


def _breakable(name: str) -> Markup:
    """A long tag may break behind its separators, and nowhere else."""
    return Markup("<wbr>").join(re.split(r"(?<=[_/-])", name))


def _day(day: date, own: Words) -> str:
    """A day as a person would write it."""
    return own.day.format(day=day.day, month=own.months[day.month - 1], year=day.year)


def _month(name: str, own: Words) -> str:
    """``2026-11``, or ``2026-11.002``, as a person would write it."""
    month, _, part = name.partition(".")
    return f"{own.months[int(month[5:]) - 1]} {month[:4]}" + (f" ({int(part)})" if part else "")


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
