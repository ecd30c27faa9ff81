"""Netscape bookmark HTML, the export format of browsers, Pinboard, Shaarli and linkding.

There is no specification; the common form is described in
https://learn.microsoft.com/previous-versions/windows/internet-explorer/ie-developer/platform-apis/aa753582(v=vs.85)
Pocket's export, a list of links, is read too.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from aggregator.clippings.fields import public_tags, read_time
from aggregator.errors import Diagnostic
from aggregator.model import Clipping
from aggregator.text.decoding import decode_document
from aggregator.text.markup import Markup, read_markup
from aggregator.text.urls import is_web

_HEAD_BYTES = 64 * 1024  # in which the structure must show
_DOCUMENT_TYPE = "netscape-bookmark-file-1"
_FIRST = {"!doctype", "html", "head", "meta", "title", "body", "h1", "h3", "dl", "dt", "p"}
_NO_PAGES = ("place:", "javascript:", "about:", "chrome:", "data:")  # internals of browsers
_ITEM_ENDS = {"dt", "li", "dl", "/dl", "h1", "h3", "hr"}  # of the bookmark before
_LINE_ENDS = {"br", "p", "/p", "div", "/div"}
_LINK = re.compile(r"<a\s", re.IGNORECASE)
_ADDRESS = re.compile(r"\bhref\s*=", re.IGNORECASE)


@dataclass(slots=True)
class _Bookmark:
    attributes: dict[str, str]
    line: int
    title: list[str] = field(default_factory=list)
    note: list[str] = field(default_factory=list)
    links: int = 1  # its own, and those in its note


def is_bookmarks(data: bytes) -> bool:
    """Whether ``data`` is a bookmark file, by its document type or its structure."""
    document = decode_document(data[:_HEAD_BYTES])
    if not document.lstrip().startswith("<"):
        return False
    markups = (markup for markup in read_markup(document) if markup.name != "!--")
    first = previous = next(markups, None)
    if first is None or first.name not in _FIRST:
        return False
    if _DOCUMENT_TYPE in map(str.lower, first.attributes):
        return True
    for markup in markups:
        if _is_link(markup) and previous:
            is_pocket = previous.name == "li" and "time_added" in markup.attributes
            if previous.name == "dt" or is_pocket:
                return True
        previous = markup
    return False


def parse_bookmarks(data: bytes, file: str) -> tuple[tuple[Clipping, ...], tuple[Diagnostic, ...]]:
    """Every bookmark with a web address: tags from TAGS, date from ADD_DATE, excerpt from DD.

    Folders are no tags.
    """
    document = decode_document(data)
    clippings: list[Clipping] = []
    warnings: list[Diagnostic] = []
    count = 0
    for bookmark in _read_bookmarks(document):
        count += bookmark.links
        clipping = _make_clipping(bookmark)
        link = clipping.link or ""
        if is_web(link):
            clippings.append(clipping)
        elif not link.lower().startswith(_NO_PAGES):
            message = f'left out "{clipping.title}": "{link}" is not a web address'
            warnings.append(Diagnostic(file, bookmark.line, message))
    links = _count_links(document)
    if links != count:
        message = f"of {links} links in the file, {count} were read"
        warnings.append(Diagnostic(file, None, message))
    elif not clippings:
        warnings.append(Diagnostic(file, None, "no bookmark found"))
    return tuple(clippings), tuple(warnings)


def _read_bookmarks(document: str) -> Iterator[_Bookmark]:
    """The links of a document that are not in a note, with the note (DD) after each."""
    bookmark: _Bookmark | None = None
    part: list[str] | None = None  # the title or note to which text belongs
    for markup in read_markup(document):
        is_in_note = bookmark is not None and part is bookmark.note
        if _is_link(markup) and not is_in_note:
            if bookmark:
                yield bookmark
            bookmark = _Bookmark(markup.attributes, markup.line)
            part = bookmark.title
        elif _is_link(markup) and bookmark:
            bookmark.links += 1
        elif markup.name in _ITEM_ENDS:
            if bookmark:
                yield bookmark
            bookmark = part = None
        elif markup.name == "dd":
            part = bookmark.note if bookmark else None
        elif markup.name == "/dd" or (markup.name == "/a" and not is_in_note):
            part = None
        if part is not None:
            part.append("\n" if markup.name in _LINE_ENDS else "")
            part.append(markup.text)
    if bookmark:
        yield bookmark


def _is_link(markup: Markup) -> bool:
    return markup.name == "a" and "href" in markup.attributes


def _make_clipping(bookmark: _Bookmark) -> Clipping:
    attributes = bookmark.attributes
    link = attributes["href"].strip().lstrip("\"'")  # of an attribute that does not end
    paragraphs = re.split(r"\n\s*\n", html.unescape("".join(bookmark.note)))
    return Clipping(
        title=" ".join(html.unescape("".join(bookmark.title)).split()) or link,
        link=link,
        excerpt="\n\n".join(filter(None, (" ".join(text.split()) for text in paragraphs))),
        tags=public_tags(attributes.get("tags", "").split(",")),
        clipped_at=read_time(attributes.get("add_date") or attributes.get("time_added")),
        private=_is_true(attributes.get("private", "0"))
        or not all(_is_true(attributes.get(name, "1")) for name in ("public", "shared")),
    )


def _count_links(document: str) -> int:
    """The number of links, counted without reading their structure."""
    tags = (piece.partition(">")[0] for piece in _LINK.split(document)[1:])
    return sum(1 for tag in tags if _ADDRESS.search(tag))


def _is_true(mark: str) -> bool:
    return mark.strip().lower() not in ("0", "false", "no")
