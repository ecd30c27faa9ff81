"""`model.OutputFeed` -> Atom 1.0 (RFC 4287), through feedgen, whose one importing file this is.

Around feedgen 1.0.0: it stamps ``updated`` with the present time, so both are always set; it
puts new entries first, so they are appended; it drops rel, type and length of entry links
(issues 135, 143: an enclosure would become the entry's own link) and most of atom:source, so an
extension of ours writes those; and one entry without a title fails a whole feed, so every
`PublishedEntry` has one, free of characters that XML cannot hold.
"""

from dataclasses import replace
from datetime import datetime
from html import escape
from typing import Any

from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from feedgen.util import xml_elem

from aggregator import __version__
from aggregator.model import Category, Enclosure, OutputFeed, PublishedEntry, Source
from aggregator.text.characters import XML_ILLEGAL

_ATOM = "application/atom+xml"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


_HISTORY = "http://purl.org/syndication/history/1.0"


class _Feed(BaseExtension):  # type: ignore[misc]  # feedgen is untyped
    """That a document is one of an archive (RFC 5005 section 4)."""

    def __init__(self) -> None:
        self.archive = False

    def extend_ns(self) -> dict[str, str]:
        """The prefixes that feedgen shall declare."""
        return {"fh": _HISTORY} if self.archive else {}

    def extend_atom(self, feed: Any) -> Any:
        """Add to the ``feed`` element."""
        if self.archive:
            feed.append(feed.makeelement(f"{{{_HISTORY}}}archive"))
        return feed


class _Entry(BaseEntryExtension):  # type: ignore[misc]  # feedgen is untyped
    """What feedgen's own entry elements lose."""

    def __init__(self) -> None:
        self.enclosures: tuple[Enclosure, ...] = ()
        self.source: Source | None = None
        self.language: str | None = None
        self.related: tuple[str, ...] = ()

    def extend_atom(self, feed: Any) -> Any:
        """Add to the ``entry`` element; feedgen calls its parameter ``feed``."""
        # "" says that the language is not known (XML 1.0 section 2.12): without it an entry
        # would claim the language of this site.
        feed.set(_XML_LANG, self.language or "")
        for enclosure in self.enclosures:
            link = xml_elem("link", feed, rel="enclosure", href=enclosure.url)
            if enclosure.type:
                link.set("type", enclosure.type)
            if enclosure.length_bytes is not None:
                link.set("length", str(enclosure.length_bytes))
        for address in self.related:
            xml_elem("link", feed, rel="related", href=address)
        if self.source:
            _add_source(feed, self.source)
        return feed


def render_atom(feed: OutputFeed) -> bytes:
    """The whole document. The same feed gives the same bytes."""
    try:
        return _rendered(feed)
    except ValueError:  # a text that was stored when parsing still let such characters through
        return _rendered(replace(feed, entries=tuple(map(_legible, feed.entries))))


def _legible(entry: PublishedEntry) -> PublishedEntry:
    """Without the characters that XML cannot hold: one of them must not cost a feed its others."""
    summary, content = (XML_ILLEGAL.sub("", html) for html in (entry.summary, entry.content))
    return replace(entry, summary=summary, content=content)


def _rendered(feed: OutputFeed) -> bytes:
    out = FeedGenerator()
    out.register_extension("ours", _Feed, _Entry, atom=True, rss=False)
    out.ours.archive = feed.archive
    out.id(feed.channel.id)
    out.title(feed.title)
    if feed.channel.description:
        out.subtitle(feed.channel.description)
    out.updated(feed.updated)
    out.author({"name": feed.site.author})
    out.language(feed.site.language)
    out.link(href=feed.address("atom"), rel="self", type=_ATOM)
    if not feed.archive:
        out.link(href=feed.home, rel="alternate", type="text/html")
        out.link(href=feed.address("json"), rel="alternate", type="application/feed+json")
    for rel, path in (
        ("current", feed.current),
        ("prev-archive", feed.previous),
        ("next-archive", feed.next),
    ):
        if path:
            out.link(href=feed.address("atom", path), rel=rel, type=_ATOM)
    if feed.hub:
        out.link(href=feed.hub, rel="hub")
    out.generator("aggregator", __version__)
    for entry in feed.entries:
        _add_entry(out, entry)
    document: bytes = out.atom_str(pretty=True)
    return document


def _add_entry(out: FeedGenerator, entry: PublishedEntry) -> None:
    item = out.add_entry(order="append")
    item.id(entry.id)
    item.title(entry.title)
    item.updated(entry.updated)
    if entry.link:
        item.link(href=entry.link)
    if entry.published:
        item.published(entry.published)
    for author in entry.authors:
        person = {"name": author.name, "email": author.email, "uri": author.uri}
        item.author({key: value for key, value in person.items() if value})
    for category in entry.categories:
        item.category(_category(category))
    if entry.content or not entry.link:
        item.content(entry.content or escape(entry.title, quote=False), type="html")
    if entry.summary:
        item.summary(entry.summary, type="html")
    if entry.rights:
        item.rights(entry.rights)
    item.ours.enclosures = entry.enclosures
    item.ours.related = entry.related
    item.ours.source = entry.source
    item.ours.language = entry.language


def _category(category: Category) -> dict[str, str]:
    named = {"term": category.term, "scheme": category.scheme, "label": category.label}
    return {key: value for key, value in named.items() if value}


def _add_source(entry: Any, source: Source) -> None:
    element = xml_elem("source", entry)
    _add_text(element, "id", source.id)
    _add_text(element, "title", source.title)
    _add_text(element, "updated", _rfc3339(source.updated))
    _add_text(element, "rights", source.rights)
    if source.link:
        xml_elem("link", element, rel="alternate", href=source.link)
    if source.self_url:
        xml_elem("link", element, rel="self", href=source.self_url)


def _add_text(parent: Any, name: str, text: str | None) -> None:
    if text:
        xml_elem(name, parent).text = text


def _rfc3339(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
