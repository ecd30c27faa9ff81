"""Converts between rows and `model` values."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import func

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
    Source,
    StoredEntry,
)
from aggregator.store.changes import content_hash
from aggregator.store.tables import ENTRIES

AnyRow: TypeAlias = Any  # a row of SQLAlchemy, which cannot type its columns


def feed_from_row(row: AnyRow) -> Feed:
    """What the publisher says about its feed."""
    return Feed(row.atom_id, row.title, row.link, row.language, row.rights)


def feed_columns(feed: Feed) -> dict[str, Any]:
    """The columns with what the publisher says about its feed."""
    return {
        "atom_id": feed.id,
        "title": feed.title,
        "link": feed.link,
        "language": feed.language,
        "rights": feed.rights,
    }


def entry_date() -> Any:
    """`model.StoredEntry.date` in SQL."""
    return func.coalesce(ENTRIES.c.updated, ENTRIES.c.published, ENTRIES.c.first_seen_at)


def entry_columns(entry: Entry) -> dict[str, Any]:
    """The columns with an entry's own fields."""
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
        "enclosures": [_drop_none(asdict(enclosure)) for enclosure in entry.enclosures],
        "published": entry.published,
        "updated": entry.updated,
        "language": entry.language,
        "rights": entry.rights,
        "image": entry.image,
        "source": _source_to_json(entry.source) if entry.source else None,
        "content_hash": content_hash(entry),
    }


def _source_to_json(source: Source) -> dict[str, Any]:
    updated = source.updated.isoformat() if source.updated else None
    return _drop_none(asdict(source) | {"updated": updated})


def _source_from_json(value: dict[str, Any]) -> Source:
    updated = value.get("updated")
    return Source(**value | {"updated": datetime.fromisoformat(updated) if updated else None})


def _drop_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


_HEAD_NAMES = """id feed_id story_id key atom_id title link page published updated language
    first_seen_at changed_at pruned_at"""
HEAD_COLUMNS = [ENTRIES.c[name] for name in _HEAD_NAMES.split()]  # of an entry without its content


def entry_from_row(row: AnyRow, *, whole: bool = True) -> Entry:
    """The entry of a row. Without ``whole``, the row has only `HEAD_COLUMNS`."""
    content: dict[str, Any] = {}
    if whole:
        content = {
            "summary": row.summary,
            "content": row.content,
            "text": row.text,
            "authors": tuple(Author(**author) for author in row.authors),
            "categories": tuple(Category(**category) for category in row.categories),
            "enclosures": tuple(Enclosure(**enclosure) for enclosure in row.enclosures),
            "rights": row.rights,
            "image": row.image,
            "source": _source_from_json(row.source) if row.source else None,
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
        **content,
    )


def stored_entry(row: AnyRow, feed: AnyRow, *, whole: bool = True) -> StoredEntry:
    """The entry of a row with its history. Without ``whole``, without its content."""
    return StoredEntry(
        row=row.id,
        feed_url=feed.url,
        feed=feed_from_row(feed),
        role=Role(feed.role),
        entry=entry_from_row(row, whole=whole),
        first_seen_at=row.first_seen_at,
        changed_at=row.changed_at,
        came_with_feed=row.first_seen_at == feed.first_succeeded_at,
        pruned_at=row.pruned_at,
    )


def channel_from_row(row: AnyRow) -> Channel:
    """The output feed of a row."""
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
    """The columns with a match's own fields."""
    return {
        "tag": match.tag,
        "score": match.score,
        "near": match.near,
        "evidence": [
            {"kind": e.kind.value, "detail": e.detail, "where": e.where, "weight": e.weight}
            for e in match.evidence
        ],
    }


def match_from_row(row: AnyRow) -> Match:
    """The match of a row."""
    evidence = tuple(
        Evidence(EvidenceKind(e["kind"]), e["detail"], e["where"], e["weight"])
        for e in row.evidence
    )
    return Match(row.tag, row.score, evidence, row.near)
