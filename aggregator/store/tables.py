"""The tables. No row leaves this folder."""

from datetime import datetime
from typing import Any

from sqlmodel import JSON, BigInteger, Column, Field, Index, Integer, SQLModel, UniqueConstraint
from sqlmodel import text as sql

# 64 bits: ids only grow, and so do the counters of one feed's entries. SQLite's integers have 64.
Number: Any = BigInteger().with_variant(Integer(), "sqlite")


def _where(condition: str) -> dict[str, Any]:
    """The arguments of a partial index."""
    return {f"{database}_where": sql(condition) for database in ("sqlite", "postgresql")}


def _id() -> Any:
    return Field(default=None, primary_key=True, sa_type=Number)


def _json() -> Any:
    return Field(default_factory=list, sa_column=Column(JSON))


class FeedRow(SQLModel, table=True):
    """A feed that was polled at least once, or all clippings files together.

    ``url`` is the subscription's key; `model.FeedState` explains the polling columns. ``dirty`` and
    ``rendered`` are about the page of the source, as in `ChannelRow`.
    """

    __tablename__ = "feed"

    id: int | None = _id()
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
    operator_notified: bool = False
    gone_at: datetime | None = None
    gone_confirmed: bool = False
    moved_to: str | None = None
    moved_since_at: datetime | None = None
    moved_count: int = 0
    move_adopted: bool = False
    warning: str | None = None
    is_silent: bool = False
    last_error: str | None = None
    notes: str | None = None
    reader_version: int = 0
    dirty: bool = Field(default=True, index=True)
    rendered: str = ""
    entries: int = 0


class DocumentRow(SQLModel, table=True):
    """The last document of a feed, a `model.SeenDocument`, for incremental parsing."""

    __tablename__ = "document"

    feed_id: int = Field(foreign_key="feed.id", primary_key=True, sa_type=Number)
    context: str
    entries: str


class HostHoldRow(SQLModel, table=True):
    """A registrable domain that asked us to wait (Retry-After)."""

    __tablename__ = "host_hold"

    name: str = Field(primary_key=True)
    not_before: datetime


class FeedEventRow(SQLModel, table=True):
    """An event of a subscription."""

    __tablename__ = "feed_event"

    id: int | None = _id()
    key: str = Field(index=True)
    title: str
    kind: str
    message: str
    at: datetime


class StoryRow(SQLModel, table=True):
    """The copies of a text, published as one entry. Never deleted, so that a published id is never used again.

    ``revisions`` counts the significant changes that moved ``updated``. ``revised``: the time to
    which the latest change will move it. ``placement_pending``: something changed that decides which
    channels the story belongs to.
    """

    __tablename__ = "story"
    __table_args__ = (Index("ix_story_revised", "revised", **_where("revised IS NOT NULL")),)

    id: int | None = _id()
    atom_id: str = Field(unique=True)
    updated: datetime = Field(index=True)
    revised: datetime | None = None
    revisions: int = 0
    ever_published: bool = False
    placement_pending: bool = Field(default=True, index=True)


class EntryRow(SQLModel, table=True):
    """An entry of a feed.

    ``story_id`` is None until the entry is grouped. ``matched_fingerprint``: what the entry was last
    matched with; None: to be matched. ``trivial_changes`` counts stored changes that may come from a
    counter. ``pruned_at``: when the content was removed; ``content_hash_without_numbers`` remains.
    """

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("feed_id", "key"),
        # An entry that its publisher now serves under another key is found by its title.
        Index("ix_entry_title", "feed_id", "title"),
        Index("ix_entry_published", "feed_id", "published"),  # or by its date
        # Pruning looks only at entries that still have content.
        Index("ix_entry_whole", "changed_at", **_where("pruned_at IS NULL")),
        # Pruned entries are not matched again, unless the reader has decided about them.
        Index("ix_entry_matched_fingerprint", "matched_fingerprint", **_where("pruned_at IS NULL")),
        Index("ix_entry_unmatched", "id", **_where("matched_fingerprint IS NULL")),
    )

    id: int | None = _id()
    feed_id: int = Field(foreign_key="feed.id", sa_type=Number)
    story_id: int | None = Field(default=None, foreign_key="story.id", index=True, sa_type=Number)
    key: str
    atom_id: str = Field(index=True)
    page: str | None = Field(default=None, index=True)
    title: str
    link: str | None = None
    summary: str = ""
    content: str = ""
    text: str = ""
    authors: list[dict[str, Any]] = _json()
    categories: list[dict[str, Any]] = _json()
    enclosures: list[dict[str, Any]] = _json()
    published: datetime | None = None
    updated: datetime | None = None
    language: str | None = None
    rights: str | None = None
    image: str | None = None
    source: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    content_hash: str = Field(index=True)
    trivial_changes: int = 0
    first_seen_at: datetime
    changed_at: datetime
    matched_fingerprint: str | None = None
    pruned_at: datetime | None = None
    content_hash_without_numbers: str | None = None


class PrunePositionRow(SQLModel, table=True):
    """How far runs have looked for entries to prune: the last ``changed_at`` and entry id."""

    __tablename__ = "prune_position"

    id: int | None = _id()
    changed_at: datetime
    entry_id: int = Field(sa_type=Number)


class MinHashBandRow(SQLModel, table=True):
    """A `similarity.bands` name of a recent entry."""

    __tablename__ = "minhash_band"

    name: str = Field(primary_key=True)
    entry_id: int = Field(foreign_key="entry.id", primary_key=True, index=True, sa_type=Number)


class MatchRow(SQLModel, table=True):
    """An entry belongs to a tag, or nearly (``near``)."""

    __tablename__ = "match"

    entry_id: int = Field(foreign_key="entry.id", primary_key=True, sa_type=Number)
    tag: str = Field(primary_key=True)
    score: float
    evidence: list[dict[str, Any]] = _json()
    matched_at: datetime
    near: bool = False


class DecisionRow(SQLModel, table=True):
    """The reader's decision whether an entry belongs to a tag."""

    __tablename__ = "decision"

    entry_id: int = Field(foreign_key="entry.id", primary_key=True, sa_type=Number)
    tag: str = Field(primary_key=True)
    confirmed: bool
    decided_at: datetime


class TagModelRow(SQLModel, table=True):
    """The trained model of `match.tag_model`, and the fingerprint of its training data."""

    __tablename__ = "tag_model"

    id: int | None = _id()
    fingerprint: str
    data: bytes


class ChannelRow(SQLModel, table=True):
    """An output feed. Once published, its slug and its id never change.

    ``dirty``: its live documents must be rendered again. ``rendered``: digest of the settings of the
    last rendering. ``pruned``: it ended, and its files were removed.
    """

    __tablename__ = "channel"

    key: str = Field(primary_key=True)
    kind: str
    name: str
    slug: str = Field(unique=True)
    atom_id: str
    first_seen_at: datetime
    ended_at: datetime | None = None
    pruned: bool = False
    dirty: bool = Field(default=True, index=True)
    rendered: str = ""


class ArchiveDocumentRow(SQLModel, table=True):
    """A document of a channel's archive. The latest is open, the others are closed.

    ``name`` is the month ("2026-11"), with a number if a month needs several ("2026-11.002").
    ``stories`` counts its stories. ``dirty``: a story was added, removed or corrected.
    ``rendered``: the address under which it was last rendered.
    """

    __tablename__ = "archive_document"

    channel: str = Field(foreign_key="channel.key", primary_key=True)
    name: str = Field(primary_key=True)
    stories: int = 0
    dirty: bool = Field(default=True, index=True)
    rendered: str = ""


class ChannelStoryRow(SQLModel, table=True):
    """A story belongs to a channel. ``document``: in the archive; ``live``: in the live feed too."""

    __tablename__ = "channel_story"
    __table_args__ = (
        Index("ix_channel_story_window", "channel", "live", "entered_at"),
        Index("ix_channel_story_document", "channel", "document"),
    )

    channel: str = Field(foreign_key="channel.key", primary_key=True)
    story_id: int = Field(foreign_key="story.id", primary_key=True, index=True, sa_type=Number)
    document: str
    live: bool
    entered_at: datetime


class SiteRow(SQLModel, table=True):
    """The site's pages. ``rendered``: digest of the settings of the last rendering."""

    __tablename__ = "site"

    id: int | None = _id()
    rendered: str = ""


class EmbeddingRow(SQLModel, table=True):
    """The embedding of a text in half precision. ``name``: digest of the model and the text."""

    __tablename__ = "embedding"

    name: str = Field(primary_key=True)
    vector: bytes


class HubPingRow(SQLModel, table=True):
    """The address of a changed feed, until the hub accepts a ping about it."""

    __tablename__ = "hub_ping"

    url: str = Field(primary_key=True)


class JobFailureRow(SQLModel, table=True):
    """A worker's job that failed ``attempts`` times in a row. ``name`` is its lock."""

    __tablename__ = "job_failure"

    name: str = Field(primary_key=True)
    reason: str
    attempts: int
    failed_at: datetime


class RunRow(SQLModel, table=True):
    """One run. ``stages`` are `model.StageCost` values."""

    __tablename__ = "run"

    id: int | None = _id()
    pid: int
    started_at: datetime
    finished_at: datetime | None = None
    offline: bool = False
    stages: list[dict[str, Any]] = _json()


SINGLETON_ID = 1  # of tables with one row

# Queries use the tables, not the classes: an ORM object per row takes five times as long.
_TABLES = SQLModel.metadata.tables
ARCHIVE_DOCUMENTS = _TABLES["archive_document"]
CHANNEL_STORIES = _TABLES["channel_story"]
CHANNELS = _TABLES["channel"]
DECISIONS = _TABLES["decision"]
DOCUMENTS = _TABLES["document"]
EMBEDDINGS = _TABLES["embedding"]
ENTRIES = _TABLES["entry"]
EVENTS = _TABLES["feed_event"]
FEEDS = _TABLES["feed"]
HOST_HOLDS = _TABLES["host_hold"]
HUB_PINGS = _TABLES["hub_ping"]
JOB_FAILURES = _TABLES["job_failure"]
MATCHES = _TABLES["match"]
MINHASH_BANDS = _TABLES["minhash_band"]
PRUNE_POSITIONS = _TABLES["prune_position"]
RUNS = _TABLES["run"]
SITES = _TABLES["site"]
STORIES = _TABLES["story"]
TAG_MODELS = _TABLES["tag_model"]
