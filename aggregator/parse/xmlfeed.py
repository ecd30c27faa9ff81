"""RSS, RDF, Atom and CDF through feedparser, whose one importing file this is.

Traps of feedparser 6.0 that are avoided here: a string argument may open a file or an address,
so it gets BytesIO; ``.get("updated_parsed")`` falls back to published, so keys are tested with
``in``; with a base address it resolves guids too, so it gets none, and links are resolved here;
HTML is not "bozo", so the version is tested; its sanitiser lets text/plain through, so
all cleaning is `clean`'s.
"""

import re
from datetime import datetime
from html import escape
from io import BytesIO
from typing import Any

import feedparser

from aggregator.model import Author, Category, Enclosure, Fetched
from aggregator.parse.clean import legal
from aggregator.parse.dates import from_struct
from aggregator.parse.draft import EntryDraft, FeedDraft, NotAFeed
from aggregator.parse.hints import xml_hints
from aggregator.urls import absolute, is_web

_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));")
_MOST_DIGITS = 12
_ENTRY = re.compile(rb"<(?:item|entry)[\s>]")
_MOST_AT_AN_END = 500
_HARMLESS = (
    feedparser.exceptions.NonXMLContentType,  # RSS as text/html: the body decides
    feedparser.exceptions.CharacterEncodingOverride,  # see the warning below
)


def read_xmlfeed(fetched: Fetched, now: datetime) -> FeedDraft:
    """Raises NotAFeed where feedparser finds neither a format nor an entry."""
    body, left_out = _ends(fetched.body)
    parsed = feedparser.parse(
        BytesIO(_REFERENCE.sub(_sound, body)),
        response_headers={"content-type": fetched.content_type},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    feed, version = parsed.feed, parsed.get("version", "")
    if not version and not parsed.entries:
        raise NotAFeed("no format that is known")
    warnings = [f"{left_out} entries in the middle of the document were left out"] * bool(left_out)
    trouble = parsed.get("bozo_exception")
    if isinstance(trouble, feedparser.exceptions.CharacterEncodingOverride):
        warnings.append(f"read as {parsed.encoding}, which is not the encoding it declares")
    elif trouble is not None and not isinstance(trouble, _HARMLESS):
        where = str(trouble).removeprefix("<unknown>:")  # expat's name for what has none
        warnings.append(f"damaged: {where}; read as far as possible")
    base = _base(feed.get("title_detail"), fetched.final_url)
    return FeedDraft(
        base=base,
        id=feed.get("id", "") if version.startswith("atom") else "",
        title_html=_html(feed.get("title_detail")),
        link=feed.get("link", ""),
        language=feed.get("language") or "",
        rights=_html(feed.get("rights_detail")),
        entries=[_entry(entry, feed, version, fetched.final_url, now) for entry in parsed.entries],
        warnings=warnings,
        hints=xml_hints(feed, fetched.body),
    )


def _ends(body: bytes) -> tuple[bytes, int]:
    """The document with its first and last 500 entries, and how many that leaves out.

    feedparser reads about a thousand a second. Newest come first almost everywhere, else last.
    """
    starts = [match.start() for match in _ENTRY.finditer(body)]
    left_out = len(starts) - 2 * _MOST_AT_AN_END
    if left_out <= 0:
        return body, 0
    return body[: starts[_MOST_AT_AN_END]] + body[starts[-_MOST_AT_AN_END] :], left_out


def _sound(reference: re.Match[bytes]) -> bytes:
    """A character reference, or nothing in place of one to what XML cannot hold.

    Those make a document ill-formed, and in ill-formed documents feedparser raises on them.
    """
    hexadecimal, decimal = reference.groups()
    digits = hexadecimal or decimal
    if len(digits) > _MOST_DIGITS:
        return b""
    number = int(digits, 16 if hexadecimal else 10)
    return reference[0] if number < 0x110000 and legal(chr(number)) else b""


def _entry(entry: Any, feed: Any, version: str, url: str, now: datetime) -> EntryDraft:
    content = _best(entry.get("content") or [])
    summary = entry.get("summary_detail")
    title = entry.get("title_detail")
    identifier = entry.get("id") or ""
    base = _base(title or summary or content, url)
    link = entry.get("link") or ""
    if entry.get("guidislink") and not is_web(link):
        link = ""  # a guid without isPermaLink="false" that is no address all the same
    return EntryDraft(
        base=base,
        content_base=_base(content or summary, base),
        guid=identifier.strip(),
        atom_id=identifier.strip() if version.startswith("atom") else "",
        title_html=_html(title),
        link=link,
        summary_html=_html(summary),
        content_html=_html(content),
        authors=authors_of(entry) or authors_of(feed),
        categories=[
            Category(tag.get("term") or "", tag.get("scheme"), tag.get("label"))
            for tag in entry.get("tags", [])
        ],
        enclosures=enclosures_of(entry),
        published=from_struct(_own(entry, "published_parsed"), now),
        updated=from_struct(_own(entry, "updated_parsed"), now),
        language=(content or summary or title or {}).get("language") or "",
        rights=_html(entry.get("rights_detail")),
    )


def _own(entry: Any, key: str) -> Any:
    """The value of ``key`` itself: feedparser's ``get`` would answer with another key's."""
    return entry[key] if key in entry else None  # noqa: SIM401 (the docstring says why)


def _best(contents: list[Any]) -> Any:
    """The longest HTML, else the longest text: some feeds give teaser and whole as contents."""
    readable = [
        c for c in contents if "text" in c.get("type", "text") or "html" in c.get("type", "")
    ]
    return max(
        readable, key=lambda c: ("html" in c.get("type", ""), len(c.get("value", ""))), default=None
    )


def _html(detail: Any) -> str:
    """A text construct as HTML. RSS does not say which it is; feedparser looks."""
    if not detail:
        return ""
    value = detail.get("value") or ""
    return value if "html" in detail.get("type", "html") else escape(value, quote=False)


def _base(detail: Any, url: str) -> str:
    """The xml:base in force on an element, absolute; the document's address where there is none."""
    return absolute(url, (detail or {}).get("base") or "") or url


def authors_of(holder: Any) -> list[Author]:
    """The authors of a feedparser entry or feed.

    feedparser gives an author without an address the one before's, sometimes cut short
    (``_sync_author_detail`` in its mixin.py): that is taken back.
    """
    authors: list[Author] = []
    for person in holder.get("authors", []):
        email = person.get("email")
        if email and any((known.email or "").startswith(email) for known in authors):
            email = None
        authors.append(Author(person.get("name") or "", email, person.get("href")))
    return authors


def enclosures_of(entry: Any) -> list[Enclosure]:
    """The enclosures of a feedparser entry.

    feedparser calls every link without a type "text/html", which no enclosure is.
    """
    return [
        Enclosure(
            link.get("href") or "",
            None if link.get("type") == "text/html" else link.get("type"),
            _length(link.get("length")),
        )
        for link in entry.get("links", [])
        if link.get("rel") == "enclosure"
    ]


def _length(value: str | None) -> int | None:
    text = (value or "").strip()
    return int(text) if text.isdecimal() and len(text) < 16 else None
