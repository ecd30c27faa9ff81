"""What publishers serve: answers, feeds, entries."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum

from aggregator.model.config import Subscription


@dataclass(frozen=True, slots=True)
class Validators:
    """Opaque strings of RFC 9110 section 8.8, echoed to the publisher exactly as received.

    ``url`` is the address whose answer they came with: they mean nothing at any other.
    """

    etag: str | None = None
    last_modified: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PollHints:
    """What a feed's document itself asks of those who poll it.

    ``ttl`` is RSS 2.0's; ``period`` is sy:updatePeriod divided by sy:updateFrequency, counted
    from ``base`` (sy:updateBase) where the feed gives one. ``skip_hours`` are hours of the day
    in GMT, 0 to 23; ``skip_days`` are days of the week, Monday is 0.
    """

    ttl: timedelta | None = None
    period: timedelta | None = None
    base: datetime | None = None
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Move:
    """A redirect that publishers call permanent (301, 308), seen ``count`` times since then.

    ``adopted``: it has proved itself, and is polled in place of the address in feeds.toml.
    """

    url: str
    since_at: datetime
    count: int
    adopted: bool = False


class FeedCondition(StrEnum):
    """How a subscription is doing."""

    NEW = "new"
    OK = "ok"
    DEGRADED = "degraded"  # the last document was damaged
    FAILING = "failing"
    SILENT = "silent"  # no entry for a year
    MOVED = "moved"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class FeedState:
    """What the store remembers of a subscription between two runs, under its ``key``.

    ``not_before`` is the publisher's Retry-After, which is always obeyed; ``next_poll_at`` with
    its reason is our own plan. ``lifetime`` is the freshness lifetime of the stored answer
    (RFC 9111 section 4.2.1), which a 304 that states none renews. ``gap`` is the median time
    between its recent entries, ``newest_at`` the time of the newest. ``failing_since_at`` is
    when the present streak of failures began, ``operator_notified`` whether the operator knows it.
    ``gone_at`` is the first of the 410 answers, ``gone_confirmed`` whether they were believed.
    ``notes`` are those of the last document (`ParsedFeed.notes`), one per line; ``reader_version`` is
    that of the program which read it.
    """

    key: str
    validators: Validators = Validators()
    body_hash: str | None = None
    fetched_at: datetime | None = None
    succeeded_at: datetime | None = None
    not_before: datetime | None = None
    next_poll_at: datetime | None = None
    next_poll_reason: str = ""
    lifetime: timedelta | None = None
    hints: PollHints = PollHints()
    gap: timedelta | None = None
    newest_at: datetime | None = None
    failures: int = 0
    failing_since_at: datetime | None = None
    operator_notified: bool = False
    gone_at: datetime | None = None
    gone_confirmed: bool = False
    move: Move | None = None
    warning: str | None = None
    is_silent: bool = False
    last_error: str | None = None
    notes: str | None = None
    reader_version: int = 0

    @property
    def condition(self) -> FeedCondition:
        """How the subscription is doing: of several conditions the most severe."""
        if self.gone_confirmed:
            return FeedCondition.GONE
        if self.failing_since_at is not None:
            return FeedCondition.FAILING
        if self.fetched_at is None:
            return FeedCondition.NEW
        if self.move and self.move.adopted:
            return FeedCondition.MOVED
        if self.is_silent:
            return FeedCondition.SILENT
        return FeedCondition.DEGRADED if self.warning else FeedCondition.OK


@dataclass(frozen=True, slots=True)
class Poll:
    """What to ask: ``url`` is the subscription's, or where that has moved to."""

    subscription: Subscription
    url: str
    validators: Validators = Validators()


@dataclass(frozen=True, slots=True)
class Caching:
    """What an answer's headers say of asking again (RFC 9111 section 4.2, RFC 9110 section 10.2.3).

    ``lifetime`` is how long the answer is fresh from the moment the publisher made it, ``fresh``
    how much of that was left on arrival; both None where the headers say nothing.
    """

    lifetime: timedelta | None = None
    fresh: timedelta | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole answer: ``body`` is decoded, at most the size cap, ``final_url`` after redirects.

    ``key`` is the subscription's. ``moved_to`` is set when every redirect on the way was
    permanent (301, 308). ``partial``: only what is new since our validators (226, RFC 3229).
    """

    key: str
    final_url: str
    body: bytes
    content_type: str = ""
    validators: Validators = Validators()
    moved_to: str | None = None
    caching: Caching = Caching()
    partial: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotModified:
    """304: nothing new. ``validators`` are those the answer carried, to refresh ours."""

    key: str
    validators: Validators = Validators()
    moved_to: str | None = None
    caching: Caching = Caching()


@dataclass(frozen=True, slots=True)
class Gone:
    """410: the publisher says that the feed will not come back (RFC 9110 section 15.5.11)."""

    key: str


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Trouble at the publisher's end or on the way, in words for the operator.

    ``status`` is the HTTP status where that is the trouble. ``host`` is set where the publisher's
    Retry-After is for everything on this registrable domain. ``unreached``: there was no HTTP
    answer at all, so that it may be our own network. ``local``: no request was sent.
    """

    key: str
    reason: str
    status: int | None = None
    caching: Caching = Caching()
    host: str | None = None
    unreached: bool = False
    local: bool = False


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not asked, because its host asked all of us to wait until then."""

    key: str
    until: datetime


FetchOutcome = Fetched | NotModified | Gone | FetchFailed | Deferred


class FeedEventKind(Enum):
    """The events of a subscription that the operator should know."""

    BROKEN = "broken"
    RECOVERED = "recovered"
    GONE = "gone"
    MOVED = "moved"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """An event of the subscription ``key``, named ``title``, which is reported once."""

    key: str
    title: str
    kind: FeedEventKind
    message: str
    at: datetime


MAX_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class JobFailure:
    """Work of `cluster` that has failed ``attempts`` times in a row, the last at ``failed_at``."""

    name: str
    reason: str
    attempts: int
    failed_at: datetime

    def is_parked(self, now: datetime) -> bool:
        """Whether it waits for a day before it is tried again."""
        return self.attempts >= MAX_ATTEMPTS and now < self.failed_at + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Author:
    """A person construct of RFC 4287 section 3.2."""

    name: str
    email: str | None = None
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class Category:
    """A label the publisher put on an entry (RFC 4287 section 4.2.2)."""

    term: str
    scheme: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A related resource: audio, video, a document, a picture (RFC 4287 section 4.2.7.2).

    ``title`` is plain text: a name, a caption, or what a picture shows.
    """

    url: str
    type: str | None = None
    length_bytes: int | None = None
    duration_seconds: int | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """The feed from which an entry comes: an atom:source (RFC 4287 section 4.2.11)."""

    id: str
    title: str
    link: str | None = None
    self_url: str | None = None
    updated: datetime | None = None
    rights: str | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """What a publisher says of its feed. ``id`` is Atom's, or the feed's own address."""

    id: str
    title: str
    link: str | None = None
    language: str | None = None
    rights: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a feed.

    ``key`` tells entries of one feed apart; ``id`` is the atom:id under which we republish it;
    ``page`` is the link's `urls.link_key` where the link is this entry's own page, so that two
    feeds that carry one story are seen to do so (None where many entries share a link).
    ``title`` and ``text`` are plain; ``summary`` and ``content`` are sanitised HTML with
    absolute links. ``image`` is the address of the entry's picture. ``source`` is set
    where this feed republishes an entry of another feed. ``published`` and ``updated`` are None
    where the publisher says nothing believable.
    """

    key: str
    id: str
    title: str
    link: str | None = None
    page: str | None = None
    summary: str = ""
    content: str = ""
    text: str = ""
    authors: tuple[Author, ...] = ()
    categories: tuple[Category, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    published: datetime | None = None
    updated: datetime | None = None
    language: str | None = None
    rights: str | None = None
    image: str | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class SeenEntry:
    """An entry of the previous document: enough to recognise it without parsing it again.

    ``digest`` is that of its bytes. ``names`` are digests of its guid, page and atom:id, which
    identify it if no other entry shares them; ``own_name`` is a digest of guid, link and title
    together. ``date`` is when it was published, or else updated. ``notes`` are `ParsedFeed.notes`.
    """

    digest: str
    key: str
    names: tuple[str, ...]
    own_name: str
    date: datetime | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeenDocument:
    """A document that was read. ``context`` is a digest of all outside its entries on which the
    reading of an entry depends; ``entries`` are `SeenEntry` values as `parse.incremental` writes them,
    and nobody else reads."""

    context: str
    entries: str


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A document understood. ``warnings`` report damage and how the document was read; ``notes``
    report, once each, guesses and omissions in its entries.

    ``known`` are the entries of the document that were not read, because they stood in the
    document before just so; ``seen`` is what to remember of the document, None if it is odd.
    ``is_cut``: it ends in its midst.
    """

    key: str
    feed: Feed
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()
    hints: PollHints = PollHints()
    known: tuple[SeenEntry, ...] = ()
    seen: SeenDocument | None = None
    is_cut: bool = False
    notes: tuple[str, ...] = ()

    @property
    def keys(self) -> list[str]:
        """Those of all entries of the document, read or known."""
        return [*(entry.key for entry in self.entries), *(entry.key for entry in self.known)]

    @property
    def dates(self) -> list[datetime]:
        """The dates of all entries of the document that have one."""
        new = (entry.published or entry.updated for entry in self.entries)
        return [date for date in (*new, *(entry.date for entry in self.known)) if date]


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """A document that was read, with the state that its subscription now has and the news of it."""

    subscription: Subscription
    parsed: ParsedFeed
    state: FeedState
    events: tuple[FeedEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class ParseFailed:
    """A document that is no feed, in words for the operator."""

    key: str
    reason: str
