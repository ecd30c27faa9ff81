"""Renders feeds as JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/). Pure."""

import json
from typing import Any

from markupsafe import Markup

from aggregator.model import Enclosure, OutputFeed, PublishedEntry, Reason, Source
from aggregator.text.additions import is_addition, remove_footer

_UNKNOWN_TYPE = "application/octet-stream"  # an attachment must have a type


def render_jsonfeed(feed: OutputFeed) -> bytes:
    """A document with the same information as the Atom feed.

    Extensions of JSON Feed have names that start with an underscore.
    """
    head = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": feed.address("json"),
        "description": feed.channel.description,
        "language": feed.site.language,
        "authors": [{"name": feed.site.author}],
        "hubs": [{"type": "WebSub", "url": feed.hub}] if feed.hub else None,
        "_archive": feed.address("atom", feed.previous) if feed.previous else None,
    }
    document = _drop_empty(head) | {"items": [_item(entry) for entry in feed.entries]}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _item(entry: PublishedEntry) -> dict[str, Any]:
    summary = remove_footer(entry.summary)  # the content has it too
    return _drop_empty(
        {
            "id": entry.id,
            "url": entry.link,
            "title": entry.title,
            "content_html": entry.content or entry.summary or str(Markup.escape(entry.title)),
            "summary": Markup(summary).striptags(),  # noqa: S704 (it becomes plain text)
            "image": entry.image,
            "date_published": entry.published.isoformat() if entry.published else None,
            "date_modified": entry.updated.isoformat(),
            "authors": [_drop_empty({"name": a.name, "url": a.uri}) for a in entry.authors],
            "tags": list(dict.fromkeys(category.term for category in entry.categories)),
            "language": entry.language,
            "attachments": [_attachment(enclosure) for enclosure in entry.enclosures],
            "_rights": entry.rights,
            "_source": _source(entry.source) if entry.source else None,
            "_via": _source(entry.via) if entry.via else None,
            "_related": list(entry.related),
            "_reader_tags": _reader_tags(entry),
            "_reasons": [_reason(reason) for reason in entry.reasons],
        }
    )


def _reader_tags(entry: PublishedEntry) -> list[str]:
    """Those of the tags that the publisher did not write."""
    publishers = {category.term for category in entry.categories if not is_addition(category)}
    return [category.term for category in entry.categories if category.term not in publishers]


def _attachment(enclosure: Enclosure) -> dict[str, Any]:
    return _drop_empty(
        {
            "url": enclosure.url,
            "mime_type": enclosure.type or _UNKNOWN_TYPE,
            "title": enclosure.title,
            "size_in_bytes": enclosure.length_bytes,
            "duration_in_seconds": enclosure.duration_seconds or None,
        }
    )


def _source(source: Source) -> dict[str, Any]:
    return _drop_empty(
        {
            "id": source.id,
            "title": source.title,
            "home_page_url": source.link,
            "feed_url": source.self_url,
            "date_modified": source.updated.isoformat() if source.updated else None,
            "rights": source.rights,
        }
    )


def _reason(reason: Reason) -> dict[str, Any]:
    document = {"tag": reason.tag, "score": reason.score, "because": reason.words}
    return document | {"near": True} if reason.near else document


def _drop_empty(values: dict[str, Any]) -> dict[str, Any]:
    """JSON Feed leaves out values that are unknown."""
    return {key: value for key, value in values.items() if value not in (None, "", [])}
