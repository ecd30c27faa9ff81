"""Renders HTML pages with Jinja2. Pure.

Pages load nothing except the pictures of entries, and run nothing except the tag filter of the index.
Style and script are inline, and the Content-Security-Policy allows only their hashes, so nothing from
a publisher can ever run. Text from publishers is shown as plain text.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import groupby
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aggregator.model import (
    ChannelKind,
    Clipping,
    Enclosure,
    FeedEvent,
    FeedState,
    OutputFeed,
    PublishedEntry,
    Site,
    Subscription,
)
from aggregator.publish.translations import load_translator

_SPARKLINE_MONTHS = 12
_MAX_ENCLOSURES = 10  # shown of one entry

MonthCounts = Mapping[str, int]  # number of stories, by month such as "2026-11"


class Pages:
    """Renders the pages of one site.

    ``source_files`` maps subscription keys to the files of their pages; ``feeds`` are the heads of
    all feeds. ``thumbnails``: show the pictures of entries, which browsers load from the publishers.
    """

    def __init__(
        self,
        site: Site,
        source_files: Mapping[str, str],
        feeds: Sequence[OutputFeed],
        *,
        thumbnails: bool = True,
    ) -> None:
        self._site = site
        self._translator = load_translator(site.language)
        self._source_files = source_files
        self._thumbnails = thumbnails
        self._feeds = {feed.channel.key: feed for feed in feeds}

    def index(
        self,
        counts: Mapping[str, MonthCounts],
        newest: Iterable[tuple[PublishedEntry, Sequence[str]]],
    ) -> bytes:
        """``index.html``: all feeds, and the newest entries.

        ``counts`` are by channel key. Each entry of ``newest`` has the keys of its channels.
        """
        last_month = max((month for months in counts.values() for month in months), default="")
        rows = []
        for key, feed in self._feeds.items():
            if feed.channel.ended_at is None:
                months = counts.get(key, {})
                rows.append((feed, sum(months.values()), _sparkline(months, last_month)))
        rows.sort(key=lambda row: -row[1])
        return self._render(
            "index.html",
            tags=[row for row in rows if row[0].channel.kind is ChannelKind.TAG],
            others=[row for row in rows if row[0].channel.kind is not ChannelKind.TAG],
            newest=[(entry, self._tag_feeds(keys)) for entry, keys in newest],
        )

    def channel(
        self,
        feed: OutputFeed,
        counts: MonthCounts,
        archive_names: Sequence[str],
        related: Iterable[tuple[str, int]],
        clippings: Sequence[Clipping],
    ) -> bytes:
        """The page of a feed: its live entries by day, with the reasons for them.

        ``archive_names`` are the archive documents, oldest first; ``related`` are keys of tag
        channels, with the number of stories in common.
        """
        return self._render(
            "channel.html",
            feed=feed,
            days=_by_day(feed.entries),
            bars=_sparkline(counts, max(counts, default="")),
            archive_names=archive_names[::-1],
            related=[(self._feeds[key], shared) for key, shared in related if key in self._feeds],
            clippings=clippings,
        )

    def source(
        self,
        subscription: Subscription,
        state: FeedState,
        entries: Sequence[PublishedEntry],
        events: Sequence[FeedEvent],
    ) -> bytes:
        """The page of a subscription: its newest entries, and what happened to it, latest first."""
        return self._render(
            "source.html",
            root="../",
            subscription=subscription,
            state=state,
            days=_by_day(entries),
            events=events,
        )

    def status(
        self,
        subscriptions: Iterable[Subscription],
        states: Mapping[str, FeedState],
        totals: Mapping[str, int],
        events: Sequence[FeedEvent],
    ) -> bytes:
        """``_status.html``: the health of every subscription, and what happened, latest first.

        It shows no time of a poll, so it changes only when something happens to a subscription.
        ``states`` and ``totals`` (numbers of entries) are by subscription key.
        """
        rows = []
        for subscription in subscriptions:
            key = subscription.key
            state = states.get(key) or FeedState(key)
            file = self._source_files[key] if state.fetched_at else None
            rows.append((subscription, state, totals.get(key, 0), file))
        return self._render("status.html", rows=rows, events=events)

    def _label(self, feed: OutputFeed) -> str:
        """The name of a feed on its own site."""
        channel = feed.channel
        match channel.kind:
            case ChannelKind.TAG:
                return f"#{channel.name}"
            case ChannelKind.OWN:
                return self._translator.own_channel(channel.name)[0]
            case ChannelKind.QUERY:
                return channel.title or channel.name

    def _tag_feeds(self, keys: Sequence[str]) -> list[OutputFeed]:
        """Of the channels ``keys``, the feeds of tags that still exist."""
        feeds = (self._feeds[key] for key in keys if key in self._feeds)
        return [
            f for f in feeds if f.channel.kind is ChannelKind.TAG and f.channel.ended_at is None
        ]

    def _render(self, template: str, root: str = "", **values: Any) -> bytes:
        style, script = _asset("style.css"), _asset("filter.js")
        page = (
            _environment(self._site.language)
            .get_template(template)
            .render(
                site=self._site,
                language=self._translator.code,
                root=root,
                label=self._label,
                thumbnails=self._thumbnails,
                style=style,
                style_hash=_csp_hash(style),
                script=script,
                script_hash=_csp_hash(script),
                **values,
            )
        )
        return page.encode()


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("aggregator.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    translator = load_translator(language)
    environment.install_gettext_translations(translator.catalogue, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {
        "breakable": _breakable,
        "condition": translator.condition,
        "day": translator.day,
        "enclosure": translator.enclosure,
        "month": translator.month,
        "news": translator.news,
        "origin": translator.origin,
        "other_enclosures": _other_enclosures,
        "picture_text": _picture_text,
        "segment": quote,
    }
    return environment


@cache
def _asset(name: str) -> str:
    return (files("aggregator.publish") / "templates" / name).read_text("utf-8")


def _by_day(entries: Iterable[PublishedEntry]) -> list[tuple[date, list[PublishedEntry]]]:
    days = groupby(entries, key=lambda entry: entry.updated.date())
    return [(day, list(entries_of_day)) for day, entries_of_day in days]


def _other_enclosures(entry: PublishedEntry) -> list[Enclosure]:
    """The enclosures of an entry, apart from its picture."""
    return [e for e in entry.enclosures if e.url != entry.image][:_MAX_ENCLOSURES]


def _picture_text(entry: PublishedEntry) -> str:
    """What the picture of an entry shows, empty if nobody says so."""
    return next((e.title for e in entry.enclosures if e.title and e.url == entry.image), "")


def _sparkline(counts: MonthCounts, last_month: str) -> list[tuple[int, float]]:
    """Bars of a chart of the twelve months up to ``last_month``: position 0 to 11, and height above
    0 up to 1. Months without stories have no bar."""
    if not last_month:
        return []
    year, month = map(int, last_month.split("-"))
    end = year * 12 + month
    numbers = range(end - _SPARKLINE_MONTHS, end)
    heights = [counts.get(f"{number // 12:04}-{number % 12 + 1:02}", 0) for number in numbers]
    return [(i, round(height / max(heights), 2)) for i, height in enumerate(heights) if height]


def _breakable(name: str) -> Markup:
    """Allow a line break in a long tag after each separator, and nowhere else."""
    return Markup("<wbr>").join(re.split(r"(?<=[_/-])", name))


def _csp_hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()
