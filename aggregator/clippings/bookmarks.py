"""Netscape bookmark HTML, the export format of Pinboard, Shaarli, Wallabag and browsers.

There is no specification; the common form is described in
https://learn.microsoft.com/previous-versions/windows/internet-explorer/ie-developer/platform-apis/aa753582(v=vs.85)
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aggregator.errors import Diagnostic
from aggregator.model import Clipping
from aggregator.text.urls import is_web

if TYPE_CHECKING:
    from lxml.html import HtmlElement


def is_bookmarks(data: bytes) -> bool:
    """Whether ``data`` is a bookmark file, by its document type."""
    start = data.lstrip(b"\xef\xbb\xbf \t\r\n")[:40].lower()
    return start.startswith(b"<!doctype netscape-bookmark-file-1")


def parse_bookmarks(data: bytes, file: str) -> tuple[tuple[Clipping, ...], tuple[Diagnostic, ...]]:
    """Every bookmark with a web address: tags from TAGS, date from ADD_DATE, excerpt from DD."""
    from lxml import etree, html  # slow to import, and few installations need it

    # Exporters declare UTF-8 or nothing, and then it is UTF-8 too.
    parser = html.HTMLParser(encoding="utf-8", huge_tree=False)
    try:
        document = html.document_fromstring(data, parser=parser)
    except (etree.ParserError, ValueError) as error:
        return (), (Diagnostic(file, None, f"not a bookmark file: {error}"),)
    clippings: list[Clipping] = []
    warnings: list[Diagnostic] = []
    for anchor in document.iter("a"):
        link = (anchor.get("href") or "").strip()
        title = " ".join(anchor.text_content().split())
        if not is_web(link):
            if not link.startswith(("place:", "javascript:")):  # browser internals, not pages
                message = f'left out "{title}": "{link}" is not a web address'
                warnings.append(Diagnostic(file, anchor.sourceline, message))
            continue
        tags = tuple(dict.fromkeys(t.strip() for t in (anchor.get("tags") or "").split(",")))
        clippings.append(
            Clipping(
                title=title or link,
                link=link,
                excerpt=_description(anchor),
                tags=tuple(tag for tag in tags if tag),
                clipped_at=_date(anchor.get("add_date")),
            )
        )
    if not clippings:
        warnings.append(Diagnostic(file, None, "no bookmark found"))
    return tuple(clippings), tuple(warnings)


def _description(anchor: "HtmlElement") -> str:
    """The text of the DD after the bookmark's DT."""
    term = anchor.getparent()
    following = None if term is None else term.getnext()
    if following is None or following.tag != "dd":
        return ""
    # DD is never closed, so the parser may put the next folder inside it.
    parts = [following.text or ""]
    for child in following:
        if child.tag in ("dl", "dt"):
            break
        if isinstance(child.tag, str):  # not a comment
            parts.append(child.text_content())
        parts.append(child.tail or "")
    return " ".join("".join(parts).split())


def _date(seconds: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return None
