"""Read JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/), unknown to feedparser."""

import json
from collections.abc import Iterator
from datetime import datetime
from html import escape
from typing import Any

from aggregator.model import Author, Category, Enclosure, Fetched
from aggregator.parse.dates import from_rfc3339
from aggregator.parse.drafts import EntryDraft, FeedDraft, NotAFeed
from aggregator.parse.persons import read_persons


def looks_like_json(body: bytes) -> bool:
    """Whether the document starts like a JSON object; XML cannot."""
    return body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"


def read_jsonfeed(fetched: Fetched, now: datetime) -> FeedDraft:
    """Read a JSON Feed; values of the wrong type are ignored.

    Raises NotAFeed for any other JSON.
    """
    try:
        document = json.loads(fetched.body.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise NotAFeed(f"invalid JSON ({error})") from error
    version = document.get("version") if isinstance(document, dict) else None
    if "jsonfeed.org/version/" not in str(version) or not isinstance(document.get("items"), list):
        raise NotAFeed("JSON of another kind")
    language = _text(document, "language")
    authors = list(_authors(document))
    return FeedDraft(
        base=fetched.final_url,
        title_html=escape(_text(document, "title")),
        link=_text(document, "home_page_url"),
        language=language,
        entries=[
            _entry(item, authors, now) for item in document["items"] if isinstance(item, dict)
        ],
    )


def _entry(item: dict[str, Any], authors: list[Author], now: datetime) -> EntryDraft:
    identifier = item.get("id")
    plain = escape(_text(item, "content_text")).replace("\n", "<br>")
    return EntryDraft(
        guid=str(identifier).strip() if isinstance(identifier, str | int | float) else "",
        title_html=escape(_text(item, "title")),
        link=_text(item, "url") or _text(item, "external_url"),
        summary_html=escape(_text(item, "summary")),
        content_html=_text(item, "content_html") or plain,
        authors=list(_authors(item)) or authors,
        categories=[Category(escape(tag)) for tag in _list(item, "tags") if isinstance(tag, str)],
        enclosures=[_enclosure(a) for a in _list(item, "attachments") if isinstance(a, dict)],
        published=from_rfc3339(item.get("date_published"), now),
        updated=from_rfc3339(item.get("date_modified"), now),
        language=_text(item, "language"),
    )


def _authors(holder: dict[str, Any]) -> Iterator[Author]:
    for author in [*_list(holder, "authors"), holder.get("author")]:  # 1.1, then 1.0
        if isinstance(author, dict):
            yield from read_persons(escape(_text(author, "name")), uri=_text(author, "url"))


def _enclosure(attachment: dict[str, Any]) -> Enclosure:
    size = attachment.get("size_in_bytes")
    length = size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None
    return Enclosure(_text(attachment, "url"), _text(attachment, "mime_type") or None, length)


def _text(holder: dict[str, Any], key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""


def _list(holder: dict[str, Any], key: str) -> list[Any]:
    value = holder.get(key)
    return value if isinstance(value, list) else []
