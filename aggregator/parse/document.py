"""Parse a document of any kind into `model.ParsedFeed`, or `ParseFailed` with the reason."""

import re
from dataclasses import replace
from datetime import datetime

from aggregator.model import Fetched, ParsedFeed, ParseFailed, SeenDocument
from aggregator.parse.drafts import UNKNOWN_FORMAT, NotAFeed
from aggregator.parse.encoding import to_utf8
from aggregator.parse.entities import UnsafeEntities, refuse_unsafe_entities
from aggregator.parse.html_links import read_page
from aggregator.parse.incremental import parse_xml
from aggregator.parse.jsonfeed_reader import looks_like_json, read_jsonfeed
from aggregator.parse.normalize import normalize_feed
from aggregator.parse.references import correct_references
from aggregator.parse.sanitize import one_line, text_from_html
from aggregator.text.urls import redact

_ROOT = re.compile(rb"<([A-Za-z][\w:.-]*)")
_HTML = {
    "html", "head", "body", "title", "meta", "script", "div", "p", "br", "h1", "h2", "h3", "h4",
    "table", "center",
}  # fmt: skip
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_MAX_HEAD_BYTES = 64 * 1024


def parse_document(
    fetched: Fetched,
    now: datetime,
    language: str | None = None,
    previous: SeenDocument | None = None,
) -> ParsedFeed | ParseFailed:
    """Parse RSS, Atom, RDF, CDF or JSON Feed. Never raises for a bad document.

    ``language`` is the one that the operator states. Entries in ``previous``, the previous document, are
    not parsed again: they are returned as ``known``.
    """
    is_json = looks_like_json(fetched.body)
    try:
        if is_json:
            return normalize_feed(fetched.key, read_jsonfeed(fetched, now), language)
        fetched, encoding_note = to_utf8(fetched)
        refuse_unsafe_entities(fetched.body)
        body, character_note = correct_references(fetched.body)
        parsed = parse_xml(replace(fetched, body=body), now, language, previous)
        notes = filter(None, (encoding_note, character_note))
        return replace(parsed, notes=(*notes, *parsed.notes))
    except UnsafeEntities as error:
        return ParseFailed(fetched.key, f"refused: the document declares {error}, as attacks do")
    except NotAFeed as error:
        # A truncated feed is still a feed.
        kind = None if is_json or str(error) != UNKNOWN_FORMAT else _kind(fetched)
        return ParseFailed(fetched.key, f"not a feed: {kind or error}")
    except MemoryError:
        raise  # the child process has reached its limit
    except Exception as error:  # a parser's bug on one document must not cost the others a run
        reason = f"the document could not be read ({type(error).__name__}: {error})"
        return ParseFailed(fetched.key, reason)


def _kind(fetched: Fetched) -> str | None:
    """What a document is that is not a feed, None if unknown."""
    head = fetched.body[:_MAX_HEAD_BYTES]
    root = _ROOT.search(head)
    if root is None:
        return None
    name = root[1].decode("ascii").lower()
    if name not in _HTML:
        return f"XML of another kind (<{name}>)"
    title = _TITLE.search(head)
    words = one_line(text_from_html(title[1].decode("utf-8", "replace")))[:100] if title else ""
    page = f'an HTML page called "{words}"' if words else "an HTML page"
    link = next(read_page(fetched.body, fetched.final_url).feeds(), None)
    if link is None:
        return page
    return f"{page}, which announces a feed: put {redact(link.url)} in its place"
