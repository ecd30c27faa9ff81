"""The values that cross stages: frozen, slotted, tuples for collections, aware UTC datetimes.

Times that a publisher states keep Atom's names (``published``, ``updated``); times of our own
clock end in ``_at``. Sizes end in ``_bytes``.
"""

from aggregator.model.kept import (
    Copy,
    EntryChange,
    Evidence,
    EvidenceKind,
    LiveEntry,
    Match,
    MatchedEntry,
    StoredEntry,
    Tag,
)
from aggregator.model.polled import (
    Author,
    Category,
    Enclosure,
    Entry,
    Feed,
    FeedState,
    Fetched,
    FetchFailed,
    FetchOutcome,
    Gone,
    NotModified,
    ParsedFeed,
    ParseFailed,
    Validators,
)
from aggregator.model.shown import PublishedEntry, RunReport, Source, TagFeed, Trouble
from aggregator.model.written import (
    Clipping,
    Config,
    PublishSettings,
    Role,
    Site,
    Subscription,
    TagSettings,
)

__all__ = [
    "Author",
    "Category",
    "Clipping",
    "Config",
    "Copy",
    "Enclosure",
    "Entry",
    "EntryChange",
    "Evidence",
    "EvidenceKind",
    "Feed",
    "FeedState",
    "FetchFailed",
    "FetchOutcome",
    "Fetched",
    "Gone",
    "LiveEntry",
    "Match",
    "MatchedEntry",
    "NotModified",
    "ParseFailed",
    "ParsedFeed",
    "PublishSettings",
    "PublishedEntry",
    "Role",
    "RunReport",
    "Site",
    "Source",
    "StoredEntry",
    "Subscription",
    "Tag",
    "TagFeed",
    "TagSettings",
    "Trouble",
    "Validators",
]
