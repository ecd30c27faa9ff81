"""What a reader of one format takes from a document; `normalize` makes entries of it."""

from dataclasses import dataclass, field
from datetime import datetime

from aggregator.model import Author, Category, Enclosure, PollHints, Source

UNKNOWN_FORMAT = "unknown format"


class NotAFeed(Exception):
    """The document is readable and is not a feed; the message says what it is."""


@dataclass(slots=True)
class EntryDraft:
    """An entry as the document states it; the HTML is not sanitised.

    ``base`` is the xml:base that applies to the link, ``content_base`` the one that applies to all
    other addresses; both are absolute, or empty if there is none. ``image`` is the address of the
    picture. ``notes``: see `model.ParsedFeed`.
    """

    base: str = ""
    content_base: str = ""
    guid: str = ""
    atom_id: str = ""
    title_html: str = ""
    link: str = ""
    summary_html: str = ""
    content_html: str = ""
    authors: list[Author] = field(default_factory=list)
    categories: list[Category] = field(default_factory=list)
    enclosures: list[Enclosure] = field(default_factory=list)
    published: datetime | None = None
    updated: datetime | None = None
    language: str = ""
    rights: str = ""
    image: str = ""
    source: Source | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class FeedDraft:
    """A feed as the document states it. ``authors`` apply to entries that name none.

    ``base`` is absolute: the feed's xml:base, or else its address. ``is_cut``: the document ends too
    early.
    """

    base: str
    id: str = ""
    title_html: str = ""
    link: str = ""
    language: str = ""
    rights: str = ""
    authors: list[Author] = field(default_factory=list)
    generator: str = ""
    entries: list[EntryDraft] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hints: PollHints = field(default_factory=PollHints)
    is_cut: bool = False
