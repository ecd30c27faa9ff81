"""Cut an XML feed into its head, entries and tail, so that part of it can be read by itself.

Only plain documents are cut: well-formed, without a document type. No comment, CDATA section or processing
instruction may cross a cut, and only white space may stand between entries. No entry may have an
xml:base of its own, which feedparser would apply to the next entry too.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aggregator.parse.normalize import MAX_ENTRIES
from aggregator.parse.xml_repair import is_wellformed

_ENTRY_TAG = re.compile(rb"<(?:(item|entry)[\s>]|/(item|entry)\s*>)")
_ENTRY_BASE = re.compile(rb"<(?:item|entry)\b[^>]*?\bxml:base")
_SECTION = re.compile(rb"<!\[CDATA\[.*?\]\]>|<!--.*?-->|<\?.*?\?>", re.DOTALL)
_SECTION_STARTS = (b"<!", b"<?")
_OUTER_TAG = re.compile(
    rb"""<(?:[\w.-]+:)?(?:rss|feed|RDF|channel)\b(?:[^>"']|"[^"]*"|'[^']*')*>""", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Pieces:
    """The bytes of a document, cut before and after each of its entries."""

    head: bytes
    entries: tuple[bytes, ...]
    tail: bytes

    @property
    def outer_tags(self) -> list[str]:
        """The start tags around the entries."""
        return [tag.decode("latin-1") for tag in _OUTER_TAG.findall(self.head)]

    def select(self, entries: Sequence[bytes]) -> bytes:
        """The document with only these ``entries``."""
        return b"".join((self.head, *entries, self.tail))


def cut_document(body: bytes) -> Pieces | None:
    """The pieces of a document in UTF-8, None if it is not plain enough."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or _ENTRY_BASE.search(body):
        return None
    tags = list(_ENTRY_TAG.finditer(body))
    start_tags, end_tags = tags[::2], tags[1::2]
    if not tags or len(tags) % 2 or len(start_tags) > MAX_ENTRIES or not is_wellformed(body):
        return None
    name = start_tags[0][1]
    if any(tag[1] != name for tag in start_tags) or any(tag[2] != name for tag in end_tags):
        return None
    gaps = zip(end_tags[:-1], start_tags[1:], strict=True)
    if any(body[end.end() : start.start()].strip() for end, start in gaps):
        return None
    pieces = Pieces(
        head=body[: start_tags[0].start()],
        entries=tuple(
            body[start.start() : end.end()] for start, end in zip(start_tags, end_tags, strict=True)
        ),
        tail=body[end_tags[-1].end() :],
    )
    complete = all(map(_has_complete_sections, (pieces.head, *pieces.entries, pieces.tail)))
    return pieces if complete else None


def _has_complete_sections(piece: bytes) -> bool:
    """Whether every comment, CDATA section and instruction that starts in ``piece`` ends in it."""
    if not any(start in piece for start in _SECTION_STARTS):
        return True
    remainder = _SECTION.sub(b"", piece)
    return not any(start in remainder for start in _SECTION_STARTS)
