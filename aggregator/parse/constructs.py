"""The text and the attributes of an element, as feedparser reads them."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from xml.sax.saxutils import escape

from aggregator.parse.feedparser_reader import HANDLED
from aggregator.parse.names import Names, Unclear, local

DEEPEST = 100  # elements in each other, within one that has a text or a meaning
_QUOTE = {'"': "&quot;"}
_PREFIXES = {
    "{http://www.w3.org/XML/1998/namespace}": "xml:",
    "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}": "rdf:",
}
_READ = {  # attributes that mean something to some element
    "about",
    "base",
    "domain",
    "href",
    "ispermalink",
    "label",
    "lang",
    "lastmod",
    "length",
    "mode",
    "rel",
    "scheme",
    "src",
    "term",
    "text",
    "type",
    "uri",
    "url",
}
_NONE: Mapping[str, str] = {}


def text_of(element: ET.Element) -> str:
    """The text of an element without others in it."""
    if len(element):
        raise Unclear
    return element.text or ""


def attributes_of(element: ET.Element) -> Mapping[str, str]:
    """Names in lower case, and the values of two; a prefix makes no difference to feedparser."""
    if not element.attrib:
        return _NONE
    found = {}
    for key, value in element.items():
        uri, brace, name = key.rpartition("}")
        if brace:
            prefix = _PREFIXES.get(uri + brace)
            if prefix is None:
                if name.lower() in _READ:  # it would count
                    raise Unclear
                prefix = f"{uri}}}"
            name = prefix + name
        name = name.lower()
        found[name] = value.lower() if name in ("rel", "type") else value
    if len(found) != len(element.attrib):
        raise Unclear
    return found


def refuse_base(element: ET.Element) -> None:
    """Some bases stay in force after their element, and attributes of any namespace count."""
    if element.attrib and any(key.rpartition("}")[2].lower() == "base" for key in element.attrib):
        raise Unclear


def markup_of(element: ET.Element, names: Names, *, unwrapped: bool) -> str:
    """The XHTML in ``element``; ``unwrapped`` from its div (RFC 4287 section 3.1.1.3)."""
    if unwrapped and len(element) == 1:
        (child,) = element
        around = f"{element.text or ''}{child.tail or ''}"
        if local(child.tag) == "div" and not around.strip():
            _start_of(child, names)
            element = child
    pieces: list[str] = []
    _collect(element, names, pieces, 0)
    return "".join(pieces)


def _collect(element: ET.Element, names: Names, pieces: list[str], depth: int) -> None:
    if depth > DEEPEST:
        raise Unclear
    pieces.append(escape(element.text or ""))
    for child in element:
        pieces.append(_start_of(child, names))
        _collect(child, names, pieces, depth + 1)
        pieces.append(f"</{local(child.tag)}>{escape(child.tail or '')}")


def _start_of(element: ET.Element, names: Names) -> str:
    name = local(element.tag)
    # At its end an element that feedparser knows is handled even within a text.
    if names[element.tag] in HANDLED or name in ("svg", "math"):
        raise Unclear
    refuse_base(element)
    attributes = attributes_of(element)
    if any("{" in key for key in attributes):
        raise Unclear
    said = (f' {key}="{escape(value, _QUOTE)}"' for key, value in attributes.items())
    return f"<{name}{''.join(said)}>"
