"""`model.TagFeed` -> JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/). Pure."""

import json
from typing import Any

from markupsafe import Markup

from aggregator.model import Author, Enclosure, PublishedEntry, Source, TagFeed

_UNKNOWN_TYPE = "application/octet-stream"  # attachments must have one


def render_jsonfeed(feed: TagFeed) -> bytes:
    """The whole document, with what the Atom feed says. The same feed gives the same bytes.

    What JSON Feed has no word for stands in ``_source`` and ``_rights``, as its extensions do.
    """
    head = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.site.url,
        "feed_url": feed.json_url,
        "description": feed.tag.description,
        "language": feed.site.language,
        "authors": [{"name": feed.site.author}],
    }
    document = _said(head) | {"items": [_item(entry) for entry in feed.entries]}
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode()


def _item(entry: PublishedEntry) -> dict[str, Any]:
    return _said(
        {
            "id": entry.id,
            "url": entry.link,
            "title": entry.title,
            "content_html": entry.content or entry.summary or str(Markup.escape(entry.title)),
            "summary": Markup(entry.summary).striptags(),  # noqa: S704 (it becomes plain text)
            "date_published": entry.published.isoformat() if entry.published else None,
            "date_modified": entry.updated.isoformat(),
            "authors": [_author(author) for author in entry.authors],
            "tags": list(dict.fromkeys(category.term for category in entry.categories)),
            "language": entry.language,
            "attachments": [_attachment(enclosure) for enclosure in entry.enclosures],
            "_rights": entry.rights,
            "_source": _source(entry.source) if entry.source else None,
        }
    )


def _author(author: Author) -> dict[str, Any]:
    return _said({"name": author.name, "url": author.uri})


def _attachment(enclosure: Enclosure) -> dict[str, Any]:
    return _said(
        {
            "url": enclosure.url,
            "mime_type": enclosure.type or _UNKNOWN_TYPE,
            "size_in_bytes": enclosure.length_bytes,
        }
    )


def _source(source: Source) -> dict[str, Any]:
    return _said(
        {
            "id": source.id,
            "title": source.title,
            "home_page_url": source.link,
            "feed_url": source.self_url,
            "date_modified": source.updated.isoformat() if source.updated else None,
            "rights": source.rights,
        }
    )


def _said(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known: JSON Feed leaves it out."""
    return {key: value for key, value in values.items() if value not in (None, "", [])}
