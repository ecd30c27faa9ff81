"""What is published, and what a run has to tell."""

from dataclasses import dataclass
from datetime import datetime

from aggregator.model.kept import Tag
from aggregator.model.polled import Author, Category, Enclosure, FeedEvent
from aggregator.model.written import Site


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

    @property
    def title(self) -> str:
        """What feed readers show."""
        return self.tag.title or f"{self.site.title}: #{self.tag.name}"

    @property
    def json_url(self) -> str:
        """Where the same feed is served as JSON Feed."""
        return self.self_url.removesuffix(".atom") + ".json"


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
class RunReport:
    """What one run did. ``polled`` = fetched + not_modified + len(troubles).

    ``waiting`` were not due, or had asked us to wait. ``offline``: no publisher answered, and
    none was punished for it. ``events`` are to be told, once.
    """

    polled: int = 0
    fetched: int = 0
    not_modified: int = 0
    waiting: int = 0
    new: int = 0
    modified: int = 0
    matched: int = 0
    offline: bool = False
    written: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    events: tuple[FeedEvent, ...] = ()
    warnings: tuple[str, ...] = ()
