"""The tables. Rows never leave this folder."""

from datetime import datetime
from typing import Any

from sqlmodel import JSON, BigInteger, Column, Field, Index, Integer, SQLModel, UniqueConstraint
from sqlmodel import text as sql

# Rows are numbered for ever, and counters of one feed's entries never end; SQLite's own kind of
# number holds as much.
Number: Any = BigInteger().with_variant(Integer(), "sqlite")


def _where(condition: str) -> dict[str, Any]:
    """Of an index of few rows."""
    return {f"{database}_where": sql(condition) for database in ("sqlite", "postgresql")}


class FeedRow(SQLModel, table=True):
    """A feed that was polled at least once, or the reader's clippings files together.

    ``url`` is the subscription's ``key``; `model.FeedState` says what the rest means. ``dirty``
    and ``rendered`` are about its page, as in `ChannelRow`.
    """

    __tablename__ = "feed"

    id: int | None = Field(default=None, primary_key=True, sa_type=Number)
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
    dirty: bool = Field(default=True, index=True)
    rendered: str = ""
    entries: int = 0


class DocumentRow(SQLModel, table=True):
    """The document that a feed served last: a `model.SeenDocument`, so that only what is new in
    the next one is read."""

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
    """Something that happened to a subscription and was told to the operator."""

    __tablename__ = "feed_event"

    id: int | None = Field(default=None, primary_key=True, sa_type=Number)
    key: str = Field(index=True)
    title: str
    kind: str
    message: str
    at: datetime


class StoryRow(SQLModel, table=True):
    """What is published as one entry. Never deleted: an id that was published stays taken.

    ``revisions`` counts the significant changes that moved ``updated``; ``revised`` is where the
    latest of them is yet to move it. ``placement_pending``: something that decides in which feeds it stands
    has changed since that was last decided.
    """

    __tablename__ = "story"
    __table_args__ = (Index("ix_story_revised", "revised", **_where("revised IS NOT NULL")),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Number)
    atom_id: str = Field(unique=True)
    updated: datetime = Field(index=True)
    revised: datetime | None = None
    revisions: int = 0
    ever_published: bool = False
    placement_pending: bool = Field(default=True, index=True)


class EntryRow(SQLModel, table=True):
    """An entry of a feed. ``vocabulary`` is the fingerprint it was last matched with, or None.

    ``story_id`` is None until it was grouped. ``trivial_changes`` counts the changes that were stored
    although they may be those of a counter. ``pruned_at``: its content was removed then, by
    `retention`; ``content_hash_without_numbers`` is `decide.content_hash_without_numbers` of what it said.
    """

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("feed_id", "key"),
        # What a publisher now serves under another key is looked for by its title.
        Index("ix_entry_title", "feed_id", "title"),
        # Those that still have their content: what was removed is not looked at again.
        Index("ix_entry_whole", "changed_at", **_where("pruned_at IS NULL")),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=Number)
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
    authors: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON))
    categories: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON))
    enclosures: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON))
    published: datetime | None = None
    updated: datetime | None = None
    language: str | None = None
    rights: str | None = None
    content_hash: str = Field(index=True)
    trivial_changes: int = 0
    first_seen_at: datetime
    changed_at: datetime
    matched_fingerprint: str | None = Field(default=None, index=True)
    pruned_at: datetime | None = None
    content_hash_without_numbers: str | None = None


class PrunePositionRow(SQLModel, table=True):
    """The one place among the whole entries, by ``changed_at`` and id, up to which runs have looked
    for what is to be pruned."""

    __tablename__ = "prune_position"

    id: int | None = Field(default=None, primary_key=True, sa_type=Number)
    changed_at: datetime
    entry_id: int = Field(sa_type=Number)


class MinHashBandRow(SQLModel, table=True):
    """A `likeness.bands` name of a recent entry."""

    __tablename__ = "minhash_band"

    name: str = Field(primary_key=True)
    entry_id: int = Field(foreign_key="entry.id", primary_key=True, index=True, sa_type=Number)


class MatchRow(SQLModel, table=True):
    """An entry belongs to a tag, or ``near``."""

    __tablename__ = "match"

    entry_id: int = Field(foreign_key="entry.id", primary_key=True, sa_type=Number)
    tag: str = Field(primary_key=True)
    score: float
    evidence: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON))
    matched_at: datetime
    near: bool = False


class DecisionRow(SQLModel, table=True):
    """The reader's own word on whether an entry belongs to a tag."""

    __tablename__ = "decision"

    entry_id: int = Field(foreign_key="entry.id", primary_key=True, sa_type=Number)
    tag: str = Field(primary_key=True)
    confirmed: bool
    decided_at: datetime


class TagModelRow(SQLModel, table=True):
    """The one model of `match.tag_model`, and the fingerprint of what it was learned from."""

    __tablename__ = "tag_model"

    id: int | None = Field(default=None, primary_key=True, sa_type=Number)
    fingerprint: str
    data: bytes


class ChannelRow(SQLModel, table=True):
    """An output feed that was once published: its slug and its id stay what they were.

    ``dirty``: its live documents must be rendered again. ``rendered`` is a digest of the settings
    with which they were.
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
    """A document of a channel's archive; the latest is open, the others are closed.

    ``month`` is "2026-11", or, where that holds enough, "2026-11.002" and so on. ``stories`` is
    how many it holds. ``dirty``: one of them was added, withdrawn, or corrected by its publisher.
    ``rendered`` is the address under which it was.
    """

    __tablename__ = "archive_document"

    channel: str = Field(foreign_key="channel.key", primary_key=True)
    name: str = Field(primary_key=True)
    stories: int = 0
    dirty: bool = Field(default=True, index=True)
    rendered: str = ""


class ChannelStoryRow(SQLModel, table=True):
    """A story stands in a channel, in the archive of ``month``; ``live``: also in its live feed."""

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
    """The pages about everything; ``rendered`` is a digest of the settings with which they were."""

    __tablename__ = "site"

    id: int | None = Field(default=None, primary_key=True, sa_type=Number)
    rendered: str = ""


class EmbeddingRow(SQLModel, table=True):
    """What a text means: a vector in half precision. ``name`` is that of model and text."""

    __tablename__ = "embedding"

    name: str = Field(primary_key=True)
    vector: bytes


class HubPingRow(SQLModel, table=True):
    """An address of which the hub is yet to be told that it changed."""

    __tablename__ = "hub_ping"

    url: str = Field(primary_key=True)


class JobFailureRow(SQLModel, table=True):
    """Work that was given up for a while, since it failed each of ``attempts`` times: a host's polls,
    by its name, or the rest of a run."""

    __tablename__ = "job_failure"

    name: str = Field(primary_key=True)
    reason: str
    attempts: int
    failed_at: datetime


class RunRow(SQLModel, table=True):
    """One run, for ``status``, for the message of a run that finds the lock taken, and for the
    metrics: ``stages`` are `model.StageCost` values."""

    __tablename__ = "run"

    id: int | None = Field(default=None, primary_key=True, sa_type=Number)
    pid: int
    started_at: datetime
    finished_at: datetime | None = None
    offline: bool = False
    stages: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON))


PRUNED = ""  # the vocabulary of an entry without content: it is not matched with any other

# Many rows at a time go through the tables themselves: an object for each takes five times as long.
FEEDS = SQLModel.metadata.tables["feed"]
DOCUMENTS = SQLModel.metadata.tables["document"]
EVENTS = SQLModel.metadata.tables["feed_event"]
STORIES = SQLModel.metadata.tables["story"]
ENTRIES = SQLModel.metadata.tables["entry"]
MINHASH_BANDS = SQLModel.metadata.tables["minhash_band"]
DECISIONS = SQLModel.metadata.tables["decision"]
MATCHES = SQLModel.metadata.tables["match"]
CHANNELS = SQLModel.metadata.tables["channel"]
ARCHIVE_DOCUMENTS = SQLModel.metadata.tables["archive_document"]
CHANNEL_STORIES = SQLModel.metadata.tables["channel_story"]
EMBEDDINGS = SQLModel.metadata.tables["embedding"]
