"""Drafts -> `model.ParsedFeed`: clean every field, and resolve every address."""

import re
from collections.abc import Iterable
from dataclasses import replace

from aggregator.model import Category, Enclosure, Entry, Feed, ParsedFeed
from aggregator.parse.drafts import EntryDraft, FeedDraft
from aggregator.parse.identity import identify
from aggregator.parse.persons import merge_persons
from aggregator.parse.sanitize import clean_html, one_line, text_from_html
from aggregator.text.additions import GENERATOR, is_addition, remove_footer
from aggregator.text.atom_ids import is_atom_id
from aggregator.text.languages import language_of
from aggregator.text.pictures import first_picture
from aggregator.text.urls import absolute, is_same_site, is_web

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
_SHORTEST_CODES = {
    "fra": "fr", "eng": "en", "deu": "de", "ger": "de", "spa": "es", "esp": "es",
    "ita": "it", "por": "pt", "nld": "nl", "dut": "nl", "cat": "ca", "rus": "ru", "swe": "sv",
    "dan": "da", "nor": "no", "fin": "fi", "pol": "pl", "jpn": "ja", "zho": "zh", "chi": "zh",
    "kor": "ko", "ara": "ar", "tur": "tr", "ell": "el", "gre": "el", "heb": "he", "iw": "he",
    "in": "id", "ji": "yi",
}  # fmt: skip
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
MAX_ENTRIES = 300  # of one document
_MAX_TITLE_CHARACTERS = 1000
_MAX_DERIVED_TITLE_CHARACTERS = 80
_MAX_NOTES = 5
_COMPARED_WORDS = 12


def normalize_feed(key: str, draft: FeedDraft, language: str | None) -> ParsedFeed:
    """Sanitise, make links absolute, and give every entry its key and id.

    ``key`` is that of the subscription: its address without secrets. ``language`` is the one that
    the operator states; it overrides all others.
    """
    declared = _language(draft.language)
    link = absolute(draft.base, draft.link) if draft.link else None
    feed = Feed(
        id=draft.id if is_atom_id(draft.id) else key,
        title=_title(draft.title_html) or link or key,
        link=link,
        language=language or declared,
        rights=one_line(text_from_html(draft.rights)) or None,
    )
    notes = list(draft.notes)
    drafts = _newest(draft.entries)
    if len(drafts) < len(draft.entries):
        notes.append(f"of {len(draft.entries)} entries, the newest {len(drafts)} were taken")
    is_ours = draft.generator == GENERATOR
    drafts = [_without_additions(entry, from_aggregator=is_ours) for entry in drafts]
    home = link or draft.base
    entries = identify(
        key, feed, drafts, [_entry(entry, feed, home, declared, language) for entry in drafts]
    )
    if len(entries) < len(drafts):
        notes.append(f"{len(drafts) - len(entries)} duplicate entries were dropped")
    notes += (note for entry in drafts for note in entry.notes)
    return ParsedFeed(
        key,
        feed,
        entries,
        tuple(draft.warnings),
        draft.hints,
        is_cut=draft.is_cut,
        notes=first_notes(notes),
    )


def first_notes(notes: Iterable[str]) -> tuple[str, ...]:
    """Each note once, and not too many. Two notes that differ only in an example are one."""
    by_kind: dict[str, str] = {}
    for note in notes:
        by_kind.setdefault(note.partition(", such as")[0], note)
    return tuple(by_kind.values())[:_MAX_NOTES]


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


def _without_additions(draft: EntryDraft, *, from_aggregator: bool) -> EntryDraft:
    """The entry as its author wrote it, without the additions of an aggregator."""
    return replace(
        draft,
        summary_html=remove_footer(draft.summary_html, from_aggregator=from_aggregator),
        content_html=remove_footer(draft.content_html, from_aggregator=from_aggregator),
        categories=[category for category in draft.categories if not is_addition(category)],
    )


def _entry(
    draft: EntryDraft, feed: Feed, home: str, feed_language: str | None, setting: str | None
) -> Entry:
    """The entry without its identity: ``key``, ``id`` and ``page`` follow in `identify`.

    ``home``: the feed's link, or else its address. ``feed_language`` is the one that the feed
    declares, ``setting`` the operator's.
    """
    link = absolute(draft.base or home, draft.link) if draft.link else None
    base = draft.content_base or _content_base(link, draft.guid, feed.link) or home
    page, anchors = link or "", draft.guid or link or draft.title_html
    content = clean_html(draft.content_html, base, page=page, anchors=anchors)
    summary = clean_html(draft.summary_html, base, page=page, anchors=anchors)
    if not content:
        content, summary = summary, ""
    elif summary == content:
        summary = ""
    text = text_from_html(content)
    title = _title(draft.title_html) or _derived_title(text) or link or "(untitled)"
    declared = _language(draft.language) or feed_language
    language = language_of(f"{title}\n{text}", declared, setting)
    if not setting and declared and language != declared:
        draft.notes.append(
            f'some texts are not in "{declared}", as declared, such as "{title[:40]}"'
        )
    return Entry(
        key="",
        id="",
        title=title,
        link=link,
        summary=summary,
        content=content,
        text=_with_summary(text, text_from_html(summary)),
        authors=merge_persons(draft.authors),
        categories=tuple(dict.fromkeys(c for c in map(_category, draft.categories) if c.term)),
        enclosures=tuple(dict.fromkeys(_enclosures(draft, base, content))),
        published=draft.published,
        updated=draft.updated,
        language=language,
        rights=one_line(text_from_html(draft.rights)) or None,
        image=(absolute(base, draft.image) if draft.image else None)
        or first_picture(content or summary),
        source=draft.source,
    )


def _content_base(link: str | None, guid: str, feed_link: str | None) -> str | None:
    """What relative addresses mean without an xml:base: the entry's page, else the feed's.

    The link of a linkblog is another site's page. Its own page is then often the guid.
    """
    if link and feed_link and is_web(guid) and not is_same_site(link, feed_link):
        return guid if is_same_site(guid, feed_link) else link
    return link or feed_link


def _with_summary(text: str, summary: str) -> str:
    """All words of an entry: its text, and its summary if that is no part of it."""
    start = " ".join(summary.split()[:_COMPARED_WORDS])
    if not start or start in " ".join(text.split()):
        return text
    return f"{text}\n\n{summary}"


def _title(html: str) -> str:
    return one_line(text_from_html(html))[:_MAX_TITLE_CHARACTERS]


def _derived_title(text: str) -> str:
    """The first words of a text."""
    line = one_line(text)
    if len(line) <= _MAX_DERIVED_TITLE_CHARACTERS:
        return line
    return (line[:_MAX_DERIVED_TITLE_CHARACTERS].rpartition(" ")[0] or line[:40]) + "…"


def _category(category: Category) -> Category:
    term = one_line(text_from_html(category.term or category.label or ""))
    label = one_line(text_from_html(category.label or ""))
    scheme = category.scheme if category.scheme and is_atom_id(category.scheme) else None
    return Category(term, scheme, label if label != term and label else None)


def _enclosures(draft: EntryDraft, base: str, content: str) -> list[Enclosure]:
    """The enclosures with absolute addresses, without pictures that the content shows."""
    enclosures = []
    for enclosure in draft.enclosures:
        url = absolute(base, enclosure.url) if enclosure.url else None
        media_type = one_line(enclosure.type or "")
        is_shown = media_type.startswith("image/") and (url or "").partition("?")[0] in content
        if url and not is_shown:
            valid_type = media_type if _MEDIA_TYPE.fullmatch(media_type) else None
            title = one_line(enclosure.title or "")[:_MAX_TITLE_CHARACTERS] or None
            enclosures.append(replace(enclosure, url=url, type=valid_type, title=title))
    return enclosures


def _language(value: str) -> str | None:
    """A language tag with the shortest code (RFC 5646 section 2.2.1)."""
    value = value.strip().replace("_", "-")
    code, hyphen, more = value.partition("-")
    shortest = _SHORTEST_CODES.get(code.lower(), code)
    is_language = _LANGUAGE.fullmatch(value) and code.lower() != "utf"
    return f"{shortest}{hyphen}{more}" if is_language else None
