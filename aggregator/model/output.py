"""The outputs, and the report of a run."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from urllib.parse import quote

from aggregator.model.config import Site
from aggregator.model.feed import Author, Category, Enclosure, FeedEvent, Source


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a story belongs to a tag: the score (0 to 1) and the strongest evidence as a text.

    ``near``: the story does not belong to the tag, but nearly.
    """

    tag: str
    score: float
    words: str
    near: bool = False


@dataclass(frozen=True, slots=True)
class PublishedEntry:
    """An entry exactly as an output feed contains it. ``content`` and ``summary`` are HTML.

    All addresses are URIs. ``source`` is the feed from which the entry comes, None if the reader
    clipped it; ``via`` is the feed that republished it to us. ``related``: addresses of other copies
    of the story. ``reasons``: why the entry is in the feed, one per tag. ``lead``: the first words as
    plain text. ``image``: the address of its picture.
    """

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
    related: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    lead: str = ""
    image: str | None = None
    via: Source | None = None


class ChannelKind(Enum):
    """What decides whether a story belongs to an output feed."""

    TAG = "tag"  # one of the reader's tags
    QUERY = "query"  # a query of [[feeds]]
    OWN = "own"  # ours: all, unmatched, near-miss


@dataclass(frozen=True, slots=True)
class Channel:
    """An output feed. Its ``id`` and ``slug`` never change.

    ``key``: the kind and the folded name. ``slug``: the name of its files without extension.
    ``ended_at``: when its tag or query was removed from feeds.toml.
    """

    key: str
    kind: ChannelKind
    name: str
    slug: str
    id: str
    first_seen_at: datetime
    title: str | None = None
    description: str | None = None
    ended_at: datetime | None = None

    def is_archived(self, *, archive_all: bool) -> bool:
        """Whether the feed has an archive. Of our own feeds only "all" can have one, if enabled."""
        return self.kind is not ChannelKind.OWN or (archive_all and self.name == "all")


@dataclass(frozen=True, slots=True)
class OutputFeed:
    """One output document. ``updated`` is that of the newest entry, never the time of the run.

    ``path``: the file's name in the output folder, without extension; ``previous``, ``next`` and
    ``current`` likewise. ``archive``: an archive document (RFC 5005 section 4), else the live feed.
    ``total``: the number of stories in the live feed and the archive. ``query``: the query string
    of a feed that was made on demand, which has no page.
    """

    channel: Channel
    path: str
    site: Site
    updated: datetime
    entries: tuple[PublishedEntry, ...]
    total: int
    archive: bool = False
    previous: str | None = None
    next: str | None = None
    current: str | None = None
    hub: str | None = None
    query: str | None = None

    @property
    def title(self) -> str:
        """What feed readers show."""
        mark = "#" if self.channel.kind is ChannelKind.TAG else ""
        return self.channel.title or f"{self.site.title}: {mark}{self.channel.name}"

    @property
    def home(self) -> str:
        """The address of its page, or of the site if it has none."""
        return self.site.url if self.query else self.address("html", self.channel.slug)

    def address(self, extension: str, path: str | None = None) -> str:
        """The address of this document, or of the one at ``path``."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.site.url}{quote(path or self.path)}.{extension}{query}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A failed subscription. ``streak``: failures in a row, including this one.

    ``new``: the feed has never been fetched.
    """

    title: str
    url: str
    reason: str
    streak: int
    new: bool = False


@dataclass(frozen=True, slots=True)
class StageCost:
    """The cost of one stage. ``size_bytes``: bytes read or written. ``entries``: entries processed.

    The seconds of "parse" are those of all child processes, which work beside the other stages.
    """

    stage: str
    wall_seconds: float
    cpu_seconds: float
    size_bytes: int = 0
    entries: int = 0


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run did. ``polled`` = fetched + not_modified + len(troubles).

    ``waiting``: subscriptions that were not due, or asked us to wait. ``offline``: no feed answered;
    the failures do not count. ``events``: to be shown once. ``pruned``: entries whose content was
    removed.
    """

    polled: int = 0
    fetched: int = 0
    not_modified: int = 0
    waiting: int = 0
    new: int = 0
    modified: int = 0
    matched: int = 0
    pruned: int = 0
    offline: bool = False
    written: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    events: tuple[FeedEvent, ...] = ()
    warnings: tuple[str, ...] = ()
    stages: tuple[StageCost, ...] = ()
