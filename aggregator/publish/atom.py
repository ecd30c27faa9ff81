"""Renders feeds as Atom 1.0 (RFC 4287) with feedgen.

Workarounds for feedgen 1.0.0:

- It sets ``updated`` to the current time, so we always set it, of feeds and entries.
- It puts new entries first, so we append them.
- It drops rel, type and length of entry links (issues 135, 143: an enclosure would become the
  entry's own link) and most of atom:source, so our extension writes those, and Media RSS beside them.
- It refuses a feed in which one entry has no title, so every `PublishedEntry` has one, without
  characters that XML does not allow.
"""

from dataclasses import replace
from html import escape
from typing import Any

from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from feedgen.util import xml_elem

from aggregator import __version__
from aggregator.model import Enclosure, OutputFeed, PublishedEntry, Source
from aggregator.text.additions import GENERATOR
from aggregator.text.characters import XML_ILLEGAL

_ATOM = "application/atom+xml"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_HISTORY = "http://purl.org/syndication/history/1.0"
_MEDIA = "http://search.yahoo.com/mrss/"
_MEDIUMS = ("image", "audio", "video")


class _FeedExtension(BaseExtension):  # type: ignore[misc]  # feedgen is untyped
    """Marks archive documents (RFC 5005 section 4).

    The only document of an archive is not marked: nothing precedes or follows it, and the validator
    complains about a marked document without such links.
    """

    feed: OutputFeed

    @property
    def _is_marked(self) -> bool:
        return self.feed.archive and bool(self.feed.previous or self.feed.next)

    def extend_ns(self) -> dict[str, str]:
        """Namespace prefixes for feedgen to declare."""
        has_media = any(entry.image or _timed(entry) for entry in self.feed.entries)
        media = {"media": _MEDIA} if has_media else {}
        return media | ({"fh": _HISTORY} if self._is_marked else {})

    def extend_atom(self, feed: Any) -> Any:
        """Add to the ``feed`` element."""
        if self._is_marked:
            feed.append(feed.makeelement(f"{{{_HISTORY}}}archive"))
        return feed


class _EntryExtension(BaseEntryExtension):  # type: ignore[misc]  # feedgen is untyped
    """Writes what feedgen drops."""

    entry: PublishedEntry

    def extend_atom(self, feed: Any) -> Any:
        """Add to the ``entry`` element; feedgen calls its parameter ``feed``."""
        # "" means that the language is unknown (XML 1.0 section 2.12). Without it, the entry
        # would inherit the language of this site.
        feed.set(_XML_LANG, self.entry.language or "")
        for enclosure in self.entry.enclosures:
            _add_enclosure(feed, enclosure)
        for address in self.entry.related:
            xml_elem("link", feed, rel="related", href=address)
        if via := self.entry.via:
            xml_elem("link", feed, rel="via", href=via.link or via.self_url, title=via.title)
        if self.entry.source:
            _add_source(feed, self.entry.source)
        _add_media(feed, self.entry)
        return feed


def render_atom(feed: OutputFeed) -> bytes:
    """The document of ``feed``."""
    try:
        return _render(feed)
    except ValueError:  # an entry stored by a version whose parser kept illegal characters
        return _render(replace(feed, entries=tuple(map(_without_illegal, feed.entries))))


def _without_illegal(entry: PublishedEntry) -> PublishedEntry:
    """Remove characters that XML does not allow: one must not make the whole feed fail."""
    summary, content = (XML_ILLEGAL.sub("", html) for html in (entry.summary, entry.content))
    return replace(entry, summary=summary, content=content)


def _render(feed: OutputFeed) -> bytes:
    out = FeedGenerator()
    out.register_extension("ours", _FeedExtension, _EntryExtension, atom=True, rss=False)
    out.ours.feed = feed
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
    archive_links = {
        "current": feed.current,
        "prev-archive": feed.previous,
        "next-archive": feed.next,
    }
    for rel, path in archive_links.items():
        if path:
            out.link(href=feed.address("atom", path), rel=rel, type=_ATOM)
    if feed.hub:
        out.link(href=feed.hub, rel="hub")
    out.generator(GENERATOR, __version__)
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
        item.author(_drop_empty({"name": author.name, "email": author.email, "uri": author.uri}))
    for category in entry.categories:
        attributes = {"term": category.term, "scheme": category.scheme, "label": category.label}
        item.category(_drop_empty(attributes))
    if entry.content or not entry.link:
        item.content(entry.content or escape(entry.title, quote=False), type="html")
    if entry.summary:
        item.summary(entry.summary, type="html")
    if entry.rights:
        item.rights(entry.rights)
    item.ours.entry = entry


def _add_enclosure(entry: Any, enclosure: Enclosure) -> None:
    length = enclosure.length_bytes
    attributes = {
        "type": enclosure.type,
        "length": None if length is None else str(length),
        "title": enclosure.title,
    }
    xml_elem("link", entry, rel="enclosure", href=enclosure.url, **_drop_empty(attributes))


def _timed(entry: PublishedEntry) -> list[Enclosure]:
    """The enclosures with a duration."""
    return [enclosure for enclosure in entry.enclosures if enclosure.duration_seconds]


def _add_media(entry: Any, published: PublishedEntry) -> None:
    """The picture and the durations, for which Atom has no element (Media RSS 1.5.1)."""
    for enclosure in _timed(published):
        medium = (enclosure.type or "").partition("/")[0]
        attributes = {
            "type": enclosure.type,
            "fileSize": str(enclosure.length_bytes or "") or None,
            "medium": medium if medium in _MEDIUMS else None,
            "duration": str(enclosure.duration_seconds),
        }
        xml_elem(f"{{{_MEDIA}}}content", entry, url=enclosure.url, **_drop_empty(attributes))
    if published.image:
        xml_elem(f"{{{_MEDIA}}}thumbnail", entry, url=published.image)


def _add_source(entry: Any, source: Source) -> None:
    element = xml_elem("source", entry)
    updated = source.updated.isoformat() if source.updated else None
    texts = {"id": source.id, "title": source.title, "updated": updated, "rights": source.rights}
    for name, text in _drop_empty(texts).items():
        xml_elem(name, element).text = text
    for rel, href in _drop_empty({"alternate": source.link, "self": source.self_url}).items():
        xml_elem("link", element, rel=rel, href=href)


def _drop_empty(values: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in values.items() if value}
