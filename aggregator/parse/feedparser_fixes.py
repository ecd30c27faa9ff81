"""Corrections of what feedparser 6.0 reads wrongly, each with the test that proves it.

Four more are applied where they belong:

- A string argument may open a file or an address, so `feedparser_reader` passes BytesIO.
  (`test_no_file_is_opened`)
- With a base address it resolves guids too, so it gets none; `normalize` resolves the links.
  (`test_moved_feed_keeps_its_entries`)
- Its sanitiser lets text/plain through, so `sanitize` does all cleaning. (test_sanitize.py)
- The feed's own summary and description influence the first entry, so `pieces` puts an empty entry
  before it. (`test_summary_of_the_feed_does_not_change_its_first_entry`)
"""

import re
from typing import Any

from aggregator.parse.sanitize import remove_illegal
from aggregator.text.urls import is_web

_REFERENCE = re.compile(rb"&#(?:[xX][0-9a-fA-F]+|[0-9]+);")
_MAX_DIGITS = 12
_RSS_ELEMENT = re.compile(rb"<(?:\w+:)?(?:channel|image|item|textinput)\b(?:[^>]*[^/>])?>", re.I)


def remove_illegal_references(body: bytes) -> bytes:
    """Remove character references that XML does not allow, such as ``&#11;``.

    They make a document ill-formed, and feedparser's lenient parser raises on them.
    (`test_illegal_character_references_are_removed`)
    """
    illegal = {ref for ref in set(_REFERENCE.findall(body)) if not _is_legal(ref)}
    if not illegal:
        return body
    return _REFERENCE.sub(lambda match: b"" if match[0] in illegal else match[0], body)


def is_other_rdf(version: str, body: bytes) -> bool:
    """Whether a document with this feedparser version is RDF, but not RSS 1.0.

    feedparser calls every document that declares the namespace of RSS 1.0 a feed, also a list of
    people and their blogs (FOAF). Its channels are references, without content.
    (`test_document_that_is_not_a_feed_fails_with_its_kind`)
    """
    return version in ("rss10", "rss090") and not _RSS_ELEMENT.search(body)


def _is_legal(reference: bytes) -> bool:
    digits = reference[2:-1].lstrip(b"xX")
    if len(digits) > _MAX_DIGITS:
        return False
    code_point = int(digits, 10 if reference[2:3].isdigit() else 16)
    return code_point < 0x110000 and bool(remove_illegal(chr(code_point)))


def own_value(entry: Any, key: str) -> Any:
    """The value of ``key``, None if the entry does not have it.

    ``entry.get("updated_parsed")`` falls back to ``published_parsed``. (`test_missing_updated_date_is_not_the_published_one`)
    """
    return entry[key] if key in entry else None  # noqa: SIM401 (get is what this avoids)


def link_of(entry: Any) -> str:
    """The entry's link, empty if it is only a guid.

    feedparser takes every guid without ``isPermaLink="false"`` for an address.
    (`test_guid_is_a_link_only_if_it_is_an_address`)
    """
    link = entry.get("link") or ""
    return "" if entry.get("guidislink") and not is_web(link) else link


def emails_of(persons: list[Any]) -> list[str | None]:
    """The e-mail address of each person, None where feedparser copied an earlier person's.

    ``_sync_author_detail`` (mixin.py) gives an author without an address the one before's,
    sometimes truncated. (`test_author_without_an_address_gets_none`)
    """
    emails: list[str | None] = []
    for person in persons:
        email = person.get("email")
        copied = any((earlier or "").startswith(email) for earlier in emails) if email else False
        emails.append(None if copied else email)
    return emails


def media_type_of(link: Any) -> str | None:
    """The media type of a link; feedparser calls every link without one "text/html".

    No enclosure is HTML. (`test_enclosure_without_a_type_gets_none`)
    """
    media_type = link.get("type")
    return None if media_type == "text/html" else media_type
