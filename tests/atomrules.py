"""The rules of RFC 4287, RFC 5005 and the W3C's validator that apply to our Atom documents.

Complaints have the names that the validator uses.
"""

import re
from collections import Counter
from collections.abc import Iterator

from lxml import etree, html

ATOM = "{http://www.w3.org/2005/Atom}"
HISTORY = "{http://purl.org/syndication/history/1.0}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(;.*)?")
LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
ONCE = ["id", "title", "updated", "published", "content", "summary", "rights", "source", "subtitle"]
DANGEROUS = {"script", "style", "object", "embed", "form", "input", "meta", "link", "base", "frame"}
ADDRESSES = {"href", "src", "cite"}
ABSOLUTE = re.compile(r"\s*(?:https?|mailto):", re.IGNORECASE)


def complaints(document: bytes, location: str) -> list[str]:
    """The errors in an Atom document that is served at ``location``."""
    return list(_complaints(etree.fromstring(document), location))


def _complaints(feed: etree._Element, location: str) -> Iterator[str]:
    links = list(feed.findall(f"{ATOM}link"))
    rels = Counter(link.get("rel", "alternate") for link in links)
    if rels["self"] != 1:
        yield "MissingSelf"
    if [link.get("href") for link in links if link.get("rel") == "self"] != [location]:
        yield "SelfDoesntMatchLocation"
    if feed.find(f"{HISTORY}archive") is not None and rels["current"] != 1:
        yield "MissingCurrentInArchive"
    if not feed.get(LANG):
        yield "MissingLanguage"
    yield from _common(feed, "feed")
    entries = feed.findall(f"{ATOM}entry")
    # Two entries may have one date: RFC 4287 forbids it only for entries with one id.
    ids = Counter(entry.findtext(f"{ATOM}id") for entry in entries)
    for value in (value for value, number in ids.items() if number > 1):
        yield f"DuplicateIds: {value}"
    dates = [entry.findtext(f"{ATOM}updated") for entry in entries]
    if dates and feed.findtext(f"{ATOM}updated") != max(dates):
        yield "the feed's updated is not its newest entry's"
    has_author = feed.find(f"{ATOM}author") is not None
    for entry in entries:
        yield from _entry(entry, has_author=has_author)


def _entry(entry: etree._Element, *, has_author: bool) -> Iterator[str]:
    where = entry.findtext(f"{ATOM}id")
    yield from _common(entry, f"entry {where}")
    if not has_author and entry.find(f"{ATOM}author") is None:
        yield f"MissingAuthor: {where}"
    alternate = [
        x for x in entry.findall(f"{ATOM}link") if x.get("rel", "alternate") == "alternate"
    ]
    texts = [entry.findtext(f"{ATOM}{name}") for name in ("content", "summary")]
    if not alternate and not texts[0]:
        yield f"MissingContentOrAlternate: {where}"
    for text in filter(None, texts):
        for element in html.fromstring(f"<div>{text}</div>").iter(etree.Element):
            names = {name.lower() for name in element.attrib}
            if element.tag in DANGEROUS or "style" in names or any(n[:2] == "on" for n in names):
                yield f"SecurityRisk: {where}"
            if not all(ABSOLUTE.match(element.get(name)) for name in ADDRESSES & names):
                yield f"ContainsRelRef: {where}"
    source = entry.find(f"{ATOM}source")
    if source is not None:
        for name in ("id", "title", "updated"):
            if not source.findtext(f"{ATOM}{name}"):
                yield f"MissingSourceElement {name}: {where}"
        yield from _common(source, f"source of {where}")


def _common(parent: etree._Element, where: str) -> Iterator[str]:
    children = Counter(str(child.tag).removeprefix(ATOM) for child in parent)
    for name in ("id", "title", "updated"):
        if children[name] != 1:
            yield f"{children[name]} times {name}: {where}"
    for name in ONCE:
        if children[name] > 1:
            yield f"DuplicateElement {name}: {where}"
    for name in ("updated", "published"):
        date = parent.findtext(f"{ATOM}{name}")
        if date is not None and not RFC3339.fullmatch(date):
            yield f"InvalidRFC3339Date {date}: {where}"
    if not IRI.fullmatch(parent.findtext(f"{ATOM}id") or ""):
        yield f"InvalidFullLink in id: {where}"
    if not (parent.findtext(f"{ATOM}title") or "").strip():
        yield f"MissingTitle: {where}"
    if (language := parent.get(LANG)) and not LANGUAGE.fullmatch(language):
        yield f"InvalidLanguage {language}: {where}"
    alternates = set()
    for link in parent.findall(f"{ATOM}link"):
        rel, kind = link.get("rel", "alternate"), link.get("type")
        if not IRI.fullmatch(link.get("href", "")):
            yield f"InvalidLink {link.get('href')}: {where}"
        if kind and not MEDIA_TYPE.fullmatch(kind):
            yield f"InvalidMIMEType {kind}: {where}"
        if (length := link.get("length")) and not length.isdecimal():
            yield f"InvalidNonNegativeInteger {length}: {where}"
        if rel == "alternate":
            if (kind, link.get("hreflang")) in alternates:
                yield f"DuplicateAtomLink: {where}"
            alternates.add((kind, link.get("hreflang")))
    for author in parent.findall(f"{ATOM}author"):
        if not (author.findtext(f"{ATOM}name") or "").strip():
            yield f"an author without a name: {where}"
        uri, email = author.findtext(f"{ATOM}uri"), author.findtext(f"{ATOM}email")
        if uri is not None and not IRI.fullmatch(uri):
            yield f"InvalidLink in author: {where}"
        if email is not None and not re.fullmatch(r"[^\s@]+@[^\s@]+", email):
            yield f"InvalidContact {email}: {where}"
    for category in parent.findall(f"{ATOM}category"):
        if not category.get("term"):
            yield f"MissingAttribute term: {where}"
        if (scheme := category.get("scheme")) and not IRI.fullmatch(scheme):
            yield f"InvalidFullLink scheme {scheme}: {where}"
        if category.get("label") == "":
            yield f"AttrNotBlank label: {where}"
