"""From the dictionaries that feedparser returns to drafts."""

from datetime import datetime
from html import escape
from typing import Any

from aggregator.model import Author, Category, Enclosure, Fetched
from aggregator.parse import feedparser_fixes as fixes
from aggregator.parse.dates import from_struct
from aggregator.parse.drafts import EntryDraft, FeedDraft
from aggregator.parse.poll_hints import read_poll_hints
from aggregator.text.urls import absolute


def make_feed_draft(parsed: Any, fetched: Fetched, warnings: list[str], now: datetime) -> FeedDraft:
    """Make a draft of feedparser's result."""
    feed, version = parsed["feed"], parsed.get("version", "")
    authors = authors_of(feed)
    return FeedDraft(
        base=_base(feed.get("title_detail"), fetched.final_url),
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
        hints=read_poll_hints(feed, fetched.body),
    )


def _entry(entry: Any, authors: list[Author], version: str, url: str, now: datetime) -> EntryDraft:
    content = _main_content(entry.get("content") or [])
    summary = entry.get("summary_detail")
    title = entry.get("title_detail")
    guid = (entry.get("id") or "").strip()
    base = _base(title or summary or content, url)
    return EntryDraft(
        base=base,
        content_base=_base(content or summary, base),
        guid=guid,
        atom_id=guid if version.startswith("atom") else "",
        title_html=_html(title),
        link=fixes.link_of(entry),
        summary_html=_html(summary),
        content_html=_html(content),
        authors=authors_of(entry) or authors,
        categories=[
            Category(tag.get("term") or "", tag.get("scheme"), tag.get("label"))
            for tag in entry.get("tags", [])
        ],
        enclosures=enclosures_of(entry),
        published=from_struct(fixes.own_value(entry, "published_parsed"), now),
        updated=from_struct(fixes.own_value(entry, "updated_parsed"), now),
        language=(content or summary or title or {}).get("language") or "",
        rights=_html(entry.get("rights_detail")),
    )


def _main_content(contents: list[Any]) -> Any:
    """The longest HTML, else the longest text: some feeds give teaser and full text as contents."""
    readable = [
        content
        for content in contents
        if "text" in content.get("type", "text") or "html" in content.get("type", "")
    ]
    return max(
        readable,
        key=lambda content: ("html" in content.get("type", ""), len(content.get("value", ""))),
        default=None,
    )


def _html(detail: Any) -> str:
    """A text construct as HTML. RSS does not say which it is; feedparser looks."""
    if not detail:
        return ""
    value = detail.get("value") or ""
    return value if "html" in detail.get("type", "html") else escape(value, quote=False)


def _base(detail: Any, url: str) -> str:
    """The xml:base in force on an element, absolute; ``url`` where there is none."""
    return absolute(url, (detail or {}).get("base") or "") or url


def authors_of(holder: Any) -> list[Author]:
    """The authors of a feedparser entry or feed."""
    persons = holder.get("authors", [])
    return [
        Author(person.get("name") or "", email, person.get("href"))
        for person, email in zip(persons, fixes.emails_of(persons), strict=True)
    ]


def enclosures_of(entry: Any) -> list[Enclosure]:
    """The enclosures of a feedparser entry."""
    return [
        Enclosure(link.get("href") or "", fixes.media_type_of(link), _length(link.get("length")))
        for link in entry.get("links", [])
        if link.get("rel") == "enclosure"
    ]


def _length(value: str | None) -> int | None:
    text = (value or "").strip()
    return int(text) if text.isdecimal() and len(text) < 16 else None
