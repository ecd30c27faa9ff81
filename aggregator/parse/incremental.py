"""Which entries of a document stood in the one before, byte for byte: they are not read again.

Reading is most of what a poll costs, and of the document of a publisher who added an entry all
others are what they were. So the document is cut at its entries, and what is read is one of its
head, the entries that are new, and its tail. That gives the same entries as the whole document
wherever these hold, or else the whole is read:

- it is well-formed, in the one encoding that it declares, without a document type; it is cut where
  no comment or CDATA section is open, and has nothing but white space between its entries, none of
  which has a base of its own (feedparser would take it for the next one's too);
- what stands outside its entries and is read into them (base, language, authors, namespaces) is
  what it was: the `SeenDocument.context`;
- no guid, link or atom:id has become or ceased to be that of several entries, since what is shared
  identifies none of them.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from urllib.parse import urlsplit
from xml.parsers import expat

from aggregator import __version__
from aggregator.model import Entry, Fetched, ParsedFeed, SeenDocument, SeenEntry
from aggregator.parse.entities import XML_ENCODING
from aggregator.parse.normalize import MAX_ENTRIES, EntryDraft, FeedDraft, finish
from aggregator.text.folding import digest
from aggregator.text.urls import link_key

_EDGE = re.compile(rb"<(?:(item|entry)[\s>]|/(item|entry)\s*>)")
_SECTION = re.compile(rb"<!\[CDATA\[.*?\]\]>|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_OPEN = (b"<![CDATA[", b"<!--", b"<?", b"<!")
_OUTER_TAG = re.compile(
    rb"""<(?:[\w.-]+:)?(?:rss|feed|RDF|channel)\b(?:[^>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE
)
_READERS = 1  # one more whenever the readers of documents give other entries than before
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_ENCODINGS = {  # whose ASCII is ASCII, and what their bytes must be to be read as declared
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "windows-1252",  # as browsers and feedparser take it
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "windows-1252",
}
_BASE = re.compile(rb"<(?:item|entry)\b[^>]*?\bxml:base")

Read = Callable[[Fetched, datetime], FeedDraft]


@dataclass(frozen=True, slots=True)
class Pieces:
    """A document cut before and behind each of its entries."""

    head: bytes
    entries: tuple[bytes, ...]
    tail: bytes

    def without(self, known: Sequence[bool]) -> bytes:
        """The document without the entries that are known."""
        new = (piece for piece, skip in zip(self.entries, known, strict=True) if not skip)
        return b"".join((self.head, *new, self.tail))

    def read(self, read: Read, fetched: Fetched, now: datetime, known: Sequence[bool]) -> FeedDraft:
        """The document without those, read.

        Before them stands an empty one: feedparser forgets only at an entry's end that the feed had
        a description and a summary, and would read the first otherwise than the rest.
        """
        name = b"item" if self.entries[0].startswith(b"<item") else b"entry"
        blank = b"<%b></%b>" % (name, name)
        part = replace(self, head=self.head + blank).without(known)
        draft = read(replace(fetched, body=part), now)
        return replace(draft, entries=draft.entries[1:])


def cut(fetched: Fetched) -> Pieces | None:
    """The pieces of a document, or None if it is odd in any way."""
    body = fetched.body
    if not _is_plain(body, fetched.content_type) or _BASE.search(body):
        return None
    edges = list(_EDGE.finditer(body))
    opening, closing = edges[::2], edges[1::2]
    if not edges or len(edges) % 2 or len(opening) > MAX_ENTRIES or not _is_wellformed(body):
        return None
    name = opening[0][1]
    if any(edge[1] != name for edge in opening) or any(edge[2] != name for edge in closing):
        return None
    gaps = zip(closing[:-1], opening[1:], strict=True)
    if any(body[end.end() : start.start()].strip() for end, start in gaps):
        return None
    pieces = Pieces(
        head=body[: opening[0].start()],
        entries=tuple(
            body[start.start() : end.end()] for start, end in zip(opening, closing, strict=True)
        ),
        tail=body[closing[-1].end() :],
    )
    is_closed = all(map(_is_closed, (pieces.head, *pieces.entries, pieces.tail)))
    return pieces if is_closed else None


def read_new(
    read: Read, fetched: Fetched, pieces: Pieces, seen: SeenDocument, now: datetime,
    language: str | None,
) -> ParsedFeed | None:  # fmt: skip
    """Read what was not ``seen``; None if the whole document must be read."""
    seen_entries = _decoded(seen.entries)
    before = {entry.digest: entry for entry in seen_entries}
    digests = list(map(_digest, pieces.entries))
    is_known = [digest in before for digest in digests]
    if not any(is_known):
        return None
    draft = pieces.read(read, fetched, now, is_known)
    if draft.warnings or _context(fetched, pieces, draft, language) != seen.context:
        return None
    parsed = finish(fetched.key, draft, language)
    new = [digest for digest, skip in zip(digests, is_known, strict=True) if not skip]
    if not len(parsed.entries) == len(draft.entries) == len(new):
        return None
    read_now = iter(_seen(new, draft.entries, parsed))
    entries = tuple(
        before[digest] if skip else next(read_now)
        for digest, skip in zip(digests, is_known, strict=True)
    )
    known = tuple(e for e, skip in zip(entries, is_known, strict=True) if skip)
    new_entries = [e for e, skip in zip(entries, is_known, strict=True) if not skip]
    shared = _shared(entries)
    if (
        not _are_distinct(entries)
        or not _as_shared(known, _shared(seen_entries), shared)
        or not _as_shared(new_entries, _shared(new_entries), shared)
    ):
        return None
    return replace(
        parsed,
        warnings=(),  # that there are no entries: there are, and they are known
        known=known,
        seen=SeenDocument(seen.context, _encoded(entries)),
    )


def remember(
    fetched: Fetched, pieces: Pieces, draft: FeedDraft, parsed: ParsedFeed, language: str | None
) -> SeenDocument | None:
    """What to know the entries of a document by that was read whole; None if it is odd."""
    if parsed.warnings or not len(pieces.entries) == len(draft.entries) == len(parsed.entries):
        return None
    entries = _seen(list(map(_digest, pieces.entries)), draft.entries, parsed)
    if not _are_distinct(entries):
        return None
    return SeenDocument(_context(fetched, pieces, draft, language), _encoded(entries))


def _is_plain(body: bytes, content_type: str) -> bool:
    """Whether every byte is a character of the one encoding that is declared, and nothing else is."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        return False
    declared = XML_ENCODING.match(body)
    charset = _CHARSET.search(content_type)
    claims = {declared[1].decode().lower()} if declared else set()
    claims |= {charset[1].lower()} if charset else set()
    encoding = _ENCODINGS.get(claims.pop() if claims else "utf-8")
    if claims or encoding is None:
        return False
    try:
        body.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_closed(part: bytes) -> bool:
    """Whether every comment and section that begins in ``part`` ends in it."""
    if b"<!" not in part and b"<?" not in part:
        return True
    rest = _SECTION.sub(b"", part)
    return not any(mark in rest for mark in _OPEN)


def _is_wellformed(body: bytes) -> bool:
    """As feedparser's first reader asks for; its second, for all else, reads other things."""
    try:
        expat.ParserCreate(namespace_separator=" ").Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):
        return False
    return True


def _digest(piece: bytes) -> str:
    return sha256(piece).hexdigest()[:16]


def _context(fetched: Fetched, pieces: Pieces, draft: FeedDraft, language: str | None) -> str:
    """Of all on which the reading of an entry depends beside its own bytes, this program too."""
    return digest(
        __version__,
        str(_READERS),
        fetched.key,
        fetched.final_url,
        fetched.content_type,
        language or "",
        *(tag.decode("latin-1") for tag in _OUTER_TAG.findall(pieces.head)),
        draft.base,
        draft.language,
        draft.link,
        repr(draft.authors),
    )


def _seen(
    digests: Sequence[str], drafts: Sequence[EntryDraft], parsed: ParsedFeed
) -> tuple[SeenEntry, ...]:
    home = link_key(parsed.feed.link) if parsed.feed.link else ""
    return tuple(
        SeenEntry(digest, entry.key, _names(draft, entry, home), entry.published or entry.updated)
        for digest, draft, entry in zip(digests, drafts, parsed.entries, strict=True)
    )


def _encoded(entries: Iterable[SeenEntry]) -> str:
    lists = [[e.digest, e.key, e.names, e.date.isoformat() if e.date else None] for e in entries]
    return json.dumps(lists, separators=(",", ":"))


def _decoded(entries: str) -> list[SeenEntry]:
    return [
        SeenEntry(digest, key, tuple(names), datetime.fromisoformat(date) if date else None)
        for digest, key, names, date in json.loads(entries)
    ]


def _names(draft: EntryDraft, entry: Entry, home: str) -> tuple[str, ...]:
    """The last is the entry's own: two of one name would be told apart by their order."""
    page = link_key(entry.link) if entry.link else ""
    if page == home or not urlsplit(entry.link or "").path[1:]:
        page = ""  # it is no entry's page, however many share it
    named = (("guid", draft.guid), ("page", page), ("id", draft.atom_id))
    own = digest(draft.guid, entry.link or "", entry.title)
    return (*(digest(kind, name) for kind, name in named if name), own)


def _are_distinct(entries: Sequence[SeenEntry]) -> bool:
    keys = {entry.key for entry in entries}
    return len(keys) == len({entry.names[-1] for entry in entries}) == len(entries)


def _shared(entries: Iterable[SeenEntry]) -> set[str]:
    """The names that more than one of them has."""
    uses = Counter(name for entry in entries for name in entry.names)
    return {name for name, number in uses.items() if number > 1}


def _as_shared(entries: Iterable[SeenEntry], one: set[str], other: set[str]) -> bool:
    """Whether the names of entries that are shared here are shared there."""
    return all((name in one) == (name in other) for entry in entries for name in entry.names)
