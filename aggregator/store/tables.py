"""The tables, and the way between rows and `model` values. Rows never leave this folder."""

from datetime import datetime
from typing import Any

from sqlmodel import JSON, Column, Field, Index, SQLModel, UniqueConstraint

from aggregator.model import (
    Author,
    Category,
    Enclosure,
    Entry,
    Evidence,
    EvidenceKind,
    Feed,
    Match,
    Role,
    StoredEntry,
)
from aggregator.store.decide import content_hash


class FeedRow(SQLModel, table=True):
    """A feed that was polled at least once, or the reader's clippings files together.

    ``url`` is the subscription's ``key``; `model.FeedState` says what the rest means.
    """

    __tablename__ = "feed"

    id: int | None = Field(default=None, primary_key=True)
    url: str = Field(unique=True)
    role: str
    atom_id: str
    title: str
    link: str | None = None
    language: str | None = None
    rights: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    validated_url: str | None = None
    body_hash: str | None = None
    fetched_at: datetime | None = None
    first_succeeded_at: datetime | None = None
    succeeded_at: datetime | None = None
    not_before: datetime | None = None
    next_poll_at: datetime | None = None
    next_poll_reason: str = ""
    lifetime_seconds: float | None = None
    hints: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON))
    gap_seconds: float | None = None
    newest_at: datetime | None = None
    failures: int = 0
    failing_since_at: datetime | None = None
    told: bool = False
    gone_at: datetime | None = None
    ended: bool = False
    moved_to: str | None = None
    moved_since_at: datetime | None = None
    moved_count: int = 0
    move_adopted: bool = False
    warning: str | None = None
    silent: bool = False
    last_error: str | None = None


class HostRow(SQLModel, table=True):
    """A registrable domain that asked us to wait (Retry-After)."""

    __tablename__ = "host"

    name: str = Field(primary_key=True)
    not_before: datetime


class FeedEventRow(SQLModel, table=True):
    """Something that happened to a subscription and was told to the operator."""

    __tablename__ = "feed_event"

    id: int | None = Field(default=None, primary_key=True)
    key: str
    title: str
    kind: str
    message: str
    at: datetime


class EntryRow(SQLModel, table=True):
    """An entry of a feed. ``vocabulary`` is the fingerprint it was last matched with, or None."""

    __tablename__ = "entry"
    __table_args__ = (UniqueConstraint("feed_id", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    feed_id: int = Field(foreign_key="feed.id")
    key: str
    atom_id: str = Field(index=True)
    page: str | None = Field(default=None, index=True)
    title: str
    link: str | None = None
    summary: str = ""
    content: str = ""
    text: str = ""
    authors: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON))
    categories: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON))
    enclosures: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON))
    published: datetime | None = None
    updated: datetime | None = None
    language: str | None = None
    rights: str | None = None
    content_hash: str
    first_seen_at: datetime
    changed_at: datetime
    vocabulary: str | None = Field(default=None, index=True)


class MatchRow(SQLModel, table=True):
    """An entry belongs to a tag. ``live``: it may stand in the tag's feed, not only in the
    archive."""

    __tablename__ = "match"
    __table_args__ = (Index("ix_match_tag_live", "tag", "live"),)

    entry_id: int = Field(foreign_key="entry.id", primary_key=True)
    tag: str = Field(primary_key=True)
    score: float
    evidence: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON))
    matched_at: datetime
    live: bool


class TagRow(SQLModel, table=True):
    """A tag that was once published: its slug and the id of its feed stay what they were."""

    __tablename__ = "tag"

    key: str = Field(primary_key=True)
    name: str
    slug: str = Field(unique=True)
    feed_id: str
    first_seen_at: datetime


class RunRow(SQLModel, table=True):
    """One run, for ``status`` and for the message of a run that finds the lock taken."""

    __tablename__ = "run"

    id: int | None = Field(default=None, primary_key=True)
    pid: int
    started_at: datetime
    finished_at: datetime | None = None
    offline: bool = False


def feed_of(row: FeedRow) -> Feed:
    """What the publisher says of its feed."""
    return Feed(row.atom_id, row.title, row.link, row.language, row.rights)


def entry_columns(entry: Entry) -> dict[str, Any]:
    """The columns that hold an entry's own fields."""
    return {
        "key": entry.key,
        "atom_id": entry.id,
        "page": entry.page,
        "title": entry.title,
        "link": entry.link,
        "summary": entry.summary,
        "content": entry.content,
        "text": entry.text,
        "authors": [{"name": a.name, "email": a.email, "uri": a.uri} for a in entry.authors],
        "categories": [
            {"term": c.term, "scheme": c.scheme, "label": c.label} for c in entry.categories
        ],
        "enclosures": [
            {"url": e.url, "type": e.type, "length_bytes": e.length_bytes} for e in entry.enclosures
        ],
        "published": entry.published,
        "updated": entry.updated,
        "language": entry.language,
        "rights": entry.rights,
        "content_hash": content_hash(entry),
    }


def entry_of(row: EntryRow) -> Entry:
    """The entry that a row holds."""
    return Entry(
        key=row.key,
        id=row.atom_id,
        title=row.title,
        link=row.link,
        page=row.page,
        summary=row.summary,
        content=row.content,
        text=row.text,
        authors=tuple(Author(**author) for author in row.authors),
        categories=tuple(Category(**category) for category in row.categories),
        enclosures=tuple(Enclosure(**enclosure) for enclosure in row.enclosures),
        published=row.published,
        updated=row.updated,
        language=row.language,
        rights=row.rights,
    )


def stored_entry(row: EntryRow, feed: FeedRow, tags: frozenset[str] | None = None) -> StoredEntry:
    """An entry with what the store knows of it."""
    return StoredEntry(
        row=row.id or 0,
        feed_url=feed.url,
        feed=feed_of(feed),
        role=Role(feed.role),
        entry=entry_of(row),
        first_seen_at=row.first_seen_at,
        changed_at=row.changed_at,
        came_with_feed=row.first_seen_at == feed.first_succeeded_at,
        matched_before=row.vocabulary is not None,
        tags=tags or frozenset(),
    )


def match_columns(match: Match) -> dict[str, Any]:
    """The columns that hold a match's own fields."""
    return {
        "tag": match.tag,
        "score": match.score,
        "evidence": [
            {"kind": e.kind.value, "detail": e.detail, "where": e.where, "weight": e.weight}
            for e in match.evidence
        ],
    }


def match_of(row: MatchRow) -> Match:
    """The match that a row holds."""
    evidence = (
        Evidence(EvidenceKind(e["kind"]), e["detail"], e["where"], e["weight"])
        for e in row.evidence
    )
    return Match(row.tag, row.score, tuple(evidence))
