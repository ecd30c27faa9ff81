"""RSS, RDF, Atom and CDF through feedparser, whose one importing file this is.

Traps of feedparser 6.0 that are avoided here: a string argument may open a file or an address,
so it gets BytesIO; ``.get("updated_parsed")`` falls back to published, so keys are tested with
``in`` (`answers`); with a base address it resolves guids too, so it gets none, and links are resolved here;
HTML is not "bozo", so the version is tested; its sanitiser lets text/plain through, so
all cleaning is `clean`'s.
"""

import re
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from time import struct_time
from typing import Any

import feedparser
from feedparser.datetimes import _parse_date
from feedparser.encodings import convert_to_utf8
from feedparser.html import _cp1252
from feedparser.mixin import _FeedParserMixin as _Mixin
from feedparser.urls import _urljoin, make_safe_absolute_uri

from aggregator.model import Fetched
from aggregator.parse.normalize import FeedDraft, NotAFeed
from aggregator.parse.sanitize import legal
from aggregator.parse.to_draft import draft_of

_REFERENCE = re.compile(rb"&#(?:[xX][0-9a-fA-F]+|[0-9]+);")
_MOST_DIGITS = 12
_ENTRY = re.compile(rb"<(?:item|entry)[\s>]")
_ROOT = re.compile(rb"<(/?)((?:[\w.-]+:)?(?:rss|feed|rdf|channel))\b[^<>]*>", re.IGNORECASE)
_WIDE = re.compile(
    rb"""^(<\?xml[^>]{0,100}?encoding\s*=\s*["'])(?:utf-?(?:16|32)|ucs)[^"']*""", re.I
)
_ENTRY_END = re.compile(rb"</(?:item|entry)\s*>|<(?:item|entry)\s[^<>]*/>")
_MOST_AT_AN_END = 500
_LONGEST_DATE = 100  # that is remembered
_C1 = re.compile("[\x80-\x9f]")
NAMESPACES = {uri.lower(): prefix.lower() for uri, prefix in _Mixin.namespaces.items()}
HANDLED = frozenset(
    name.removeprefix("_start_").removeprefix("_end_")
    for name in dir(_Mixin)
    if name.startswith(("_start_", "_end_"))
)
_HARMLESS = (
    feedparser.exceptions.NonXMLContentType,  # RSS as text/html: the body decides
    feedparser.exceptions.CharacterEncodingOverride,  # see the warning below
)


def read_xmlfeed(fetched: Fetched, now: datetime) -> FeedDraft:
    """Raises NotAFeed where feedparser finds neither a format nor an entry."""
    body, left_out = ends(fetched.body)
    parsed = feedparser.parse(
        BytesIO(body),
        response_headers={"content-type": fetched.content_type},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    if not parsed.get("version") and not parsed.entries:
        raise NotAFeed("no format that is known")
    return draft_of(parsed, fetched, warnings_of(parsed, left_out), now)


def mended(body: bytes) -> bytes:
    """A document whose encoding can be seen to be another than feedparser would take.

    One that says UTF-16 in plain ASCII is none; and one in UTF-8 but for a few bytes, such as those
    of a title that was cut within a character, would all be taken for windows-1252.
    """
    if body.startswith(b"<?xml"):
        body = _WIDE.sub(rb"\1utf-8", body, count=1)
    try:
        body.decode()
    except UnicodeDecodeError:
        if b"\0" in body:  # UTF-16 or UTF-32
            return body
        text = body.decode("utf-8", "replace")
        broken = text.count("\ufffd")
        whole = len(text) - len(text.encode("ascii", "ignore")) - broken
        return text.encode() if broken < whole else body
    return body


def closed(body: bytes) -> bytes | None:
    """A document that is cut, without the entry in whose midst it is, and with an end.

    None where it is not cut; nothing where no entry is whole.
    Half an entry would be another one where its guid or its link is cut, and stand in the place of
    the whole one where its text is.
    """
    start = _ENTRY.search(body)
    ends = [match.end() for match in _ENTRY_END.finditer(body)]
    head = body[: start.start()] if start else body
    whole = body[: ends[-1]] if ends else head
    open_elements: list[bytes] = []
    for close, name in _ROOT.findall(head) + _ROOT.findall(body, len(whole)):
        if not close:
            open_elements.append(name)
        elif name in open_elements:
            open_elements.remove(name)
    if not open_elements:
        return None
    if not ends:
        return b""
    return whole + b"".join(b"</%b>" % name for name in reversed(open_elements))


def warnings_of(parsed: Any, left_out: int) -> list[str]:
    """What was odd about a document that feedparser read."""
    warnings = [f"{left_out} entries in the middle of the document were left out"] * bool(left_out)
    trouble = parsed.get("bozo_exception")
    if isinstance(trouble, feedparser.exceptions.CharacterEncodingOverride):
        warnings.append(f"read as {parsed['encoding']}, which is not the encoding it declares")
    elif trouble is not None and not isinstance(trouble, _HARMLESS):
        where = str(trouble).removeprefix("<unknown>:")  # expat's name for what has none
        warnings.append(f"damaged: {where}; read as far as possible")
    return warnings


# What follows is for `wellformed`, which reads as feedparser does.


class Authorship:
    """What feedparser makes of the persons in ``here``, by its own methods."""

    here: dict[str, Any]
    _save_author = _Mixin._save_author
    _sync_author_detail = _Mixin._sync_author_detail

    def _get_context(self) -> dict[str, Any]:
        return self.here


def decoded(body: bytes, content_type: str) -> tuple[bytes, dict[str, Any]]:
    """The document in UTF-8, as feedparser hands it to expat, and what it says of its encoding."""
    said: dict[str, Any] = {}
    return convert_to_utf8({"content-type": content_type}, body, said), said


def repaired(text: str, base: str | None = None) -> str:
    """A value as ``pop`` in mixin.py leaves it; with ``base``, one that is an address."""
    text = text.strip()
    if base is not None and text:
        text = resolved(base, text)
    if text.isascii():
        return text
    with suppress(UnicodeError):  # UTF-8 that was taken for Latin-1, and encoded again
        text = text.encode("iso-8859-1").decode("utf-8")
    # In UTF-8 these begin with C2, and bytes are several times faster to look through.
    if b"\xc2" in text.encode("utf-8", "surrogatepass") and _C1.search(text):
        return text.translate(_cp1252)
    return text


def resolved(base: str, link: str) -> str:
    """``link`` as feedparser makes it absolute."""
    return str(_urljoin(base, link)) if base or ":///" in link else link


def within(base: str, inner: str) -> str | None:
    """The xml:base ``inner`` within ``base``, unless elements within change it once more."""
    joined = (make_safe_absolute_uri(base, inner) or base) if base else resolved(base, inner)
    again = (make_safe_absolute_uri(joined, joined) or joined) if joined else joined
    return joined if again == joined else None


def looks_like_html(text: str) -> bool:
    """Whether feedparser takes a text of RSS for HTML."""
    return ("</" in text or "&" in text) and bool(_Mixin.looks_like_html(text))


def parse_date(text: str) -> struct_time | None:
    """A date in any of the many formats that feedparser knows."""
    return _parse_short(text) if len(text) < _LONGEST_DATE else _parse_short.__wrapped__(text)


@lru_cache(maxsize=1024)  # some feeds date every entry alike, and updated as published
def _parse_short(text: str) -> struct_time | None:
    parsed: struct_time | None = _parse_date(text)
    return parsed


def ends(body: bytes) -> tuple[bytes, int]:
    """The document with its first and last 500 entries, and how many that leaves out.

    feedparser reads about a thousand a second. Newest come first almost everywhere, else last.
    """
    if not all(map(_is_sound, set(_REFERENCE.findall(body)))):
        body = _REFERENCE.sub(lambda found: found[0] if _is_sound(found[0]) else b"", body)
    starts = [match.start() for match in _ENTRY.finditer(body)]
    left_out = len(starts) - 2 * _MOST_AT_AN_END
    if left_out <= 0:
        return body, 0
    return body[: starts[_MOST_AT_AN_END]] + body[starts[-_MOST_AT_AN_END] :], left_out


def _is_sound(reference: bytes) -> bool:
    """Whether a character reference is to what XML can hold.

    Others make a document ill-formed, and in ill-formed documents feedparser raises on them.
    """
    digits = reference[2:-1].lstrip(b"xX")
    if len(digits) > _MOST_DIGITS:
        return False
    number = int(digits, 10 if reference[2:3].isdigit() else 16)
    return number < 0x110000 and bool(legal(chr(number)))
