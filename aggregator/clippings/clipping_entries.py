"""Clippings as entries to republish, and entries of bookmark feeds (Seenthis, Shaarli) as clippings."""

import re
from collections.abc import Iterable
from dataclasses import replace
from html import escape

from aggregator.model import Category, Clipping, Entry
from aggregator.text.atom_ids import mint_id
from aggregator.text.characters import XML_ILLEGAL
from aggregator.text.folding import digest, fold
from aggregator.text.labels import split_labels
from aggregator.text.urls import absolute, link_key


def clipping_from_entry(entry: Entry) -> Clipping:
    """An entry of a bookmark feed as a clipping: its categories are the reader's tags."""
    return Clipping(
        title=entry.title,
        link=entry.link,
        excerpt=entry.text,
        tags=tuple(
            dict.fromkeys(
                tag for category in entry.categories for tag in split_labels(category.term)
            )
        ),
        clipped_at=entry.published or entry.updated,
    )


def make_publishable(clipping: Clipping) -> Clipping:
    """The clipping without what would make a feed invalid: characters that XML does not allow, an
    empty title, an address that is not an IRI."""
    excerpt = XML_ILLEGAL.sub("", clipping.excerpt)
    link = absolute("", XML_ILLEGAL.sub("", clipping.link)) if clipping.link else None
    return replace(
        clipping,
        title=XML_ILLEGAL.sub("", clipping.title).strip() or link or excerpt.partition("\n")[0],
        link=link,
        excerpt=excerpt,
        tags=tuple(filter(fold, (XML_ILLEGAL.sub("", tag) for tag in clipping.tags))),
    )


def entries_from_clippings(clippings: Iterable[Clipping]) -> list[Entry]:
    """The entries to republish. A page that was clipped twice is one entry with all its tags.

    The key is the page, so a clipping stays the same entry when it moves to another file. An empty
    clipping gives no entry.
    """
    entries: dict[str, Entry] = {}
    for clipping in filter(lambda clipping: clipping.title, clippings):
        entry = _entry(clipping)
        first = entries.get(entry.key)
        if first is not None:
            categories = {fold(c.term): c for c in (*entry.categories, *first.categories)}
            entry = replace(first, categories=tuple(categories.values()))
        entries[entry.key] = entry
    return list(entries.values())


def _entry(clipping: Clipping) -> Entry:
    page = link_key(clipping.link) if clipping.link else None
    key = page or digest(clipping.title, clipping.excerpt)
    paragraphs = re.split(r"\n\s*\n", clipping.excerpt)
    quoted = "".join(f"<p>{escape(p, quote=False)}</p>" for p in paragraphs if p)
    return Entry(
        key=key,
        id=mint_id("clipping", page, key),
        title=clipping.title,
        link=clipping.link,
        page=page,
        content=f"<blockquote>{quoted}</blockquote>" if quoted else "",
        text=clipping.excerpt,
        categories=tuple(Category(tag) for tag in clipping.tags),
        published=clipping.clipped_at,
    )
