"""The way between rows and `model` values."""

from typing import Any

from sqlmodel import func

from aggregator.model import (
    Author,
    Category,
    Channel,
    ChannelKind,
    Enclosure,
    Entry,
    Evidence,
    EvidenceKind,
    Feed,
    Match,
    Role,
    StoredEntry,
)
from aggregator.store.changes import content_hash
from aggregator.store.tables import ENTRIES, ChannelRow


def feed_from_row(row: Any) -> Feed:
    """What the publisher says of its feed."""
    return Feed(row.atom_id, row.title, row.link, row.language, row.rights)


def feed_columns(feed: Feed) -> dict[str, Any]:
    """The columns that hold what the publisher says of its feed."""
    return {
        "atom_id": feed.id,
        "title": feed.title,
        "link": feed.link,
        "language": feed.language,
        "rights": feed.rights,
    }


def entry_date() -> Any:
    """`model.StoredEntry.date`, in SQL."""
    return func.coalesce(ENTRIES.c.updated, ENTRIES.c.published, ENTRIES.c.first_seen_at)


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


_OF_A_HEAD = """id feed_id story_id key atom_id title link page published updated language
    first_seen_at changed_at pruned_at"""
HEAD = [ENTRIES.c[name] for name in _OF_A_HEAD.split()]


def entry_from_row(row: Any, *, whole: bool = True) -> Entry:
    """The entry that a row holds; without ``whole``, the row has the columns of `HEAD`, and the entry
    nothing of what it says."""
    said: dict[str, Any] = {}
    if whole:
        said = {
            "summary": row.summary,
            "content": row.content,
            "text": row.text,
            "authors": tuple(Author(**author) for author in row.authors),
            "categories": tuple(Category(**category) for category in row.categories),
            "enclosures": tuple(Enclosure(**enclosure) for enclosure in row.enclosures),
            "rights": row.rights,
        }
    return Entry(
        key=row.key,
        id=row.atom_id,
        title=row.title,
        link=row.link,
        page=row.page,
        published=row.published,
        updated=row.updated,
        language=row.language,
        **said,
    )


def stored_entry(row: Any, feed: Any, *, whole: bool = True) -> StoredEntry:
    """An entry with what the store knows of it, or its head."""
    return StoredEntry(
        row=row.id or 0,
        feed_url=feed.url,
        feed=feed_from_row(feed),
        role=Role(feed.role),
        entry=entry_from_row(row, whole=whole),
        first_seen_at=row.first_seen_at,
        changed_at=row.changed_at,
        came_with_feed=row.first_seen_at == feed.first_succeeded_at,
        pruned_at=row.pruned_at,
    )


def channel_from_row(row: ChannelRow) -> Channel:
    """The output feed that a row holds."""
    return Channel(
        key=row.key,
        kind=ChannelKind(row.kind),
        name=row.name,
        slug=row.slug,
        id=row.atom_id,
        first_seen_at=row.first_seen_at,
        ended_at=row.ended_at,
    )


def match_columns(match: Match) -> dict[str, Any]:
    """The columns that hold a match's own fields."""
    return {
        "tag": match.tag,
        "score": match.score,
        "near": match.near,
        "evidence": [
            {"kind": e.kind.value, "detail": e.detail, "where": e.where, "weight": e.weight}
            for e in match.evidence
        ],
    }


def match_from_row(row: Any) -> Match:
    """The match that a row holds."""
    evidence = (
        Evidence(EvidenceKind(e["kind"]), e["detail"], e["where"], e["weight"])
        for e in row.evidence
    )
    return Match(row.tag, row.score, tuple(evidence), row.near)
