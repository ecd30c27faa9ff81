"""A document of any kind -> `model.ParsedFeed`, or why it is none. Total: never raises."""

import re
from dataclasses import replace
from datetime import datetime

from aggregator.model import Fetched, ParsedFeed, ParseFailed, SeenDocument
from aggregator.parse import incremental
from aggregator.parse.entities import UnsafeEntities, refuse_unsafe_entities
from aggregator.parse.feedparser_reader import closed, mended, read_xmlfeed
from aggregator.parse.html_links import read_page
from aggregator.parse.jsonfeed_reader import looks_like_json, read_jsonfeed
from aggregator.parse.normalize import FeedDraft, NotAFeed, finish
from aggregator.parse.sanitize import one_line, text_from_html
from aggregator.parse.utf16 import narrow
from aggregator.parse.wellformed import read_wellformed
from aggregator.text.urls import redact

_ROOT = re.compile(rb"<([A-Za-z][\w:.-]*)")
_HTML = frozenset(
    [
        "html",
        "head",
        "body",
        "title",
        "meta",
        "script",
        "div",
        "p",
        "br",
        "h1",
        "h2",
        "h3",
        "h4",
        "table",
        "center",
    ]
)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


def parse_document(
    fetched: Fetched, now: datetime, language: str | None = None, seen: SeenDocument | None = None
) -> ParsedFeed | ParseFailed:
    """Read RSS, Atom, RDF, CDF or JSON Feed; ``language`` is used where the feed states none.

    Entries that were ``seen`` in the document before are not read again.
    """
    is_json = looks_like_json(fetched.body)
    try:
        if is_json:
            return finish(fetched.key, read_jsonfeed(fetched, now), language)
        fetched = narrow(fetched)
        refuse_unsafe_entities(fetched.body, fetched.content_type)
        return _xml(fetched, now, language, seen)
    except UnsafeEntities as error:
        return ParseFailed(fetched.key, f"refused: the document declares {error}, as attacks do")
    except NotAFeed as error:
        kind = None if is_json else _kind(fetched)
        return ParseFailed(fetched.key, f"not a feed: {kind or error}")
    except MemoryError:
        raise  # the child that we run in has had its share
    except Exception as error:  # a parser's bug on one document must not cost the others a run
        reason = f"the document could not be read ({type(error).__name__}: {error})"
        return ParseFailed(fetched.key, reason)


def _xml(
    fetched: Fetched, now: datetime, language: str | None, seen: SeenDocument | None
) -> ParsedFeed:
    pieces = incremental.cut(fetched)
    if pieces is None:
        return finish(fetched.key, _read_xml(fetched, now), language)
    if seen:
        new = incremental.read_new(_read_xml, fetched, pieces, seen, now, language)
        if new:
            return new
    draft = pieces.read(_read_xml, fetched, now, [False] * len(pieces.entries))
    parsed = finish(fetched.key, draft, language)
    return replace(parsed, seen=incremental.remember(fetched, pieces, draft, parsed, language))


def _read_xml(fetched: Fetched, now: datetime) -> FeedDraft:
    body = mended(fetched.body)
    if body != fetched.body:
        draft = _read_xml(replace(fetched, body=body), now)
        return replace(draft, warnings=["not all in the encoding it declares", *draft.warnings])
    well = read_wellformed(fetched, now)
    if well:
        return well
    whole = closed(fetched.body)
    if whole is None:
        return read_xmlfeed(fetched, now)
    if not whole:
        raise NotAFeed("a document that is cut short before its first entry ends")
    fetched = replace(fetched, body=whole)
    draft = read_wellformed(fetched, now) or read_xmlfeed(fetched, now)
    warnings = ["cut short; read as far as it goes", *draft.warnings]
    return replace(draft, is_cut=True, warnings=warnings)


def _kind(fetched: Fetched) -> str | None:
    """What a document is instead of a feed, as far as one can see."""
    head = fetched.body[:65536]
    root = _ROOT.search(head)
    name = root[1].decode("ascii").lower() if root else ""
    if name in _HTML:
        title = _TITLE.search(head)
        words = one_line(text_from_html(title[1].decode("utf-8", "replace")))[:100] if title else ""
        page = f'an HTML page called "{words}"' if words else "an HTML page"
        announced = next(read_page(fetched.body, fetched.final_url).feeds(), None)
        if announced is None:
            return page
        return f"{page}, which announces a feed: put {redact(announced.url)} in its place"
    return f"XML of another kind (<{name}>)" if name else None
