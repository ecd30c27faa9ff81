"""RSS, RDF, Atom and CDF through feedparser."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import feedparser

from aggregator.model import Fetched
from aggregator.parse.drafts import UNKNOWN_FORMAT, FeedDraft, NotAFeed
from aggregator.parse.feedparser_fixes import is_other_rdf, parse
from aggregator.parse.to_draft import make_feed_draft
from aggregator.parse.xml_repair import close_truncated, limit_entries

_HARMLESS = (
    feedparser.exceptions.NonXMLContentType,  # RSS as text/html: the body decides
    feedparser.exceptions.CharacterEncodingOverride,  # `encoding` has decided
)


def read_xmlfeed(fetched: Fetched, now: datetime) -> FeedDraft:
    """Read an XML feed, repairing what is damaged.

    Raises NotAFeed if feedparser recognises neither a format nor an entry.
    """
    body, warnings = fetched.body, []
    closed_body = close_truncated(body)
    if closed_body is not None:
        body = closed_body
        warnings.append("truncated; only complete entries were read")
    short_body, left_out = limit_entries(body)
    if left_out:
        warnings.append(f"{left_out} entries in the middle of the document were left out")
    parsed = parse(short_body, fetched.content_type)
    # HTML is not "bozo", so the format is tested.
    version = parsed.get("version")
    if not parsed.entries and (not version or is_other_rdf(version, body)):
        raise NotAFeed(UNKNOWN_FORMAT)
    warnings += _warnings(parsed)
    draft = make_feed_draft(parsed, replace(fetched, body=body), warnings, now)
    return replace(draft, is_cut=closed_body is not None)


def _warnings(parsed: Any) -> list[str]:
    """What feedparser found wrong in a document that it read."""
    error = parsed.get("bozo_exception")
    if error is None or isinstance(error, _HARMLESS):
        return []
    where = str(error).removeprefix("<unknown>:")  # expat's name for a document without one
    return [f"damaged: {where}; read as far as possible"]
