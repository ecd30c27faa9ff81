"""What the operator and the reader wrote: feeds.toml and the clippings."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network


class Role(Enum):
    """What a polled feed is to us."""

    SUBSCRIPTION = "subscription"  # its entries are matched and republished
    CLIPPINGS = "clippings"  # its entries are the reader's own clippings


@dataclass(frozen=True, slots=True)
class Subscription:
    """A feed that we poll, as written in feeds.toml.

    ``key`` is its address without token-like parameters: what we store it under, so that no
    secret is in the database, and a new token does not make it a new feed. ``url`` (which holds
    no userinfo), ``headers`` and ``authorization`` may hold secrets, so ``repr`` shows none.
    ``allow_private`` are the networks, not of the public Internet, that it may be fetched from.
    """

    url: str = field(repr=False)
    title: str
    key: str
    tags: tuple[str, ...] = ()
    language: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    authorization: str | None = field(default=None, repr=False)
    min_interval: timedelta = timedelta(0)
    allow_private: tuple[Network, ...] = ()
    role: Role = Role.SUBSCRIPTION


@dataclass(frozen=True, slots=True)
class TagSettings:
    """A ``[tags."NAME"]`` table of feeds.toml.

    ``match`` holds regular expressions; ``excluded_phrases`` (there ``not``) are phrases in which the names
    mean something else; ``recall`` is "high" or None; ``broader`` are tags that hold all of it.
    """

    name: str
    aliases: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    title: str | None = None
    description: str | None = None
    threshold: float | None = None
    recall: str | None = None
    excluded_phrases: tuple[str, ...] = ()
    broader: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CombinedFeed:
    """A ``[[feeds]]`` table of feeds.toml. ``query`` is its text, which `query` reads."""

    name: str
    query: str
    title: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """Who publishes the outputs, and at which address (``url`` ends in a slash)."""

    title: str
    url: str
    author: str
    language: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where outputs go that go to no folder: S3-compatible object storage.

    ``prefix`` has no slash around it; ``endpoint`` None is Amazon's. ``credentials`` are the key
    and its secret, so ``repr`` shows none; None leaves them to the environment.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    credentials: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """``live``: entries in a live feed; ``backfill``: how many old ones may enter it at once.

    ``per_source``: how many of them may come from one subscription. ``summary_only`` are the keys
    of subscriptions of which only summaries are republished. ``also`` are feeds of ours beside
    those of the tags; ``archive_all``: that of everything has an archive. ``compress`` are codings ("gzip", "br") of sibling files. ``metrics`` is
    the path of the file for Prometheus, or None; ``allow_private`` is for the hub. ``bucket`` is
    what ``directory`` names if that is no folder.
    """

    directory: str
    live: int
    backfill: int
    explain: bool
    summary_only: frozenset[str] = frozenset()
    per_source: int = 20
    also: tuple[str, ...] = ("all", "unmatched", "near-miss")
    archive_all: bool = False
    compress: tuple[str, ...] = ()
    hub: str | None = None
    metrics: str | None = None
    allow_private: tuple[Network, ...] = ()
    bucket: Bucket | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """feeds.toml, checked. Paths are as written there, relative to its folder.

    ``semantic``: entries are also compared with the clippings by what they mean.
    ``keep_unmatched_days``: how long the content of entries of no tag is kept; 0 is for ever.
    """

    site: Site
    clippings: tuple[str, ...]
    subscriptions: tuple[Subscription, ...]
    tags: tuple[TagSettings, ...]
    store_url: str
    publish: PublishSettings
    feeds: tuple[CombinedFeed, ...] = ()
    semantic: bool = False
    keep_unmatched_days: int = 180

    @property
    def sources(self) -> list[Subscription]:
        """The feeds whose entries are republished, by their titles."""
        sources = [s for s in self.subscriptions if s.role is Role.SUBSCRIPTION]
        return sorted(sources, key=lambda source: (source.title, source.key))

    @property
    def clippings_keys(self) -> tuple[str, ...]:
        """The polled feeds whose entries are the reader's clippings."""
        return tuple(s.key for s in self.subscriptions if s.role is Role.CLIPPINGS)


@dataclass(frozen=True, slots=True)
class Clipping:
    """A passage that the reader kept. ``excerpt`` is plain text, paragraphs apart by a blank line.

    ``clipped_at`` is known only where the format says it (bookmark files, feeds).
    """

    title: str
    link: str | None
    excerpt: str
    tags: tuple[str, ...]
    clipped_at: datetime | None = None
