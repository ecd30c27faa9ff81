"""Clippings as entries to republish, and entries of bookmark feeds (Seenthis, Shaarli) as clippings."""

import re
from collections.abc import Iterable
from dataclasses import replace
from html import escape

from aggregator.clippings.fields import public_tags
from aggregator.model import Category, Clipping, Entry
from aggregator.text.atom_ids import mint_id
from aggregator.text.characters import XML_ILLEGAL
from aggregator.text.folding import digest, fold
from aggregator.text.labels import split_labels
from aggregator.text.urls import absolute, host, link_key

_TAGS_IN_ONE_CATEGORY = ("pinboard.in", "feeds.pinboard.in")  # "commons peer_to_peer" are two tags


def clipping_from_entry(entry: Entry, feed: str = "", *, private: bool = False) -> Clipping:
    """An entry of a bookmark feed as a clipping: its categories are the reader's tags.

    ``feed`` is an address of the feed or of its site.
    """
    tags = [tag for category in entry.categories for tag in split_labels(category.term)]
    if host(feed) in _TAGS_IN_ONE_CATEGORY:
        tags = [tag for term in tags for tag in term.split()]
    return Clipping(
        title=entry.title,
        link=entry.link,
        excerpt=entry.text,
        tags=public_tags(tags),
        clipped_at=entry.published or entry.updated,
        private=private,
    )


def without_private_tags(
    clippings: Iterable[Clipping], public_names: Iterable[str]
) -> list[Clipping]:
    """The clippings, without the tags that only private ones have: their names are private too.

    ``public_names`` are other tags that may be published. Private clippings get their spelling, or
    that of a public clipping.
    """
    clippings = list(clippings)
    public_tags_of_all = (tag for c in clippings if not c.private for tag in c.tags)
    spellings = {fold(name): name for name in (*public_names, *public_tags_of_all)}

    def show(tags: Iterable[str]) -> tuple[str, ...]:
        return tuple(spellings[fold(tag)] for tag in tags if fold(tag) in spellings)

    return [replace(c, tags=show(c.tags)) if c.private else c for c in clippings]


def private_warning(clippings: Iterable[Clipping]) -> list[str]:
    """A warning with the number of private clippings; none if there are none."""
    count = sum(clipping.private for clipping in clippings)
    if not count:
        return []
    noun = "bookmark is" if count == 1 else "bookmarks are"
    return [f"{count} private {noun} used for matching and not published"]


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
    clipping gives no entry, and neither does a private one.
    """
    entries: dict[str, Entry] = {}
    for clipping in (c for c in clippings if c.title and not c.private):
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
