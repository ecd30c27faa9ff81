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
        rights=_rights(feed),
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
        authors=_authors(entry) or _authors(source),
        categories=[
            Category(tag.get("term") or "", tag.get("scheme"), tag.get("label"))
            for tag in entry.get("tags", [])
        ],
        language=entry.get("language")
        or (text.language if text else "")
        or (title or {}).get("language")
        or "",
        rights=_rights(entry) or _rights(source),
    )
    draft.enclosures, draft.image = read_media(entry)
    draft.source = _source(entry, source, now)
    if not draft.authors and draft.source:  # the editor of a planet did not write it
        draft.authors = [Author(draft.source.title)]
    draft.authors = draft.authors or feed_authors or _publisher(entry)
    draft.published = _date(fixes.own_value(entry, "published"), draft, now)
    draft.updated = _date(fixes.own_value(entry, "updated"), draft, now)
    return draft


def _date(text: str | None, draft: EntryDraft, now: datetime) -> datetime | None:
    if not text:
        return None
    at = read_date(text, now, language=draft.language)
    if at is None:
        draft.notes.append(f'some dates cannot be used, such as "{one_line(text)[:40]}"')
    return at


def _link(entry: Any, guid: str) -> str:
    """The page of an entry: what FeedBurner replaced, else its link, else a guid that is an address."""
    original = entry.get("feedburner_origlink") or ""
    if is_web(original):
        return original
    alternates = [link for link in entry.get("links", ()) if _rel(link) == "alternate"]
    pages = [link for link in alternates if "html" in link.get("type", "html")]
    for link in (*(page for page in pages if not page.get("media")), *pages, *alternates):
        if link.get("href"):
            return str(link["href"])
    if elsewhere := next((t["src"] for t in entry.get("texts", ()) if t["src"]), ""):
        return str(elsewhere)
    is_address = is_web(guid) or guid.startswith("/")
    return guid if entry.get("guid_is_address") and is_address else ""


def _rel(link: Any) -> str:
    """The relation of a link, which may be written as an IRI (RFC 4287 section 4.2.7.2)."""
    return str(link.get("rel") or "").removeprefix("http://www.iana.org/assignments/relation/")


def _rights(holder: Any) -> str:
    """The rights, or else the address of the licence (RFC 4946), as HTML."""
    licence = next((li["href"] for li in holder.get("links", ()) if _is_licence(li)), "")
    return _html(holder.get("rights_detail")) or escape(licence or holder.get("license") or "")


def _is_licence(link: Any) -> bool:
    return _rel(link) == "license" and is_web(link.get("href") or "")


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
        rights=one_line(text_from_html(_rights(source))) or None,
    )
