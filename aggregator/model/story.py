"""What the store holds: entries with their history, stories, tags, matches and their reasons."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from aggregator.model.config import Role
from aggregator.model.feed import Entry, Feed


class EntryChange(Enum):
    """What an entry of a fetched document is to the store."""

    NEW = "new"
    MODIFIED = "modified"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry with what the store knows of it. ``row`` is the database's own number.

    ``came_with_feed``: it stood in the first document we ever had of its feed. ``pruned_at``: when
    its content was removed, for it belonged to no tag; what is left keeps its place.
    """

    row: int
    feed_url: str
    feed: Feed
    role: Role
    entry: Entry
    first_seen_at: datetime
    changed_at: datetime
    came_with_feed: bool = False
    pruned_at: datetime | None = None

    @property
    def date(self) -> datetime:
        """What it is ordered by: the publisher's latest time, or else when we first saw it."""
        return self.entry.updated or self.entry.published or self.first_seen_at


class EvidenceKind(Enum):
    """Why an entry belongs to a tag, strongest first."""

    DECISION = "decision"
    CLIPPED = "clipped"
    CATEGORY = "category"
    SUBSCRIPTION = "subscription"
    RULE = "rule"
    PHRASE = "phrase"
    SIMILAR = "similar"
    MEANING = "meaning"
    NARROWER = "narrower"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason: ``detail`` is what was found, ``where`` the part of the entry it stood in.

    Of similar evidence they are the words that carried it, and the titles of the clippings that
    have most of them.
    """

    kind: EvidenceKind
    detail: str
    where: str
    weight: float


@dataclass(frozen=True, slots=True)
class Match:
    """An entry belongs to a tag (named by its folded key), with its score in 0..1.

    ``near``: it does not, but nearly; kept only of entries that belong to no tag.
    """

    tag: str
    score: float
    evidence: tuple[Evidence, ...]
    near: bool = False


@dataclass(frozen=True, slots=True)
class MatchedEntry:
    """What matching found for the stored entry of database number ``row``."""

    row: int
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """The reader's word that an entry belongs to a tag (by key), or not. It outlasts everything."""

    row: int
    entry: Entry
    tag: str
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Tag:
    """A subject of the reader's.

    ``key`` is the folded name, ``name`` the commonest spelling, ``phrases`` every name and alias,
    folded, ``aliases`` those that are not the key, as people spell them, ``clippings`` how many
    clippings bear it. ``broader`` are the keys of the tags that hold all of it, and of those that
    hold all of them.
    """

    key: str
    name: str
    phrases: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    title: str | None = None
    description: str | None = None
    threshold: float | None = None
    recall: str | None = None
    excluded_phrases: tuple[str, ...] = ()
    broader: tuple[str, ...] = ()
    clippings: int = 0


@dataclass(frozen=True, slots=True)
class StoryEntry:
    """One of the entries that tell a story, with every match it has."""

    stored: StoredEntry
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """What is published as one entry: the copies of one text, wherever they stand.

    ``id`` is its atom:id, ``updated`` its atom:updated; both are decided once, and only a
    significant change moves the latter. ``ever_published``: it was in some output feed before.
    """

    row: int
    id: str
    updated: datetime
    copies: tuple[StoryEntry, ...]
    ever_published: bool = False

    @property
    def pruned(self) -> bool:
        """Whether nothing is left to show: no copy has its content, and the reader put none into a
        tag since."""
        return bool(self.copies) and all(
            copy.stored.pruned_at and all(match.near for match in copy.matches)
            for copy in self.copies
        )


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What was removed, or would be: the content of how many entries, and its size."""

    entries: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """A story that was looked at: the channels (`Channel.key`) it newly enters, and those it leaves.

    ``date`` is what it is ordered by; ``late``: it is no news.
    """

    story: int
    id: str
    date: datetime
    late: bool
    enters: frozenset[str]
    leaves: frozenset[str]
