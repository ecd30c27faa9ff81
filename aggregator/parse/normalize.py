"""Drafts -> `model.ParsedFeed`: clean every field, and identify every entry."""

import re
from collections import Counter
from dataclasses import replace
from urllib.parse import urlsplit

from aggregator.model import Author, Category, Enclosure, Entry, Feed, ParsedFeed
from aggregator.parse.drafts import EntryDraft, FeedDraft
from aggregator.parse.sanitize import clean_html, one_line, remove_illegal, text_from_html
from aggregator.text.atom_ids import is_atom_id, mint_id
from aggregator.text.folding import digest
from aggregator.text.urls import absolute, is_web, link_key

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
MAX_ENTRIES = 300  # of one document
_MAX_TITLE_CHARACTERS = 1000
_MAX_DERIVED_TITLE_CHARACTERS = 80


def normalize_feed(key: str, draft: FeedDraft, language: str | None) -> ParsedFeed:
    """Sanitise, make links absolute, and give every entry its key and id.

    ``key`` is that of the subscription: its address without secrets. ``language`` is used if the
    feed states none.
    """
    language = _language(draft.language) or language
    link = absolute(draft.base, draft.link) if draft.link else None
    feed = Feed(
        id=draft.id if is_atom_id(draft.id) else key,
        title=_title(draft.title_html) or link or key,
        link=link,
        language=language,
        rights=one_line(text_from_html(draft.rights)) or None,
    )
    warnings = list(draft.warnings)
    drafts = _newest(draft.entries)
    if len(drafts) < len(draft.entries):
        warnings.append(f"of {len(draft.entries)} entries, the newest {len(drafts)} were taken")
    entries = _identify(key, feed, drafts, [_entry(entry, language) for entry in drafts])
    if len(entries) < len(drafts):
        warnings.append(f"{len(drafts) - len(entries)} duplicate entries were dropped")
    if not entries:
        warnings.append("the feed has no entries")
    return ParsedFeed(key, feed, entries, tuple(warnings), draft.hints, is_cut=draft.is_cut)


def _newest(drafts: list[EntryDraft]) -> list[EntryDraft]:
    """The newest 300 in the document's order; the first 300 if some have no date."""
    if len(drafts) <= MAX_ENTRIES:
        return drafts
    dates = [draft.published or draft.updated for draft in drafts]
    dated = [(date, -index) for index, date in enumerate(dates) if date]
    if len(dated) < len(drafts):
        return drafts[:MAX_ENTRIES]
    newest = sorted(dated, reverse=True)[:MAX_ENTRIES]
    return [drafts[index] for index in sorted(-index for _, index in newest)]


def _entry(draft: EntryDraft, language: str | None) -> Entry:
    """The entry without its identity: ``key``, ``id`` and ``page`` follow in `_identify`."""
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
    return Entry(
        key="",
        id="",
        title=_title(draft.title_html) or _derived_title(text) or link or "(untitled)",
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


def _title(html: str) -> str:
    return one_line(text_from_html(html))[:_MAX_TITLE_CHARACTERS]


def _derived_title(text: str) -> str:
    """The first words of a text."""
    line = one_line(text)
    if len(line) <= _MAX_DERIVED_TITLE_CHARACTERS:
        return line
    return (line[:_MAX_DERIVED_TITLE_CHARACTERS].rpartition(" ")[0] or line[:40]) + "…"


def _author(author: Author) -> Author:
    email = one_line(author.email or "")
    return Author(
        name=one_line(text_from_html(author.name)) or email,
        email=email if _EMAIL.fullmatch(email) else None,
        uri=author.uri if author.uri and is_web(author.uri) else None,
    )


def _category(category: Category) -> Category:
    term = one_line(text_from_html(category.term or category.label or ""))
    label = one_line(text_from_html(category.label or ""))
    scheme = category.scheme if category.scheme and is_atom_id(category.scheme) else None
    return Category(term, scheme, label if label != term and label else None)


def _enclosures(draft: EntryDraft) -> list[Enclosure]:
    enclosures = []
    for enclosure in draft.enclosures:
        url = absolute(draft.base, enclosure.url) if enclosure.url else None
        media_type = one_line(enclosure.type or "")
        if url:
            valid_type = media_type if _MEDIA_TYPE.fullmatch(media_type) else None
            enclosures.append(Enclosure(url, valid_type, enclosure.length_bytes))
    return enclosures


def _language(value: str) -> str | None:
    value = value.strip().replace("_", "-")
    return value if _LANGUAGE.fullmatch(value) else None


def _identify(
    feed_key: str, feed: Feed, drafts: list[EntryDraft], entries: list[Entry]
) -> tuple[Entry, ...]:
    """Give each entry its ``page``, ``key`` and ``id``, and leave out exact copies.

    The key is the guid, else the page, else a digest of title and date or text. A guid or page
    that several entries of the document share identifies none of them: a guid is then completed by
    link and title, a page is not used.
    """
    home = link_key(feed.link) if feed.link else None
    link_uses = Counter(link_key(entry.link) for entry in entries if entry.link)
    guids = [remove_illegal(draft.guid) for draft in drafts]
    guid_uses = Counter(guids)
    atom_id_uses = Counter(draft.atom_id for draft in drafts)
    first_by_key: dict[str, Entry] = {}
    identified: dict[str, Entry] = {}
    for draft, guid, entry in zip(drafts, guids, entries, strict=True):
        page = page_of(entry, home)
        if page and link_uses[page] > 1:
            page = None
        at = entry.published or entry.updated
        date = str(at) if at else ""
        if guid and guid_uses[guid] == 1:
            key = guid
        elif guid:
            key = f"{guid}|{digest(entry.link or '', entry.title)}"
        elif page:
            key = page
        else:
            key = digest(entry.link or "", entry.title, date or entry.text)
        if first_by_key.setdefault(key, entry) != entry:
            key = f"{key}|{digest(entry.text, date, *(e.url for e in entry.enclosures))}"
        is_own_id = is_atom_id(draft.atom_id) and atom_id_uses[draft.atom_id] == 1
        atom_id = draft.atom_id if is_own_id else mint_id(feed_key, page, key)
        identified.setdefault(key, replace(entry, key=key, page=page, id=atom_id))
    return tuple(identified.values())


def page_of(entry: Entry, home: str | None) -> str | None:
    """The `link_key` of the entry's link, None if that is the home page of the feed or of any site.

    A home page identifies no entry, however many link to it.
    """
    page = link_key(entry.link) if entry.link else None
    return page if page != home and urlsplit(entry.link or "").path[1:] else None
