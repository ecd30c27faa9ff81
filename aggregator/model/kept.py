"""What the store holds: entries with their history, tags, matches and the reasons for them."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from aggregator.model.polled import Entry, Feed
from aggregator.model.written import Role


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
