"""Parse only the entries of an XML feed that its previous document did not contain.

Parsing is most of what a poll costs, and a publisher who adds an entry leaves the others as they
were. So the document is cut into pieces, and only the entries with new bytes are parsed. This gives
the same entries as parsing the whole document, under these conditions; else all is parsed:

- The document can be cut (see `pieces`).
- Everything outside its entries that affects how they are parsed (base, language, authors,
  namespaces) is unchanged: the `SeenDocument.context`.
- No guid, link or atom:id starts or stops being shared by several entries, since a shared one
  identifies none of them (see `normalize`).
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from aggregator import __version__
from aggregator.model import Entry, Fetched, ParsedFeed, SeenDocument, SeenEntry
from aggregator.parse import READER_VERSION
from aggregator.parse.drafts import EntryDraft, FeedDraft
from aggregator.parse.feedparser_reader import read_xmlfeed
from aggregator.parse.identity import copy_name, page_of
from aggregator.parse.normalize import first_notes, normalize_feed
from aggregator.parse.pieces import Pieces, cut_document
from aggregator.text.folding import digest
from aggregator.text.urls import link_key


@dataclass(frozen=True, slots=True)
class _CutDocument:
    """A document in pieces, and what affects how it is parsed."""

    fetched: Fetched
    pieces: Pieces
    now: datetime
    language: str | None

    def parse(self, entries: Sequence[bytes]) -> tuple[FeedDraft, ParsedFeed]:
        """Parse the document with only these ``entries``."""
        body = self.pieces.select(entries)
        draft = read_xmlfeed(replace(self.fetched, body=body), self.now)
        return draft, normalize_feed(self.fetched.key, draft, self.language)

    def context(self, draft: FeedDraft) -> str:
        """Digest of everything outside an entry's bytes that affects how it is parsed."""
        return digest(
            __version__,
            str(READER_VERSION),
            self.fetched.key,
            self.fetched.final_url,
            self.fetched.content_type,
            self.language or "",
            *self.pieces.outer_tags,
            draft.base,
            draft.language,
            draft.link,
            draft.generator,
            repr(draft.authors),
        )


def parse_xml(
    fetched: Fetched, now: datetime, language: str | None, previous: SeenDocument | None
) -> ParsedFeed:
    """Parse an XML feed; entries in ``previous`` are not parsed again where this changes nothing."""
    pieces = cut_document(fetched.body)
    if pieces is None:
        return normalize_feed(fetched.key, read_xmlfeed(fetched, now), language)
    document = _CutDocument(fetched, pieces, now, language)
    parsed = _parse_new(document, previous) if previous else None
    return parsed or _parse_all(document)


def _parse_all(document: _CutDocument) -> ParsedFeed:
    draft, parsed = document.parse(document.pieces.entries)
    entries = _seen_entries(document.pieces.entries, draft, parsed)
    if parsed.warnings or not parsed.entries or entries is None or not _are_distinct(entries):
        return parsed
    return replace(parsed, seen=SeenDocument(document.context(draft), _encode(entries)))


def _parse_new(document: _CutDocument, previous: SeenDocument) -> ParsedFeed | None:
    """Parse the entries that are not in ``previous``; None if the whole document must be parsed."""
    previous_entries = _decode(previous.entries)
    previous_by_digest = {entry.digest: entry for entry in previous_entries}
    pieces = document.pieces.entries
    matches = [previous_by_digest.get(_digest(piece)) for piece in pieces]  # one per piece
    known_entries = tuple(match for match in matches if match)
    if not known_entries:
        return None
    new_pieces = [piece for piece, match in zip(pieces, matches, strict=True) if not match]
    draft, parsed = document.parse(new_pieces)
    if draft.warnings or document.context(draft) != previous.context:
        return None
    new = _seen_entries(new_pieces, draft, parsed)
    if new is None or not _are_distinct([*known_entries, *new]):
        return None
    shared = _shared_names([*known_entries, *new])
    if _sharing_differs(known_entries, _shared_names(previous_entries), shared):
        return None
    if _sharing_differs(new, _shared_names(new), shared):
        return None
    in_order = iter(new)
    entries = [match or next(in_order) for match in matches]
    return replace(
        parsed,
        notes=first_notes(note for entry in entries for note in entry.notes),
        known=known_entries,
        seen=SeenDocument(previous.context, _encode(entries)),
    )


def _seen_entries(
    pieces: Sequence[bytes], draft: FeedDraft, parsed: ParsedFeed
) -> list[SeenEntry] | None:
    """What to remember of each entry; None if pieces, drafts and entries do not correspond."""
    if not len(pieces) == len(draft.entries) == len(parsed.entries):
        return None
    home = link_key(parsed.feed.link) if parsed.feed.link else None
    return [
        SeenEntry(
            digest=_digest(piece),
            key=entry.key,
            names=_names(entry_draft, entry, home),
            own_name=digest(entry_draft.guid, entry.link or "", entry.title),
            date=entry.published or entry.updated,
            notes=tuple(entry_draft.notes),
        )
        for piece, entry_draft, entry in zip(pieces, draft.entries, parsed.entries, strict=True)
    ]


def _names(draft: EntryDraft, entry: Entry, home: str | None) -> tuple[str, ...]:
    """Digests of all by which `identity` tells entries apart."""
    values = {
        "guid": draft.guid,
        "page": page_of(entry, home),
        "id": draft.atom_id,
        "copy": copy_name(entry),
    }
    return tuple(digest(kind, value) for kind, value in values.items() if value)


def _digest(piece: bytes) -> str:
    return sha256(piece).hexdigest()[:16]


def _are_distinct(entries: Sequence[SeenEntry]) -> bool:
    """Whether no key or own name occurs twice; `normalize` tells such entries apart by order."""
    keys = {entry.key for entry in entries}
    return len(keys) == len({entry.own_name for entry in entries}) == len(entries)


def _shared_names(entries: Iterable[SeenEntry]) -> set[str]:
    """The names that more than one entry has."""
    uses = Counter(name for entry in entries for name in entry.names)
    return {name for name, count in uses.items() if count > 1}


def _sharing_differs(entries: Iterable[SeenEntry], before: set[str], after: set[str]) -> bool:
    """Whether a name of ``entries`` is shared in only one of two documents."""
    return any(name in before ^ after for entry in entries for name in entry.names)


def _encode(entries: Iterable[SeenEntry]) -> str:
    """JSON: [[digest, key, [*names, own_name], date, *notes], …]."""
    rows = [
        [e.digest, e.key, [*e.names, e.own_name], e.date.isoformat() if e.date else None, *e.notes]
        for e in entries
    ]
    return json.dumps(rows, separators=(",", ":"))


def _decode(text: str) -> list[SeenEntry]:
    return [
        SeenEntry(
            piece_digest,
            key,
            tuple(names),
            own_name,
            datetime.fromisoformat(date) if date else None,
            tuple(notes),
        )
        for piece_digest, key, (*names, own_name), date, *notes in json.loads(text)
    ]
