"""Well-formed RSS and Atom, read as feedparser reads it and several times faster; or not at all.

feedparser is the judge: the ids and texts of entries are made of its readings. So this makes what
its handlers (``namespaces/`` and mixin.py of 6.0) make of the elements that are common, where they
stand in their places, and gives a document up (None) at the first element, attribute or namespace
that may mean anything else to it. The dictionaries have its keys, so `answers` drafts from both.

The tree is made by the standard library and the very expat by which feedparser tells well-formed
from not. A document with a DOCTYPE is given up too, so no entity is ever expanded.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from datetime import datetime
from io import BytesIO
from typing import Any

from aggregator.model import Fetched
from aggregator.parse.constructs import DEEPEST, attributes_of, refuse_base, text_of
from aggregator.parse.elements import HANDLERS, Elements
from aggregator.parse.feedparser_reader import decoded, ends, repaired, warnings_of
from aggregator.parse.names import Names, Unclear, means_nothing
from aggregator.parse.normalize import FeedDraft
from aggregator.parse.to_draft import draft_of

_ATOM = "{http://www.w3.org/2005/atom}feed"  # feedparser minds no case
_WITHIN = {  # what has a title and a link of its own, and no other elements
    "image": ("title", "link", "description", "url", "width", "height"),
    "textinput": ("title", "link", "description", "name"),
}
_NONE: Mapping[str, str] = {}


def read_wellformed(fetched: Fetched, now: datetime) -> FeedDraft | None:
    """What `xmlfeed.read_xmlfeed` makes of the same document, or None: then ask that."""
    body, left_out = ends(fetched.body)
    data, parsed = decoded(body, fetched.content_type)
    if not parsed["encoding"] or b"<!DOCTYPE" in data:
        return None
    reading: Any = ET.iterparse(BytesIO(data), ("start-ns",))  # noqa: S314 (no DOCTYPE comes here)
    try:
        reader = _Document(Names([declared for _, declared in reading]))
        reader.document(reading.root)
    except (ET.ParseError, Unclear):
        return None
    parsed.update(feed=reader.feed, entries=reader.entries, version=reader.version)
    return draft_of(parsed, fetched, warnings_of(parsed, left_out), now)


class _Document(Elements):
    """A document's structure: what may stand where."""

    def document(self, root: ET.Element) -> None:
        """The root, whose name decides what may stand in it."""
        name = self.names[root.tag]
        atom = root.tag.lower() == _ATOM and self.version == "atom10"
        if name == "rss":
            self.version = "rss"
        elif not atom and (name, self.version) != ("rdf_rdf", "rss10"):
            raise Unclear
        attributes = attributes_of(root)
        language = attributes.get("xml:lang", attributes.get("lang"))
        if language and name != "rdf_rdf":
            self.feed["language"] = language.replace("_", "-")
        self._each(self._of_feed if atom else self._of_root, root, attributes, 1)

    def _each(
        self,
        read: Callable[[ET.Element, int], None],
        element: ET.Element,
        attributes: Mapping[str, str],
        depth: int,
    ) -> None:
        """``read`` what is within ``element``, whose base and language hold for it."""
        outer = self.language
        self.base, self.language = self._scope(attributes)
        self.bases.append(self.base)
        for child in element:
            read(child, depth + 1)
        self.bases.pop()
        # feedparser goes back to the base around an element only if there was one
        self.base, self.language = self.bases[-1] or self.base, outer

    def _of_root(self, element: ET.Element, depth: int) -> None:
        name = self.names[element.tag]
        if name == "channel":
            self._each(self._of_feed, element, _container(element), depth)
        elif name in ("item", *_WITHIN):
            self._of_feed(element, depth)
        else:
            self._nothing(element)

    def _of_feed(self, element: ET.Element, depth: int) -> None:
        name = self.names[element.tag]
        if name in ("item", "entry"):
            self._entry(element, depth)
        elif name == "textinput":
            self._image(element, name, depth)
        else:
            self._either(element, depth)

    def _entry(self, element: ET.Element, depth: int) -> None:
        attributes = _container(element)
        self.here = {}
        self.entries.append(self.here)
        self.title_depth = -1
        if about := attributes.get("rdf:about"):
            self.here["id"] = about
        self._each(self._either, element, attributes, depth)
        self.has_content = False
        self.here = self.feed

    def _either(self, element: ET.Element, depth: int) -> None:
        """An element that feeds and entries may have."""
        name = self.names[element.tag]
        if handler := HANDLERS.get(name):
            handler(self, element, name, depth)
        elif name in ("media_group", "media_content"):
            self._media(element, depth)
        elif name == "image":
            self._image(element, name, depth)
        elif element.attrib or len(element) or not means_nothing(name):
            self._nothing(element)

    def _image(self, element: ET.Element, name: str, depth: int) -> None:
        refuse_base(element)
        if self.here is not self.feed and len(element):
            raise Unclear
        self.title_depth = -1
        for child in element:
            own = self.names[child.tag]
            if own not in _WITHIN[name] or child.attrib:
                raise Unclear
            if repaired(text_of(child)) and own == "title":
                self.title_depth = depth + 1

    def _media(self, element: ET.Element, depth: int) -> None:
        """``media:group`` and ``media:content``: what is in them is said of the entry."""

        def read(child: ET.Element, depth: int) -> None:
            if depth > DEEPEST or not self.names[child.tag].startswith("media_"):
                raise Unclear
            self._either(child, depth)

        refuse_base(element)
        self._each(read, element, _NONE, depth)


def _container(element: ET.Element) -> Mapping[str, str]:
    attributes = attributes_of(element)
    if "lastmod" in attributes or "href" in attributes:  # as CDF has
        raise Unclear
    return attributes
