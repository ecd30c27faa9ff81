"""What publishers serve: answers, feeds, entries."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Validators:
    """Opaque strings of RFC 9110 section 8.8, echoed to the publisher exactly as received."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class FeedState:
    """What the store remembers of a subscription between two runs."""

    url: str
    validators: Validators = Validators()
    body_hash: str | None = None
    fetched_at: datetime | None = None
    succeeded_at: datetime | None = None
    not_before: datetime | None = None
    failures: int = 0
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole answer: ``body`` is decoded, at most the size cap, ``final_url`` after redirects.

    ``moved_to`` is set when every redirect on the way was permanent (301, 308).
    """

    url: str
    final_url: str
    body: bytes
    content_type: str
    validators: Validators
    moved_to: str | None = None


@dataclass(frozen=True, slots=True)
class NotModified:
    """304: nothing new. ``validators`` are those the answer carried, to refresh ours."""

    url: str
    validators: Validators


@dataclass(frozen=True, slots=True)
class Gone:
    """410: the publisher says that the feed will not come back (RFC 9110 section 15.5.11)."""

    url: str


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Trouble at the publisher's end or on the way, in words for the operator."""

    url: str
    reason: str
    retry_after: timedelta | None = None


FetchOutcome = Fetched | NotModified | Gone | FetchFailed


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
    """A related resource, usually large (RFC 4287 section 4.2.7.2)."""

    url: str
    type: str | None = None
    length_bytes: int | None = None


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
    absolute links. ``published`` and ``updated`` are None where the publisher says nothing
    believable.
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


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A document understood. ``warnings`` say what was odd and how it was read."""

    url: str
    feed: Feed
    entries: tuple[Entry, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParseFailed:
    """A document that is no feed, in words for the operator."""

    url: str
    reason: str
