"""Reads the tags of HTML and XML as a flat sequence, for documents that programs write carelessly.

Browsers leave the elements of bookmark files open; trees of them reach the depth limit of parsers.
The standard library's html.parser takes quadratic time for quotation marks and comments that do not
end. Here nothing is nested, and the time is linear.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.entities import html5

_MARKUP = re.compile(r"<(!--|!\[CDATA\[|[!?]?[A-Za-z][^\s/>]*|/[A-Za-z][^\s/>]*|[!?])")
_SECTION_ENDS = {"!--": "-->", "![cdata[": "]]>"}
_ATTRIBUTE = re.compile(
    r"""[\s/]*([^\s/>][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]*)))?"""
)
_TAG_END = re.compile(r"[\s/]*>?")
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


@dataclass(frozen=True, slots=True)
class Markup:
    """A tag, comment or declaration, and the text up to the next one.

    ``name`` is in lower case: "a", "/a", "!--", "![cdata[", "!doctype", "?xml". So are the names of
    ``attributes``.
    The references in ``text`` are not replaced. ``is_empty``: the tag ends with "/>".
    """

    name: str
    attributes: dict[str, str]
    text: str
    line: int
    is_empty: bool = False


def read_markup(document: str) -> Iterator[Markup]:
    """The markup of a document in its order. A ``<`` that starts no tag is text."""
    line, counted = 1, 0
    match = _MARKUP.search(document)
    while match:
        name = match[1].lower()
        line += document.count("\n", counted, match.start())
        counted = match.start()
        attributes: dict[str, str] = {}
        if name in _SECTION_ENDS:
            end = document.find(_SECTION_ENDS[name], match.end()) + 3
            end = end if end > 2 else len(document)
        else:
            attributes, end = _read_attributes(document, match.end())
        is_empty = document.endswith("/>", match.end(), end)
        match = _MARKUP.search(document, end)
        text = document[end : match.start() if match else len(document)]
        yield Markup(name, attributes, text, line, is_empty)


def _read_attributes(document: str, at: int) -> tuple[dict[str, str], int]:
    """The attributes from ``at`` on, and where their tag ends. The first one of a name counts.

    A search for a closing quotation mark fails once: after it, there is no such mark to start one.
    """
    attributes: dict[str, str] = {}
    while match := _ATTRIBUTE.match(document, at):
        name, *values = match.groups()
        value = next((value for value in values if value is not None), "")
        attributes.setdefault(name.lower(), replace_references(value))
        at = match.end()
    end = _TAG_END.match(document, at)
    return attributes, end.end() if end else at


def replace_references(text: str) -> str:
    """``text`` with its character references replaced, if they are well-formed: ``&amp;``, not ``&copy=``."""
    return _REFERENCE.sub(_replace_reference, text) if "&" in text else text


def _replace_reference(match: re.Match[str]) -> str:
    reference = match[0]
    return html.unescape(reference) if reference[1] == "#" else html5.get(reference[1:], reference)
