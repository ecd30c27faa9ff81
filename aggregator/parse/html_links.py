"""The feeds that an HTML page announces. Pure."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser

from aggregator.parse.sanitize import one_line
from aggregator.text.urls import absolute

_FEED_TYPES = {
    "application/atom+xml", "application/rss+xml", "application/feed+json", "application/rdf+xml",
    "application/x.atom+xml", "application/x-atom+xml", "text/xml", "application/xml",
    "application/json",
}  # fmt: skip
_MAX_BYTES = 2 * 1024 * 1024
_MAX_TAG_CHARACTERS = 4096  # of a tag
_RELEVANT_TAG = re.compile(r"(?:a|base|link|meta)[\s/]", re.IGNORECASE)
_SKIPPED = {"!--": "-->", "script": "/script", "style": "/style"}  # how it starts: how it ends
_MAX_LINKS = 2000


@dataclass(frozen=True, slots=True)
class Link:
    """A ``link`` or ``a`` element of a page; ``url`` is absolute."""

    url: str
    rel: frozenset[str] = frozenset()
    type: str = ""
    title: str = ""


@dataclass(slots=True)
class Page:
    """The links and the generator (``meta name=generator``) of a page, for discovery."""

    links: list[Link] = field(default_factory=list)
    anchors: list[Link] = field(default_factory=list)
    generator: str = ""

    def feeds(self) -> Iterator[Link]:
        """The feeds that the page announces (``link rel=alternate``), without duplicates."""
        urls = set()
        for link in self.links:
            announced = link.rel & {"alternate", "feed"} and link.type in _FEED_TYPES
            # WordPress announces its API in the same way.
            if announced and "/wp-json/" not in link.url and link.url not in urls:
                urls.add(link.url)
                yield link


class _TagParser(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.page = Page()
        self._base = url

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "base":
            self._base = absolute(self._base, values.get("href", "")) or self._base
        elif tag == "meta" and values.get("name", "").lower() == "generator":
            self.page.generator = one_line(values.get("content", ""))
        elif tag in ("link", "a") and values.get("href"):
            links = self.page.links if tag == "link" else self.page.anchors
            url = absolute(self._base, values["href"])
            if url and len(links) < _MAX_LINKS:
                rel = frozenset(values.get("rel", "").lower().split())
                media_type = values.get("type", "").lower().partition(";")[0].strip()
                links.append(Link(url, rel, media_type, one_line(values.get("title", ""))))


def read_page(body: bytes, url: str) -> Page:
    """Read the links of an HTML page. Accepts any bytes."""
    parser = _TagParser(url)
    for tag in _relevant_tags(body[:_MAX_BYTES].decode("utf-8", "replace")):
        with suppress(AssertionError):  # html.parser raises it for some broken tags
            parser.feed(tag)
            parser.close()
        parser.reset()
    return parser.page


def _relevant_tags(text: str) -> Iterator[str]:
    """The relevant tags one by one, without those in comments and scripts.

    The standard library's parser needs minutes for a whole page that was made to be slow.
    """
    end = ""  # of the comment or script around the piece
    for piece in text.split("<")[1:]:
        if not end:
            name = piece[:6].lower()
            end = next((_SKIPPED[start] for start in _SKIPPED if name.startswith(start)), "")
            if not end and _RELEVANT_TAG.match(piece):
                yield f"<{piece[:_MAX_TAG_CHARACTERS]}"
        if end and end in piece.lower():
            end = ""
