"""feeds.toml and the clippings, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from ipaddress import IPv4Network, IPv6Network

Network = IPv4Network | IPv6Network


class Role(Enum):
    """How a polled feed is used."""

    SUBSCRIPTION = "subscription"  # its entries are matched and republished
    CLIPPINGS = "clippings"  # its entries are the reader's own clippings
    PRIVATE_CLIPPINGS = "private clippings"  # the same, and nothing of them is published


@dataclass(frozen=True, slots=True)
class Subscription:
    """A feed that we poll, as written in feeds.toml.

    ``key``: its address without token-like parameters. The store uses it as the name of the feed, so
    the database contains no secret, and a new token does not make a new feed. ``url`` (without
    userinfo), ``headers`` and ``authorization`` may contain secrets, so ``repr`` hides them.
    ``allow_private``: networks outside the public Internet from which it may be fetched.
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

    ``match``: regular expressions. ``excluded_phrases`` (``not`` in feeds.toml): phrases in which the
    tag's names mean something else. ``recall``: "high" or None. ``broader``: tags that contain it.
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
    """A ``[[feeds]]`` table of feeds.toml. `text.query` parses the ``query``."""

    name: str
    query: str
    title: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """The publisher of the outputs, and their address (``url`` ends with a slash)."""

    title: str
    url: str
    author: str
    language: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """S3-compatible object storage for the outputs, instead of a folder.

    ``prefix`` has no slash at either end. ``endpoint`` None means Amazon. ``credentials``: key and
    secret, hidden from ``repr``; None takes them from the environment.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    credentials: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """The ``[publish]`` table of feeds.toml.

    ``live``: entries in a live feed; ``per_source``: of one subscription at most. ``backfill``: old
    entries that may enter a live feed at once. ``summary_only``: keys of the subscriptions that are
    republished as summaries. ``source_titles``: the titles in feeds.toml, by key of the subscription;
    they replace the publishers' own. ``also``: feeds of our own beside those of the tags.
    ``archive_all``: "all" has an archive. ``thumbnails``: pages load the pictures of entries.
    ``compress``: codings ("gzip", "br") of precompressed siblings. ``metrics``: the path of the file
    for Prometheus. ``allow_private``: for the hub. ``bucket``: the object storage that ``directory``
    names, if it names one.
    """

    directory: str
    live: int
    backfill: int
    explain: bool
    summary_only: frozenset[str] = frozenset()
    source_titles: Mapping[str, str] = field(default_factory=dict)
    per_source: int = 20
    also: tuple[str, ...] = ("all", "unmatched", "near-miss")
    archive_all: bool = False
    thumbnails: bool = True
    compress: tuple[str, ...] = ()
    hub: str | None = None
    metrics: str | None = None
    allow_private: tuple[Network, ...] = ()
    bucket: Bucket | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """feeds.toml, validated. Paths are as written there, relative to its folder.

    ``public_clippings``: those of ``clippings`` that may be published although they are marked as
    private.
    ``semantic``: entries are also compared with the clippings by meaning (sentence embeddings).
    ``keep_unmatched_days``: how long entries without a tag keep their content; 0 means for ever.
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
    public_clippings: tuple[str, ...] = ()

    @property
    def sources(self) -> list[Subscription]:
        """The subscriptions whose entries are republished, sorted by title."""
        sources = [s for s in self.subscriptions if s.role is Role.SUBSCRIPTION]
        return sorted(sources, key=lambda source: (source.title, source.key))

    @property
    def tag_names(self) -> tuple[str, ...]:
        """The tags that feeds.toml names, and their aliases."""
        of_tags = (name for tag in self.tags for name in (*tag.aliases, *tag.broader, tag.name))
        return (*(tag for s in self.subscriptions for tag in s.tags), *of_tags)

    def keys(self, role: Role) -> tuple[str, ...]:
        """The keys of the polled feeds with this role."""
        return tuple(s.key for s in self.subscriptions if s.role is role)


@dataclass(frozen=True, slots=True)
class Clipping:
    """A passage that the reader kept. ``excerpt`` is plain text with blank lines between paragraphs.

    ``clipped_at``: known only where the format has it (bookmark files, feeds). ``private``: matching
    learns from it, and nothing of it is published.
    """

    title: str
    link: str | None
    excerpt: str
    tags: tuple[str, ...]
    clipped_at: datetime | None = None
    private: bool = False
