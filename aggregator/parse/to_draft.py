"""From what feedparser says of a document, or `wellformed` in its manner, to drafts."""

from datetime import datetime
from functools import lru_cache
from html import escape
from typing import Any

from aggregator.model import Author, Category, Enclosure, Fetched
from aggregator.parse.dates import from_struct
from aggregator.parse.normalize import EntryDraft, FeedDraft
from aggregator.parse.poll_hints import xml_hints
from aggregator.text.urls import MAX_CHARACTERS, absolute, is_web


def draft_of(parsed: Any, fetched: Fetched, warnings: list[str], now: datetime) -> FeedDraft:
    """From what feedparser, or `wellformed` in its manner, says of a document."""
    feed, version = parsed["feed"], parsed.get("version", "")
    base = _base(feed.get("title_detail"), fetched.final_url)
    authors = authors_of(feed)
    return FeedDraft(
        base=base,
        id=feed.get("id", "") if version.startswith("atom") else "",
        title_html=_html(feed.get("title_detail")),
        link=feed.get("link", ""),
        language=feed.get("language") or "",
        rights=_html(feed.get("rights_detail")),
        authors=authors,
        entries=[
            _entry(entry, authors, version, fetched.final_url, now) for entry in parsed["entries"]
        ],
        warnings=warnings,
        hints=xml_hints(feed, fetched.body),
    )


def _entry(entry: Any, authors: list[Author], version: str, url: str, now: datetime) -> EntryDraft:
    content = _best(entry.get("content") or [])
    summary = entry.get("summary_detail")
    title = entry.get("title_detail")
    identifier = entry.get("id") or ""
    base = _base(title or summary or content, url)
    link = entry.get("link") or ""
    if entry.get("guidislink") and not is_web(link):
        link = ""  # a guid without isPermaLink="false" that is no address all the same
    return EntryDraft(
        base=base,
        content_base=_base(content or summary, base),
        guid=identifier.strip(),
        atom_id=identifier.strip() if version.startswith("atom") else "",
        title_html=_html(title),
        link=link,
        summary_html=_html(summary),
        content_html=_html(content),
        authors=authors_of(entry) or authors,
        categories=[
            Category(tag.get("term") or "", tag.get("scheme"), tag.get("label"))
            for tag in entry.get("tags", [])
        ],
        enclosures=enclosures_of(entry),
        published=from_struct(_own(entry, "published_parsed"), now),
        updated=from_struct(_own(entry, "updated_parsed"), now),
        language=(content or summary or title or {}).get("language") or "",
        rights=_html(entry.get("rights_detail")),
    )


def _own(entry: Any, key: str) -> Any:
    """The value of ``key`` itself: feedparser's ``get`` would answer with another key's."""
    return entry[key] if key in entry else None  # noqa: SIM401 (the docstring says why)


def _best(contents: list[Any]) -> Any:
    """The longest HTML, else the longest text: some feeds give teaser and whole as contents."""
    readable = [
        c for c in contents if "text" in c.get("type", "text") or "html" in c.get("type", "")
    ]
    return max(
        readable, key=lambda c: ("html" in c.get("type", ""), len(c.get("value", ""))), default=None
    )


def _html(detail: Any) -> str:
    """A text construct as HTML. RSS does not say which it is; feedparser looks."""
    if not detail:
        return ""
    value = detail.get("value") or ""
    return value if "html" in detail.get("type", "html") else escape(value, quote=False)


def _base(detail: Any, url: str) -> str:
    """The xml:base in force on an element, absolute; the document's address where there is none."""
    base = (detail or {}).get("base") or ""
    return _absolute(url, base) if len(base) < MAX_CHARACTERS else absolute(url, base) or url


@lru_cache(maxsize=64)  # all of a document's entries have the same
def _absolute(url: str, base: str) -> str:
    return absolute(url, base) or url


def authors_of(holder: Any) -> list[Author]:
    """The authors of a feedparser entry or feed.

    feedparser gives an author without an address the one before's, sometimes cut short
    (``_sync_author_detail`` in its mixin.py): that is taken back.
    """
    authors: list[Author] = []
    for person in holder.get("authors", []):
        email = person.get("email")
        if email and any((known.email or "").startswith(email) for known in authors):
            email = None
        authors.append(Author(person.get("name") or "", email, person.get("href")))
    return authors


def enclosures_of(entry: Any) -> list[Enclosure]:
    """The enclosures of a feedparser entry.

    feedparser calls every link without a type "text/html", which no enclosure is.
    """
    return [
        Enclosure(
            link.get("href") or "",
            None if link.get("type") == "text/html" else link.get("type"),
            _length(link.get("length")),
        )
        for link in entry.get("links", [])
        if link.get("rel") == "enclosure"
    ]


def _length(value: str | None) -> int | None:
    text = (value or "").strip()
    return int(text) if text.isdecimal() and len(text) < 16 else None
