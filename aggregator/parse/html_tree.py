"""HTML as a tree that can be changed, and back.

The standard library's XML parser reads it, so the HTML must be as the sanitiser writes it: every
element is closed, and ``<`` and ``&`` are always escaped.
"""

import re
from collections.abc import Iterable
from html import escape
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from aggregator.text.urls import absolute

ATTRIBUTE = r' [\w-]+="[^"]*"'  # as the sanitiser writes it
DROPPED = "x"  # the tag of an element that the sanitiser replaces by its content
_EMPTY_ELEMENT = re.compile(rf"(<(?:area|base|br|col|embed|hr|img|param|source)(?:{ATTRIBUTE})*)>")
_MAX_DEPTH = 256  # writing recurses; browsers stop at 512
_NO_ADDRESS = ("data:", "about:", "blob:", "javascript:", "#", "{", "[")


def read_tree(html: str) -> Element | None:
    """The elements of ``html`` in one; None if it is no XML, or nested too deeply."""
    xml = _EMPTY_ELEMENT.sub(r"\1/>", html).replace("&nbsp;", "\xa0")
    try:
        root = ET.XML(f"<div>{xml}</div>")  # it has no document type, so no entities
    except ET.ParseError:
        return None
    level, depth = [root], 0
    while level:
        level, depth = [child for element in level for child in element], depth + 1
    return root if depth <= _MAX_DEPTH else None


def write_tree(root: Element) -> str:
    """The HTML of the elements in ``root``, which the sanitiser must still clean."""
    root.tag = DROPPED
    return ET.tostring(root, encoding="unicode", method="html")


def become(
    element: Element, tag: str, attributes: dict[str, str], *children: Element, text: str = ""
) -> None:
    """Make another element of ``element``; only the text after it stays."""
    tail = element.tail
    element.clear()
    element.tag, element.text, element.tail = tag, text, tail
    element.attrib.update(attributes)
    element.extend(children)


def write_attribute(name: str, value: str) -> str:
    """An attribute in the form of `ATTRIBUTE`."""
    escaped = escape(value, quote=False).replace('"', "&quot;").replace("\xa0", "&nbsp;")
    return f' {name}="{escaped}"'


def first_address(base: str, values: Iterable[str]) -> str | None:
    """The first of ``values`` that is the address of something else, absolute."""
    for value in values:
        stripped = value.strip()
        if stripped and not stripped.lower().startswith(_NO_ADDRESS):
            url = absolute(base, stripped)
            if url:
                return url
    return None
