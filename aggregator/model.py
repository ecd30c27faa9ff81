"""The values that cross stages: frozen, slotted, tuples for collections, aware UTC datetimes.

Times that a publisher states keep Atom's names (``published``, ``updated``); times of our own
clock end in ``_at``. Sizes end in ``_bytes``.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

# -- what the operator wrote ---------------------------------------------------------------


class Role(Enum):
    """What a polled feed is to us."""

    SUBSCRIPTION = "subscription"  # its entries are matched and republished
    CLIPPINGS = "clippings"  # its entries are the reader's own clippings


@dataclass(frozen=True, slots=True)
class Subscription:
    """A feed that we poll, as written in feeds.toml.

    ``headers`` and ``authorization`` may hold secrets, so neither is ever shown by ``repr``.
    """

    url: str
    title: str
    tags: tuple[str, ...] = ()
    language: str | None = None
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    authorization: str | None = field(default=None, repr=False)
    min_interval: timedelta = timedelta(0)
    role: Role = Role.SUBSCRIPTION


@dataclass(frozen=True, slots=True)
class TagSettings:
    """A ``[tags."NAME"]`` table of feeds.toml. ``match`` holds regular expressions."""

    name: str
    aliases: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    title: str | None = None
    description: str | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """Who publishes the outputs, and at which address (``url`` ends in a slash)."""

    title: str
    url: str
    author: str
    language: str


@dataclass(frozen=True, slots=True)
class PublishSettings:
    """``live``: entries in a tag's feed; ``backfill``: how many old ones may enter it at once."""

    directory: str
    live: int
    backfill: int
    explain: bool


@dataclass(frozen=True, slots=True)
class Config:
    """feeds.toml, checked. Paths are as written there, relative to its folder."""

    site: Site
    clippings: tuple[str, ...]
    subscriptions: tuple[Subscription, ...]
    tags: tuple[TagSettings, ...]
    store_url: str
    publish: PublishSettings


# -- the reader's clippings ----------------------------------------------------------------


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


# -- fetching ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Validators:
    """Opaque strings of RFC 9110 section 8.8, echoed to the publisher exactly as received."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class FeedState:
    """What the store remembers of a subscription between two runs."""

    url: str
    validators: Validators = Validators()
    body_hash: str | None = None
    fetched_at: datetime | None = None
    succeeded_at: datetime | None = None
    not_before: datetime | None = None
    failures: int = 0
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole answer: ``body`` is decoded, at most the size cap, ``final_url`` after redirects.

    ``moved_to`` is set when every redirect on the way was permanent (301, 308).
    """

    url: str
    final_url: str
    body: bytes
    content_type: str
    validators: Validators
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class NotModified:
    """304: nothing new. ``validators`` are those the answer carried, to refresh ours."""

    url: str
    validators: Validators


@dataclass(frozen=True, slots=True)
class Gone:
    """410: the publisher says that the feed will not come back (RFC 9110 section 15.5.11)."""

    url: str


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Trouble at the publisher's end or on the way, in words for the operator."""

    url: str
    reason: str
    retry_after: timedelta | None = None


FetchOutcome = Fetched | NotModified | Gone | FetchFailed


# -- parsing -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Author:
    """A person construct of RFC 4287 section 3.2."""

    name: str
    email: str | None = None
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class Category:
    """A label the publisher put on an entry (RFC 4287 section 4.2.2)."""

    term: str
    scheme: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A related resource, usually large (RFC 4287 section 4.2.7.2)."""

    url: str
    type: str | None = None
    length_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """What a publisher says of its feed. ``id`` is Atom's, or the feed's own address."""

    id: str
    title: str
    link: str | None = None
    language: str | None = None
    rights: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a feed.

    ``key`` tells entries of one feed apart; ``id`` is the atom:id under which we republish it;
    ``page`` is the link's `urls.link_key` where the link is this entry's own page, so that two
    feeds that carry one story are seen to do so (None where many entries share a link).
    ``title`` and ``text`` are plain; ``summary`` and ``content`` are sanitised HTML with
    absolute links. ``published`` and ``updated`` are None where the publisher says nothing
    believable.
    """

    key: str
    id: str
    title: str
    link: str | None = None
    page: str | None = None
    summary: str = ""
    content: str = ""
    text: str = ""
    authors: tuple[Author, ...] = ()
    categories: tuple[Category, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    published: datetime | None = None
    updated: datetime | None = None
    language: str | None = None
    rights: str | None = None


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A document understood. ``warnings`` say what was odd and how it was read."""

    url: str
    feed: Feed
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParseFailed:
    """A document that is no feed, in words for the operator."""

    url: str
    reason: str


# -- storing -------------------------------------------------------------------------------


class EntryChange(Enum):
    """What an entry of a fetched document is to the store."""

    NEW = "new"
    MODIFIED = "modified"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry with what the store knows of it. ``row`` is the database's own number.

    ``came_with_feed``: it stood in the first document we ever had of its feed.
    ``matched_before``: it was matched in an earlier run, with another vocabulary, and then
    belonged to ``tags``.
    """

    row: int
    feed_url: str
    feed: Feed
    role: Role
    entry: Entry
    first_seen_at: datetime
    changed_at: datetime
    came_with_feed: bool = False
    matched_before: bool = False
    tags: frozenset[str] = frozenset()

    @property
    def date(self) -> datetime:
        """What it is ordered by: the publisher's latest time, or else when we first saw it."""
        return self.entry.updated or self.entry.published or self.first_seen_at


# -- matching ------------------------------------------------------------------------------


class EvidenceKind(Enum):
    """Why an entry belongs to a tag, strongest first."""

    CLIPPED = "clipped"
    CATEGORY = "category"
    SUBSCRIPTION = "subscription"
    RULE = "rule"
    PHRASE = "phrase"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason: ``detail`` is what was found, ``where`` the part of the entry it stood in."""

    kind: EvidenceKind
    detail: str
    where: str
    weight: float


@dataclass(frozen=True, slots=True)
class Match:
    """An entry belongs to a tag (named by its folded key), with its score in 0..1."""

    tag: str
    score: float
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class MatchedEntry:
    """What matching found for the stored entry of database number ``row``.

    ``known`` are the tags it belonged to before, ``late`` says that it is no news (`match.news`),
    ``date`` is what it is ordered by, ``live`` are the tags whose feeds it newly enters.
    """

    row: int
    matches: tuple[Match, ...]
    known: frozenset[str]
    late: bool
    date: datetime
    live: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tag:
    """A subject of the reader's: one output channel.

    ``key`` is the folded name, ``name`` the commonest spelling, ``slug`` the output's file name
    without extension, ``phrases`` every name and alias, folded, ``aliases`` those that are not
    the key, as people spell them, ``clippings`` how many clippings bear it.
    """

    key: str
    name: str
    slug: str
    phrases: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    title: str | None = None
    description: str | None = None
    threshold: float | None = None
    clippings: int = 0


@dataclass(frozen=True, slots=True)
class LiveEntry:
    """A stored entry that stands in a tag's feed, with every match it has."""

    stored: StoredEntry
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """One of the stored entries that show the same page: whoever came first gives the id."""

    page: str
    id: str
    first_seen_at: datetime
    role: Role
    feed_url: str


# -- publishing ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Source:
    """atom:source, the attribution of a republished entry (RFC 4287 section 4.2.11)."""

    id: str
    title: str
    link: str | None = None
    self_url: str | None = None
    updated: datetime | None = None
    rights: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedEntry:
    """An entry exactly as it stands in an output feed. ``content`` and ``summary`` are HTML."""

    id: str
    title: str
    updated: datetime
    link: str | None = None
    published: datetime | None = None
    summary: str = ""
    content: str = ""
    authors: tuple[Author, ...] = ()
    categories: tuple[Category, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    language: str | None = None
    rights: str | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class TagFeed:
    """One output feed. ``updated`` is the newest entry's, never the time of the run."""

    tag: Tag
    id: str
    self_url: str
    site: Site
    updated: datetime
    entries: tuple[PublishedEntry, ...]
    total: int


# -- the run -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trouble:
    """A subscription that failed: ``streak`` counts the failures in a row, this one included."""

    title: str
    url: str
    reason: str
    streak: int


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run did. ``polled`` = fetched + not_modified + len(troubles)."""

    polled: int = 0
    fetched: int = 0
    not_modified: int = 0
    waiting: int = 0
    new: int = 0
    modified: int = 0
    matched: int = 0
    written: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    recovered: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
