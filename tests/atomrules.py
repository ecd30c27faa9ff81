"""The rules of RFC 4287, RFC 5005 and the W3C's validator that apply to our Atom documents.

Complaints have the names that the validator uses.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from lxml import etree, html

ATOM = "{http://www.w3.org/2005/Atom}"
HISTORY = "{http://purl.org/syndication/history/1.0}"
MEDIA = "{http://search.yahoo.com/mrss/}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(//\[[0-9A-Fa-f:.]+\])?[^\s<>\"{}|\\^`\[\]]+")
URI_CHARACTER = re.compile(r"[0-9A-Za-z;/?:@&=+$.\-_!~*'()%,#]")
URI = re.compile(
    rf"[A-Za-z][0-9A-Za-z+.-]*:(//)?(\[[0-9A-Fa-f:]+\])?{URI_CHARACTER.pattern}+", re.DOTALL
)
BARE_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
EMAIL = re.compile(
    r"[A-Z0-9_\-+.'!#$%&*/=?^`{|}~]+@([A-Z0-9-]+\.)+[A-Z0-9][A-Z0-9-]*", re.IGNORECASE | re.ASCII
)
RELATIONS = {
    "alternate", "current", "enclosure", "hub", "next-archive", "prev-archive", "related", "self",
    "via",
}  # fmt: skip
FIRST_PLAUSIBLE = "1990-01-01"
MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(;.*)?")
LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
ONCE = ["id", "title", "updated", "published", "content", "summary", "rights", "source", "subtitle"]
DANGEROUS = {"script", "style", "object", "embed", "form", "input", "meta", "link", "base", "frame"}
ADDRESSES = {"href", "src", "cite"}
# A link may lead to another part of its entry, or to a program that is no browser.
ABSOLUTE = re.compile(
    r"\s*(?!(?:javascript|vbscript|data|file|about|blob):)[a-z][a-z0-9+.-]*:|#", re.IGNORECASE
)
WEB = re.compile(r"\s*https?:", re.IGNORECASE)


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
    if feed.find(f"{HISTORY}archive") is not None:
        if rels["current"] != 1:
            yield "MissingCurrentInArchive"
        if not rels["prev-archive"] + rels["next-archive"]:
            yield "ArchiveIncomplete"
    elif rels["next-archive"]:
        yield "next-archive in a document that is no archive"
    if not feed.get(LANG):
        yield "MissingLanguage"
    yield from _common(feed, "feed")
    entries = feed.findall(f"{ATOM}entry")
    # Two entries may have one date: RFC 4287 forbids it only for entries with one id.
    ids = Counter(entry.findtext(f"{ATOM}id") for entry in entries)
    for value in (value for value, number in ids.items() if number > 1):
        yield f"DuplicateIds: {value}"
    if not entries and (feed.findtext(f"{ATOM}updated") or "") < FIRST_PLAUSIBLE:
        yield "ImplausibleDate"
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
            for name in ADDRESSES & names:
                if not (ABSOLUTE if name == "href" else WEB).match(element.get(name)):
                    yield f"ContainsRelRef {element.get(name)}: {where}"
    yield from _media(entry, f"entry {where}")
    source = entry.find(f"{ATOM}source")
    if source is not None:
        for name in ("id", "title", "updated"):
            if not source.findtext(f"{ATOM}{name}"):
                yield f"MissingSourceElement {name}: {where}"
        yield from _common(source, f"source of {where}")


def _media(entry: etree._Element, where: str) -> Iterator[str]:
    """Media RSS."""
    for element in (*entry.iter(f"{MEDIA}thumbnail"), *entry.iter(f"{MEDIA}content")):
        yield from _uri(element.get("url"), where)
    for content in entry.iter(f"{MEDIA}content"):
        if not content.get("duration", "").isdecimal():
            yield f"InvalidFloat duration: {where}"
        if not re.fullmatch("[1-9][0-9]*", content.get("fileSize", "1")):
            yield f"InvalidPositiveInteger fileSize: {where}"
        if content.get("medium", "image") not in ("image", "audio", "video"):
            yield f"InvalidMediaMedium: {where}"
        if not MEDIA_TYPE.fullmatch(content.get("type", "a/b")):
            yield f"InvalidMIMEAttribute: {where}"


def _uri(value: str | None, where: str) -> Iterator[str]:
    """The validator turns an IRI into a URI as if it were the name of a host."""
    if value is None:
        yield f"MissingAttribute: {where}"
        return
    ascii_value = value
    with suppress(UnicodeError):
        ascii_value = value.encode("idna").decode()
    if not URI.fullmatch(ascii_value):
        invalid = [c for c in ascii_value if c.isascii() and not URI_CHARACTER.match(c)]
        yield f"{'InvalidUriChar' if invalid else 'InvalidIRI'} {value}: {where}"
    elif BARE_PERCENT.search(value):
        yield f"invalid escape in {value}: {where}"


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
        yield from _uri(link.get("href"), where)
        if rel not in RELATIONS:
            yield f"UnregisteredAtomLinkRel {rel}: {where}"
        if link.get("title") == "":
            yield f"AttrNotBlank title: {where}"
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
        if uri is not None:
            yield from _uri(uri, f"author of {where}")
        if email is not None and not EMAIL.fullmatch(email):
            yield f"InvalidAddrSpec {email}: {where}"
    for category in parent.findall(f"{ATOM}category"):
        if not category.get("term"):
            yield f"MissingAttribute term: {where}"
        if (scheme := category.get("scheme")) is not None:
            yield from _uri(scheme, f"category of {where}")
        if category.get("label") == "":
            yield f"AttrNotBlank label: {where}"
