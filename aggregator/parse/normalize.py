"""What the readers of feed formats have in common: from raw fields to clean `model.Entry` values."""

import re
from collections import Counter
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from aggregator.model import Author, Category, Enclosure, Entry, Feed, ParsedFeed
from aggregator.parse.drafts import EntryDraft, FeedDraft
from aggregator.parse.sanitize import clean_html, legal, one_line, text_from_html
from aggregator.text.atom_ids import is_atom_id, mint_id
from aggregator.text.folding import digest
from aggregator.text.urls import absolute, is_web, link_key

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
MAX_ENTRIES = 300  # of one document
_TITLE_CHARACTERS = 1000
_DERIVED_TITLE_CHARACTERS = 80


def finish(key: str, draft: FeedDraft, language: str | None) -> ParsedFeed:
    """Sanitise, make links absolute, and give every entry its key and id.

    ``key`` is the subscription's, its address but for secrets.
    """
    language = _language(draft.language) or language
    link = absolute(draft.base, draft.link) if draft.link else None
    feed = Feed(
        id=draft.id if is_atom_id(draft.id) else key,
        title=one_line(text_from_html(draft.title_html))[:_TITLE_CHARACTERS] or link or key,
        link=link,
        language=language,
        rights=one_line(text_from_html(draft.rights)) or None,
    )
    warnings = list(draft.warnings)
    drafts = _newest(draft.entries)
    if len(drafts) < len(draft.entries):
        warnings.append(f"of {len(draft.entries)} entries, the newest {len(drafts)} were taken")
    unkeyed = [_entry(entry, language) for entry in drafts]
    entries = _identified(key, feed, drafts, unkeyed)
    if len(entries) < len(unkeyed):
        warnings.append(f"{len(unkeyed) - len(entries)} entries stand twice in the document")
    if not entries:
        warnings.append("the feed has no entries")
    return ParsedFeed(key, feed, entries, tuple(warnings), draft.hints, is_cut=draft.is_cut)


def _newest(drafts: list[EntryDraft]) -> list[EntryDraft]:
    """At most 300, in their order: the newest by date, or the first where some have none."""
    if len(drafts) <= MAX_ENTRIES:
        return drafts
    dated = [(date, -place) for place, d in enumerate(drafts) if (date := d.published or d.updated)]
    if len(dated) < len(drafts):
        return drafts[:MAX_ENTRIES]
    places = sorted(-place for _, place in sorted(dated, reverse=True)[:MAX_ENTRIES])
    return [drafts[place] for place in places]


def _entry(draft: EntryDraft, language: str | None) -> Entry:
    content_base = draft.content_base or draft.base
    content = clean_html(draft.content_html, content_base)
    same = draft.summary_html == draft.content_html
    summary = content if same else clean_html(draft.summary_html, content_base)
    if not content:
        content, summary = summary, ""
    elif summary == content:
        summary = ""
    text = text_from_html(content or summary)
    link = absolute(draft.base, draft.link) if draft.link else None
    title = one_line(text_from_html(draft.title_html))[:_TITLE_CHARACTERS]
    return Entry(
        key="",
        id="",
        title=title or _derived_title(text) or link or "(untitled)",
        link=link,
        summary=summary,
        content=content,
        text=text,
        authors=tuple(dict.fromkeys(a for a in map(_author, draft.authors) if a.name)),
        categories=tuple(dict.fromkeys(c for c in map(_category, draft.categories) if c.term)),
        enclosures=tuple(dict.fromkeys(_enclosures(draft))),
        published=draft.published,
        updated=draft.updated,
        language=_language(draft.language) or language,
        rights=one_line(text_from_html(draft.rights)) or None,
    )


def _derived_title(text: str) -> str:
    line = one_line(text)
    if len(line) <= _DERIVED_TITLE_CHARACTERS:
        return line
    return (line[:_DERIVED_TITLE_CHARACTERS].rpartition(" ")[0] or line[:40]) + "…"


def _author(author: Author) -> Author:
    name = one_line(text_from_html(author.name)) or one_line(author.email or "")
    email = one_line(author.email or "")
    uri = author.uri if author.uri and is_web(author.uri) else None
    return Author(name, email if email and _EMAIL.fullmatch(email) else None, uri)


def _category(category: Category) -> Category:
    term = one_line(text_from_html(category.term or category.label or ""))
    label = one_line(text_from_html(category.label or ""))
    scheme = category.scheme if category.scheme and is_atom_id(category.scheme) else None
    return Category(term, scheme, label if label != term and label else None)


def _enclosures(draft: EntryDraft) -> list[Enclosure]:
    found = []
    for enclosure in draft.enclosures:
        url = absolute(draft.base, enclosure.url) if enclosure.url else None
        media_type = one_line(enclosure.type or "")
        if url:
            known = _MEDIA_TYPE.fullmatch(media_type)
            found.append(Enclosure(url, media_type if known else None, enclosure.length_bytes))
    return found


def _language(value: str) -> str | None:
    value = value.strip().replace("_", "-")
    return value if _LANGUAGE.fullmatch(value) else None


def _identified(
    url: str, feed: Feed, drafts: list[EntryDraft], entries: list[Entry]
) -> tuple[Entry, ...]:
    """Give each entry its ``page``, ``key`` and ``id``; only perfect copies are left out.

    The ladder is guid, link, title and date, content. A guid or link that stands on several
    entries of the document names none of them by itself, and is helped by the next rung.
    """
    pages = [link_key(e.link) if e.link else None for e in entries]
    links = Counter(filter(None, pages))
    home = link_key(feed.link) if feed.link else None
    names = [legal(draft.guid) for draft in drafts]
    guids = Counter(filter(None, names))
    atom_ids = Counter(d.atom_id for d in drafts if d.atom_id)
    raw: dict[str, Entry] = {}
    done: dict[str, Entry] = {}
    for draft, guid, page, entry in zip(drafts, names, pages, entries, strict=True):
        if page and (links[page] > 1 or page == home or not urlsplit(entry.link or "").path[1:]):
            page = None
        date = (entry.published or entry.updated or "") and str(entry.published or entry.updated)
        if guid and guids[guid] == 1:
            key = guid
        elif guid:
            key = f"{guid}|{digest(entry.link or '', entry.title)}"
        elif page:
            key = page
        else:
            key = digest(entry.link or "", entry.title, date or entry.text)
        if raw.setdefault(key, entry) != entry:
            key = f"{key}|{digest(entry.text, date, *(e.url for e in entry.enclosures))}"
        kept = is_atom_id(draft.atom_id) and atom_ids[draft.atom_id] == 1
        done.setdefault(key, _with_identity(entry, key, page, draft.atom_id if kept else None, url))
    return tuple(done.values())


def _with_identity(entry: Entry, key: str, page: str | None, kept: str | None, url: str) -> Entry:
    return replace(entry, key=key, page=page, id=kept or mint_id(url, page, key))
