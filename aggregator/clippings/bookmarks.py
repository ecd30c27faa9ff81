"""Netscape bookmark HTML, which Pinboard, Shaarli, Wallabag and the browsers export.

There is no specification; what everybody writes is described in
https://learn.microsoft.com/previous-versions/windows/internet-explorer/ie-developer/platform-apis/aa753582(v=vs.85)
"""

from datetime import UTC, datetime

from lxml import etree, html

from aggregator.errors import Diagnostic
from aggregator.model import Clipping
from aggregator.text.urls import is_web


def read_bookmarks(data: bytes, file: str) -> tuple[tuple[Clipping, ...], tuple[Diagnostic, ...]]:
    """Every bookmark with a web address: tags from TAGS, date from ADD_DATE, excerpt from DD."""
    # The exporters declare UTF-8 or nothing, and nothing means UTF-8 too.
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
            if not link.startswith(("place:", "javascript:")):  # a browser's own, never pages
                message = f'left out "{title}": "{link}" is no web address'
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


def _description(anchor: html.HtmlElement) -> str:
    """The text of the DD that follows the bookmark's DT."""
    term = anchor.getparent()
    following = None if term is None else term.getnext()
    if following is None or following.tag != "dd":
        return ""
    # The DD is never closed, so a parser may find the next folder inside it.
    parts = [following.text or ""]
    for child in following:
        if child.tag in ("dl", "dt"):
            break
        if isinstance(child.tag, str):  # and not a comment
            parts.append(child.text_content())
        parts.append(child.tail or "")
    return " ".join("".join(parts).split())


def _date(seconds: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return None
