"""What a fetched entry is to the store, and what becomes of the one it holds. Pure."""

from dataclasses import replace
from datetime import datetime

from aggregator.folding import digest
from aggregator.model import Entry, EntryChange


def content_hash(entry: Entry) -> str:
    """A digest of what a subscriber sees of an entry.

    Dates are left out, because publishers stamp unchanged entries anew; empty fields too, so
    that a field added to `Entry` one day changes no hash.
    """
    parts = [
        f"title={entry.title}",
        entry.link and f"link={entry.link}",
        entry.summary and f"summary={entry.summary}",
        entry.content and f"content={entry.content}",
        *(f"author={a.name}\x1e{a.uri or ''}" for a in entry.authors),
        *(f"category={c.term}\x1e{c.scheme or ''}" for c in entry.categories),
        *(f"enclosure={e.url}" for e in entry.enclosures),
    ]
    return digest(*(part for part in parts if part))


def decide(known_hash: str | None, entry: Entry) -> EntryChange:
    """``known_hash`` is that of the stored entry with the same key, None where there is none."""
    if known_hash is None:
        return EntryChange.NEW
    return EntryChange.UNCHANGED if known_hash == content_hash(entry) else EntryChange.MODIFIED


def revise(old: Entry, new: Entry, now: datetime) -> Entry:
    """The stored ``old`` with what the publisher now says in ``new``.

    The id never changes, ``published`` is frozen at first sight, and ``updated`` only moves
    forward: to the publisher's time if that is later, else to now.
    """
    before = old.updated or old.published
    believed = new.updated if new.updated and (before is None or new.updated > before) else now
    return replace(new, id=old.id, published=old.published or new.published, updated=believed)
