"""Stored entries, the stories they tell, tags, and matches with their evidence."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from aggregator.model.config import Role
from aggregator.model.feed import Entry, Feed


class EntryChange(Enum):
    """How an entry of a document compares with the stored one."""

    NEW = "new"
    MODIFIED = "modified"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry with its history. ``row`` is its id in the database.

    ``came_with_feed``: it was in the first document of its feed. ``pruned_at``: when its content was
    removed because it belonged to no tag.
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
        """The date for sorting: the publisher's latest time, else when we first saw the entry."""
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
    """One reason for a match. ``detail``: the text found; ``where``: the part of the entry.

    For similar evidence: the words that contributed most, and the titles of the nearest clippings.
    """

    kind: EvidenceKind
    detail: str
    where: str
    weight: float


@dataclass(frozen=True, slots=True)
class Match:
    """An entry belongs to a tag. ``tag`` is the tag's key, ``score`` is between 0 and 1.

    ``near``: the entry nearly belongs; stored only for entries that belong to no tag.
    """

    tag: str
    score: float
    evidence: tuple[Evidence, ...]
    near: bool = False


@dataclass(frozen=True, slots=True)
class MatchedEntry:
    """The matches of the stored entry with this ``row``."""

    row: int
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """The reader's decision that an entry belongs to a tag (a key) or not. It outranks evidence."""

    row: int
    entry: Entry
    tag: str
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Tag:
    """A subject of the reader's.

    ``key``: the folded name. ``name``: the most common spelling. ``phrases``: every name and alias,
    folded. ``aliases``: the other names, as people spell them. ``clippings``: the number of
    clippings with this tag. ``broader``: keys of the tags that contain this one, also indirectly.
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
    """One of the entries of a story, with its matches."""

    stored: StoredEntry
    matches: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """The copies of one text in several feeds, published as one entry.

    ``id`` is the atom:id, which never changes. ``updated`` moves only with a significant change.
    ``ever_published``: the story was in an output feed before.
    """

    row: int
    id: str
    updated: datetime
    copies: tuple[StoryEntry, ...]
    ever_published: bool = False

    @property
    def pruned(self) -> bool:
        """Whether no copy has content left, and the reader put none into a tag since."""
        return bool(self.copies) and all(
            copy.stored.pruned_at and all(match.near for match in copy.matches)
            for copy in self.copies
        )


@dataclass(frozen=True, slots=True)
class PruneResult:
    """The number of entries whose content was or would be removed, and its size."""

    entries: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """The channels (keys) that a story enters and leaves.

    ``date``: for sorting. ``late``: the story is not news, so ``publish.backfill`` limits it.
    """

    story: int
    id: str
    date: datetime
    late: bool
    enters: frozenset[str]
    leaves: frozenset[str]
