"""From the dictionaries that feedparser returns to drafts."""

from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlsplit

from aggregator.model import Author, Category, Fetched, Source
from aggregator.parse import feedparser_fixes as fixes
from aggregator.parse.drafts import EntryDraft, FeedDraft
from aggregator.parse.media import read_media
from aggregator.parse.persons import merge_persons, read_persons
from aggregator.parse.poll_hints import read_poll_hints
from aggregator.parse.sanitize import one_line, text_from_html
from aggregator.parse.texts import Text, choose_content_and_summary, text_from_detail
from aggregator.text.dates import read_date
from aggregator.text.urls import absolute, is_web


def make_feed_draft(parsed: Any, fetched: Fetched, warnings: list[str], now: datetime) -> FeedDraft:
    """Make a draft of feedparser's result."""
    feed, address = parsed["feed"], fetched.final_url
    draft = FeedDraft(
        base=_base(feed.get("title_detail"), address) or address,
        id=feed.get("id", "") if parsed.get("version", "").startswith("atom") else "",
        title_html=_html(feed.get("title_detail")),
        link=feed.get("link", ""),
        language=feed.get("language") or "",
        rights=_html(feed.get("rights_detail")),
        authors=_authors(feed),
        generator=feed.get("generator") or "",
        warnings=warnings,
        hints=read_poll_hints(feed, fetched.body),
    )
    is_atom = bool(draft.id) or parsed.get("version", "").startswith("atom")
    draft.entries = [
        _entry(entry, draft.authors, address, now, is_atom=is_atom) for entry in parsed["entries"]
    ]
    return draft


def _entry(
    entry: Any, feed_authors: list[Author], address: str, now: datetime, *, is_atom: bool
) -> EntryDraft:
    texts = list(filter(None, map(text_from_detail, entry.get("texts", ()))))
    content, summary = choose_content_and_summary(texts)
    title, text = entry.get("title_detail"), content or summary
    guid, source = (entry.get("id") or "").strip(), entry.get("source") or {}
    base = _base(title, address)
    draft = EntryDraft(
        base=base or (absolute(address, text.base) if text and text.base else "") or "",
        content_base=(absolute(address, text.base) if text and text.base else "") or base,
        guid=guid,
        atom_id=guid if is_atom else "",
        title_html=_html(title) or _other_title(entry, texts),
        link=_link(entry, guid),
        summary_html=summary.html if summary else "",
        content_html=content.html if content else "",
        authors=_authors(entry) or _authors(source) or feed_authors or _publisher(entry),
        categories=[
            Category(tag.get("term") or "", tag.get("scheme"), tag.get("label"))
            for tag in entry.get("tags", [])
        ],
        language=(text.language if text else "") or (title or {}).get("language") or "",
        rights=_html(entry.get("rights_detail")) or _html(source.get("rights_detail")),
    )
    draft.enclosures, draft.image = read_media(entry)
    draft.source = _source(entry, source, now)
    draft.published = _date(fixes.own_value(entry, "published"), draft, now)
    draft.updated = _date(fixes.own_value(entry, "updated"), draft, now)
    return draft


def _date(text: str | None, draft: EntryDraft, now: datetime) -> datetime | None:
    if not text:
        return None
    at = read_date(text, now, language=draft.language)
    if at is None:
        draft.notes.append(f'some dates cannot be read, such as "{one_line(text)[:40]}"')
    return at


def _link(entry: Any, guid: str) -> str:
    """The page of an entry: what FeedBurner replaced, else its link, else a guid that is an address."""
    original = entry.get("feedburner_origlink") or ""
    if is_web(original):
        return original
    if link := entry.get("link"):
        return str(link)
    alternates = (link for link in entry.get("links", ()) if link.get("rel") == "alternate")
    if other := next((link["href"] for link in alternates if link.get("href")), ""):
        return str(other)
    is_address = is_web(guid) or guid.startswith("/")
    return guid if entry.get("guid_is_address") and is_address else ""


def _other_title(entry: Any, texts: list[Text]) -> str:
    """The title for podcast programs or of the media, if the entry has no other."""
    if title := entry.get("itunes_title"):
        return escape(title, quote=False)
    media: Any = next((m for m in entry.get("media", ()) if m["element"] == "media_content"), {})
    title = media.get("title") or entry.get("all_media", {}).get("title")
    # The title of a picture in a post without a title is a caption.
    is_post = any(not text.element.startswith("media_") for text in texts)
    return "" if is_post or not title else _html(title)


def _html(detail: Any) -> str:
    """A text construct as HTML. RSS does not say which it is; feedparser looks."""
    if not detail:
        return ""
    value = detail.get("value") or ""
    return value if "html" in detail.get("type", "html") else escape(value, quote=False)


def _base(detail: Any, url: str) -> str:
    """The xml:base in force on an element, absolute; empty if there is none."""
    base = (detail or {}).get("base") or ""
    return (absolute(url, base) or "") if base else ""


def _authors(holder: Any) -> list[Author]:
    """The authors of a feedparser entry, feed or source, each once."""
    persons = (
        person
        for author in holder.get("authors", ())
        for person in read_persons(
            author.get("text") or author.get("name") or "",
            author.get("email") or "",
            author.get("href") or "",
        )
    )
    return list(merge_persons(persons))


def _publisher(entry: Any) -> list[Author]:
    """dc:publisher, if nobody else is named."""
    return list(merge_persons(read_persons(entry.get("publisher") or "")))


def _source(entry: Any, source: Any, now: datetime) -> Source | None:
    """The feed from which this one has an entry: atom:source, RSS's source or dc:source."""
    links = {link.get("rel"): link.get("href") for link in source.get("links", ())}
    address = (source.get("href") or links.get("self") or "").strip()
    link = (links.get("alternate") or source.get("link") or "").strip()
    if is_web(address) and not urlsplit(address).path.strip("/"):  # Google News gives the site
        address, link = "", link or address
    title = one_line(text_from_html(_html(source.get("title_detail")) or source.get("title") or ""))
    if not (title or address or link or source.get("id")):
        stated = one_line(entry.get("dc_source") or "")
        title, link = ("", stated) if is_web(stated) else (stated, "")
    if not (title or link or address):
        return None
    return Source(
        id=(source.get("id") or address or link or title).strip(),
        title=title or link or address,
        link=link if is_web(link) else None,
        self_url=address if is_web(address) else None,
        updated=read_date(source["updated"], now) if source.get("updated") else None,
        rights=one_line(text_from_html(_html(source.get("rights_detail")))) or None,
    )
