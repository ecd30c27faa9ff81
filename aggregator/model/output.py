"""What is published, and what a run has to tell."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from urllib.parse import quote

from aggregator.model.config import Site
from aggregator.model.feed import Author, Category, Enclosure, FeedEvent


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
class Reason:
    """Why a story belongs to a tag, with the score in 0..1: its strongest evidence, in words.

    ``near``: it does not, but nearly.
    """

    tag: str
    score: float
    words: str
    near: bool = False


@dataclass(frozen=True, slots=True)
class PublishedEntry:
    """An entry exactly as it stands in an output feed. ``content`` and ``summary`` are HTML.

    ``related`` are the addresses of the other places where the story stands, ``reasons`` why it is
    here, each tag once; ``lead`` are its first words, plain.
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


class ChannelKind(Enum):
    """What makes a story belong to an output feed."""

    TAG = "tag"  # a tag of the reader's
    QUERY = "query"  # a query of [[feeds]]
    OWN = "own"  # all, unmatched, near-miss


@dataclass(frozen=True, slots=True)
class Channel:
    """An output feed, as something that lasts: its ``id`` and ``slug`` never change.

    ``key`` is the kind and the folded name; ``slug`` is the name of its files without extension;
    ``ended_at`` is set once its tag or query is no more.
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
        """Whether it has an archive: of our own feeds, which are there to watch the matching, at most
        "all" has, if feeds.toml wants it."""
        return self.kind is not ChannelKind.OWN or (archive_all and self.name == "all")


@dataclass(frozen=True, slots=True)
class OutputFeed:
    """One output document. ``updated`` is its newest entry's, never the time of the run.

    ``path`` is the file's name in the output folder, without its extension. ``archive``: it is a
    month of the archive (RFC 5005 section 4), else the live feed. ``previous``, ``next`` and
    ``current`` are paths like ``path``. ``total`` counts the stories of live feed and archives.
    ``query`` is that of its address, if it was made on demand; then it has no page.
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
        """The page that shows it: that of its tag, or of the site."""
        return self.site.url if self.query else self.address("html", self.channel.slug)

    def address(self, extension: str, path: str | None = None) -> str:
        """Where this document is served, or that of ``path``; names may hold any letters."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.site.url}{quote(path or self.path)}.{extension}{query}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A subscription that failed: ``streak`` counts the failures in a row, this one included.

    ``new``: it has never answered.
    """

    title: str
    url: str
    reason: str
    streak: int
    new: bool = False


@dataclass(frozen=True, slots=True)
class StageCost:
    """What a stage of a run cost. ``size_bytes`` were read or written, ``entries`` gone through.

    Of "parse" the seconds are those of all children together, while the others' go on.
    """

    stage: str
    wall_seconds: float
    cpu_seconds: float
    size_bytes: int = 0
    entries: int = 0


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run did. ``polled`` = fetched + not_modified + len(troubles).

    ``waiting`` were not due, or had asked us to wait. ``offline``: no publisher answered, and
    none was punished for it. ``events`` are to be told, once. ``pruned`` counts the entries whose
    content was removed.
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
