"""The elements that feeds and entries have in common, as feedparser's handlers read them.

Each method is what ``namespaces/`` and mixin.py of feedparser 6.0 do at the start and the end of an
element, for what we ask of it afterwards; the dictionaries have its keys.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from aggregator.parse.constructs import DEEPEST, attributes_of, markup_of, refuse_base, text_of
from aggregator.parse.feedparser_reader import (
    looks_like_html,
    parse_date,
    repaired,
    resolved,
    within,
)
from aggregator.parse.names import HINTS, Names, Unclear, means_nothing
from aggregator.parse.people import People

_XHTML = "application/xhtml+xml"
_TYPES = {"text": "text/plain", "plain": "text/plain", "html": "text/html", "xhtml": _XHTML}
_AMPERSAND = re.compile("&([A-Za-z0-9_]+);")
_ENCODED = ("content_encoded", "fullitem")
_ITUNES = "http://www.itunes.com/"
_MEDIA = "http://search.yahoo.com/mrss/category_schema"
_DATES = {
    **dict.fromkeys(("published", "issued", "pubdate", "dcterms_issued"), "published_parsed"),
    **dict.fromkeys(("updated", "modified", "lastbuilddate"), "updated_parsed"),
    **dict.fromkeys(("dc_date", "dcterms_modified"), "updated_parsed"),
    **dict.fromkeys(("created", "dcterms_created"), "created_parsed"),
    "expirationdate": "expired_parsed",
}


class Elements(People):
    """What has been read. ``here`` is what elements are said of: the feed, or an entry.

    ``base`` and ``language`` are in force; ``bases`` were so at the start of the elements around.
    ``title_depth`` and ``has_content`` decide what a second title or summary is taken for.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.version = names.version
        self.feed: dict[str, Any] = {}
        self.entries: list[dict[str, Any]] = []
        self.here = self.feed
        self.base = ""
        self.bases = [""]
        self.language: str | None = None
        self.title_depth = -1
        self.has_content = False

    def _scope(self, attributes: Mapping[str, str]) -> tuple[str, str | None]:
        """The xml:base and xml:lang within an element with these attributes."""
        base = attributes.get("xml:base", attributes.get("base"))
        if base:
            base = within(self.base, base)
            if base is None:
                raise Unclear
            if not self.bases[-1]:
                self.base = base
        language = attributes.get("xml:lang", attributes.get("lang", self.language))
        return base or self.base, language or None

    def _nothing(self, element: ET.Element) -> None:
        for each in element.iter():
            refuse_base(each)
            if not means_nothing(self.names[each.tag]):
                raise Unclear

    def _leaf(self, element: ET.Element, name: str, depth: int) -> None:
        """What feedparser knows and we never ask for."""
        text_of(element)
        refuse_base(element)

    def _hint(self, element: ET.Element, name: str, depth: int) -> None:
        if element.attrib:
            raise Unclear
        self.here[name] = repaired(text_of(element))

    def _source(self, element: ET.Element, name: str, depth: int) -> None:
        self._leaf(element, name, depth)
        self.title_depth = -1

    def _construct(self, element: ET.Element, kind: str) -> dict[str, Any]:
        """A text construct (RFC 4287 section 3.1), or what RSS has instead."""
        attributes = attributes_of(element)
        base, language = self._scope(attributes) if attributes else (self.base, self.language)
        kind = attributes.get("type", kind)
        kind = _TYPES.get(kind, kind)
        if kind not in ("text/plain", "text/html", _XHTML) or "mode" in attributes:
            raise Unclear
        is_atom = self.version == "atom10"
        if kind == _XHTML:
            value = markup_of(element, self.names, unwrapped=is_atom).strip()
        else:
            value = text_of(element).strip()
        if kind == "text/plain" and not is_atom and looks_like_html(value):
            kind = "text/html"  # RSS does not say which it is
        language = language and language.replace("_", "-")
        return {"type": kind, "language": language, "base": base, "value": repaired(value)}

    def _title(self, element: ET.Element, name: str, depth: int) -> None:
        detail = self._construct(element, "text/plain")
        if not -1 < self.title_depth <= depth:
            self.here["title_detail"] = detail
        if detail["value"] and name != "media_title":
            self.title_depth = depth

    def _summary(self, element: ET.Element, name: str, depth: int) -> None:
        """A second one before any content is taken for the content."""
        if "summary" in self.here and not self.has_content:
            self._content(element, name, depth)
            return
        is_summary = name.endswith("summary")
        detail = self._construct(element, "text/plain" if is_summary else "text/html")
        if is_summary or self.here is not self.feed:  # else it is the feed's subtitle
            self.here["summary"] = detail["value"]
            self.here["summary_detail"] = detail

    def _content(self, element: ET.Element, name: str, depth: int) -> None:
        self.has_content = True
        detail = self._construct(element, "text/html" if name in _ENCODED else "text/plain")
        self.here.setdefault("content", []).append(detail)
        self.here.setdefault("summary", detail["value"])

    def _rights(self, element: ET.Element, name: str, depth: int) -> None:
        self.here["rights_detail"] = self._construct(element, "text/plain")

    def _subtitle(self, element: ET.Element, name: str, depth: int) -> None:
        self._construct(element, "text/plain")  # never asked for, but it may be unclear

    def _language(self, element: ET.Element, name: str, depth: int) -> None:
        self._leaf(element, name, depth)
        self.here["language"] = repaired(text_of(element))

    def _date(self, element: ET.Element, name: str, depth: int) -> None:
        self._leaf(element, name, depth)
        self.here[_DATES[name]] = parse_date(repaired(text_of(element)))

    def _link(self, element: ET.Element, name: str, depth: int) -> None:
        text, link = text_of(element), dict(attributes_of(element))
        base, _ = self._scope(link)
        rel = link.setdefault("rel", "alternate")
        kind = link.setdefault("type", "application/atom+xml" if rel == "self" else "text/html")
        self.here.setdefault("links", []).append(link)
        if href := link.get("url", link.get("uri", link.get("href"))):
            link["href"] = href
        if "href" in link:
            link["href"] = resolved(base, link["href"])
            if rel == "alternate" and _TYPES.get(kind, kind) in ("text/html", _XHTML):
                self.here["link"] = link["href"]
            return
        href = repaired(text, base)
        if self.here is not self.feed:
            href = href.replace("&amp;", "&")
        self.here["link"] = _AMPERSAND.sub(r"&\g<1>", href) if "&" in href else href
        if href or self.here is self.feed:
            link["href"] = self.here["link"]

    def _enclosure(self, element: ET.Element, name: str, depth: int) -> None:
        self._leaf(element, name, depth)
        link = {**attributes_of(element), "rel": "enclosure"}
        if href := link.get("url", link.get("uri", link.get("href"))):
            link["href"] = href
        self.here.setdefault("links", []).append(link)

    def _id(self, element: ET.Element, name: str, depth: int) -> None:
        attributes = attributes_of(element)
        base, _ = self._scope(attributes)
        is_link = attributes.get("ispermalink", "true") == "true"
        self.here["id"] = value = repaired(text_of(element), base if is_link else None)
        self.here.setdefault("guidislink", is_link and "link" not in self.here)
        if is_link:
            self.here.setdefault("link", value)

    def _category(self, element: ET.Element, name: str, depth: int) -> None:
        refuse_base(element)
        said = attributes_of(element)
        if name == "itunes_category":
            self._tag_with(said.get("text"), _ITUNES, None)
        else:
            scheme = said.get("domain", _MEDIA if name == "media_category" else None)
            self._tag_with(said.get("term"), said.get("scheme", scheme), said.get("label"))
        text = element.text or ""
        for child in element:  # iTunes has categories in categories
            if depth > DEEPEST or name != "itunes_category" or self.names[child.tag] != name:
                raise Unclear
            self._category(child, name, depth + 1)
            text += child.tail or ""
        if value := repaired(text):
            tags = self.here["tags"]
            if tags and not tags[-1]["term"]:
                tags[-1]["term"] = value
            else:
                self._tag_with(value, None, None)

    def _keywords(self, element: ET.Element, name: str, depth: int) -> None:
        if element.attrib:
            raise Unclear
        for term in repaired(text_of(element)).split(","):
            if term.strip():
                self._tag_with(term.strip(), _ITUNES if name == "itunes_keywords" else None, None)

    def _tag_with(self, term: str | None, scheme: str | None, label: str | None) -> None:
        tags = self.here.setdefault("tags", [])
        tag = {"term": term, "scheme": scheme, "label": label}
        if (term or scheme or label) and tag not in tags:
            tags.append(tag)


_Handler: TypeAlias = Callable[[Elements, ET.Element, str, int], None]


def _handlers() -> dict[str, _Handler]:
    by_names: dict[_Handler, str] = {
        Elements._title: "title dc_title media_title",
        Elements._summary: "summary itunes_summary description dc_description media_description",
        Elements._content: "content content_encoded fullitem",
        Elements._rights: "rights copyright dc_rights",
        Elements._subtitle: "subtitle tagline itunes_subtitle info feedburner_browserfriendly",
        Elements._language: "language dc_language",
        Elements._date: " ".join(_DATES),
        Elements._link: "link",
        Elements._enclosure: "enclosure",
        Elements._id: "id guid",
        Elements._category: "category keywords dc_subject media_category itunes_category",
        Elements._keywords: "itunes_keywords media_keywords",
        Elements._author: "author managingeditor dc_author dc_creator itunes_author",
        Elements._owner: "itunes_owner",
        Elements._contributor: "contributor dc_contributor",
        Elements._source: "source",
        Elements._hint: " ".join(HINTS),
        Elements._leaf: "generator webmaster dc_publisher cloud admin_generatoragent"
        " admin_errorreportsto cc_license creativecommons_license itunes_image itunes_link"
        " itunes_block itunes_explicit media_credit media_rating media_restriction media_thumbnail"
        " media_player georss_point georss_line georss_polygon georss_box",
    }
    return {name: handler for handler, names in by_names.items() for name in names.split()}


HANDLERS = _handlers()
