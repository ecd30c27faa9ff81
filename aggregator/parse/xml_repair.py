"""Repairs of damaged XML feeds, as bytes, before feedparser reads them."""

import re
from xml.parsers import expat

from aggregator.parse.drafts import NotAFeed

_ROOT = re.compile(
    rb"<(/?)((?:[\w.-]+:)?(?:rss|feed|rdf|channel))(?![\w:.-])[^<>]*>", re.IGNORECASE
)
_ENTRY_START = re.compile(rb"<(?:item|entry)[\s>]")
_ENTRY_END = re.compile(rb"</(?:item|entry)\s*>|<(?:item|entry)\s[^<>]*/>")
_MAX_ENTRIES_AT_EACH_END = 500


def close_truncated(body: bytes) -> bytes | None:
    """Close a document that ends too early, after its last complete entry; None if it is complete.

    Half an entry is dropped: with its guid or link cut off it would become another entry, and with
    its text cut off it would replace the complete one. Raises NotAFeed if no entry is complete.
    """
    first_entry = _ENTRY_START.search(body)
    entry_ends = [match.end() for match in _ENTRY_END.finditer(body)]
    head = body[: first_entry.start()] if first_entry else body
    complete = body[: entry_ends[-1]] if entry_ends else head
    open_elements: list[bytes] = []
    for slash, name in _ROOT.findall(head) + _ROOT.findall(body, len(complete)):
        if not slash:
            open_elements.append(name)
        elif name in open_elements:
            open_elements.remove(name)
    if not open_elements or is_wellformed(body):
        return None
    if not entry_ends:
        raise NotAFeed("truncated before the end of its first entry")
    return complete + b"".join(b"</%b>" % name for name in reversed(open_elements))


def limit_entries(body: bytes) -> tuple[bytes, int]:
    """Keep the first and last 500 entries; also returns how many were left out.

    feedparser reads about a thousand entries a second. Most feeds list the newest entry first, the
    others list it last.
    """
    starts = [match.start() for match in _ENTRY_START.finditer(body)]
    left_out = len(starts) - 2 * _MAX_ENTRIES_AT_EACH_END
    if left_out <= 0:
        return body, 0
    return body[: starts[_MAX_ENTRIES_AT_EACH_END]] + body[
        starts[-_MAX_ENTRIES_AT_EACH_END] :
    ], left_out


def is_wellformed(body: bytes) -> bool:
    """Whether expat accepts the document; feedparser reads all others with its lenient parser."""
    try:
        expat.ParserCreate(namespace_separator=" ").Parse(body, True)
    except (expat.ExpatError, ValueError, LookupError):
        return False
    return True
