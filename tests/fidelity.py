"""What an entry lost or gained between its document and us, judged by lxml and not by feedparser.

``python -m tests.fidelity DOCUMENT…`` prints each difference, and the number of each kind.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from lxml import etree, html

from aggregator.model import Entry, Fetched, ParsedFeed
from aggregator.parse.document import parse_document

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADDRESS = "https://fidelity.example/dir/feed.xml"
_ATOM = "{http://www.w3.org/2005/Atom}"
_TEXTS = {"description", "encoded", "content", "summary", "body", "abstract"}
_TEXT_NAMESPACES = {
    "", "http://www.w3.org/2005/Atom", "http://purl.org/rss/1.0/", "http://purl.org/atom/ns#",
    "http://purl.org/rss/1.0/modules/content/", "http://purl.org/dc/elements/1.1/",
    "http://www.w3.org/1999/xhtml", "http://my.netscape.com/rdf/simple/0.9/",
}  # fmt: skip
_DATES = {"pubdate", "published", "updated", "date", "issued", "modified"}
_AUTHORS = {"author", "creator"}
_WORD = re.compile(r"\w+")
_STOP_WORDS = {
    "fr": {
        "le",
        "la",
        "les",
        "des",
        "du",
        "et",
        "est",
        "que",
        "qui",
        "dans",
        "pour",
        "pas",
        "une",
        "sur",
        "avec",
        "au",
        "par",
        "ce",
        "sont",
    },
    "en": {
        "the",
        "of",
        "and",
        "to",
        "is",
        "that",
        "in",
        "for",
        "not",
        "with",
        "on",
        "are",
        "this",
        "it",
        "as",
        "was",
        "be",
        "by",
        "from",
        "have",
    },
}
_TRACKING = re.compile(
    r"feedburner|doubleclick|avatar|/stat|pixel|gravatar|wordpress\.com/1\.0|b\.gif"
)
_PLAIN_ADDRESS = re.compile(r"https?://[^\s\"<>\\^`{|}]+")


def problems(body: bytes, entries: tuple[Entry, ...]) -> Iterator[tuple[str, str]]:
    """Kind and example of each difference between a document and its entries."""
    root = etree.fromstring(
        body.lstrip(),
        etree.XMLParser(
            encoding=_encoding(body),
            recover=True,
            resolve_entities=False,
            huge_tree=True,
        ),
    )
    if root is None:
        return
    elements = [e for e in root.iter() if _local(e) in ("item", "entry")]
    if len(elements) != len(entries):
        yield "entries", f"{len(elements)} in the document, {len(entries)} read"
        return
    for element, entry in zip(elements, entries, strict=True):
        yield from _entry_problems(element, entry)


def _entry_problems(element: etree._Element, entry: Entry) -> Iterator[tuple[str, str]]:
    published = f"{entry.content}\n{entry.summary}"
    words = _words(_plain(entry.content)), _words(_plain(entry.summary))
    texts = [_markup(child) for child in element if _is_text(child)]
    longest = max((_words(_plain(text)) for text in texts), key=len, default=[])
    if len(longest) > 3 and not any(_contains(found, longest) for found in words):
        yield "displaced text", " ".join(longest[:12])
    known = {_bare(url) for url in _addresses(published)}
    known |= {_bare(e.url) for e in entry.enclosures} | {
        _bare(entry.image or ""),
        _bare(entry.link or ""),
    }
    for text in texts:
        tree = _tree(text)
        for image in tree.iter("img") if tree is not None else ():
            url = image.get("src") or ""
            is_pixel = image.get("width") in ("0", "1") or image.get("height") in ("0", "1")
            if (
                _is_web(url)
                and not is_pixel
                and not _TRACKING.search(url)
                and _bare(url) not in known
            ):
                yield "lost image", url[:150]
        for link in tree.iter("a") if tree is not None else ():
            url = link.get("href") or ""
            if _is_web(url) and _bare(url) not in known:
                yield "lost link", url[:150]
    media = [c.get("url") or "" for c in element.iter() if _is_media(c)]
    if any(media) and not (entry.image or entry.enclosures) and not _TRACKING.search(str(media)):
        yield "lost media", media[0][:150]
    for url in _addresses(published):
        if url.startswith(ADDRESS):
            yield "link to the feed", url
    yield from _author_problems(element, entry)
    dates = [c.text for c in element if _local(c).lower() in _DATES and (c.text or "").strip()]
    if dates and not (entry.published or entry.updated):
        yield "unread date", str(dates[0])[:60]
    language = _language(" ".join(words[0] or words[1]))
    stated = (entry.language or "")[:2].lower()
    if language and stated in _STOP_WORDS and stated != language:
        yield "wrong language", f"{entry.language} for {' '.join(words[0][:8])}"


def _author_problems(element: etree._Element, entry: Entry) -> Iterator[tuple[str, str]]:
    stated = " ".join(
        " ".join(c.itertext()) for c in element.iter() if _local(c).lower() in _AUTHORS
    )
    for author in entry.authors:
        for token in re.findall(r"\S*@\S*", author.name):
            if stated and token not in stated.split():
                yield "half an address", author.name
    names = Counter(" ".join(author.name.lower().split()) for author in entry.authors)
    if any(count > 1 for count in names.values()):
        yield "doubled author", str(sorted(names))[:100]


def _is_text(element: etree._Element) -> bool:
    return _local(element) in _TEXTS and _namespace(element) in _TEXT_NAMESPACES


def _is_media(element: etree._Element) -> bool:
    is_media = _namespace(element).startswith("http://search.yahoo.com/mrss")
    return is_media and _local(element) in ("content", "thumbnail")


def _encoding(body: bytes) -> str | None:
    """UTF-8 if it is that, whatever it declares; None: what it declares."""
    try:
        body.decode()
    except UnicodeDecodeError:
        declares_other = re.search(rb"encoding=.(?!utf-8)", body[:200], re.IGNORECASE)
        return None if declares_other else "windows-1252"
    return "utf-8"


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""


def _namespace(element: etree._Element) -> str:
    return (etree.QName(element).namespace or "") if isinstance(element.tag, str) else ""


def _markup(element: etree._Element) -> str:
    """The element's text as HTML: escaped markup, or elements."""
    if len(element):
        inner = "".join(etree.tostring(child, encoding="unicode") for child in element)
        return (element.text or "") + inner
    media_type = element.get("type", "html" if _namespace(element) != _ATOM[1:-1] else "text")
    text = _decoded_twice(element.text or "")
    if "/" in media_type and not media_type.startswith("text/") and "html" not in media_type:
        return ""
    return text if "html" in media_type else text.replace("<", "&lt;")


def _decoded_twice(text: str) -> str:
    """Text that its publisher encoded twice ("Ã©"), as the author wrote it."""
    try:
        return b"".join(map(_byte, text)).decode()
    except UnicodeError:
        return text


def _byte(character: str) -> bytes:
    """In windows-1252, or in Latin-1 for what that lacks."""
    try:
        return character.encode("cp1252")
    except UnicodeEncodeError:
        return character.encode("latin-1")


def _tree(markup: str) -> "html.HtmlElement | None":
    try:
        return html.fragment_fromstring(markup, create_parent="div")
    except (etree.ParserError, ValueError, AssertionError):
        return None


def _plain(markup: str) -> str:
    tree = _tree(re.sub(r"<(?=/?(?:p|div|br|li|td|h\d|tr)\b)", " <", markup))
    if tree is None:
        return markup
    for unseen in list(tree.iter("script", "style", "noscript", "iframe", "object", "video", "audio",
                                 "svg", "select", "button", "textarea", "template")):  # fmt: skip
        unseen.drop_tree()
    return str(tree.text_content())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _contains(found: list[str], longest: list[str]) -> bool:
    """Whether nearly all words of the longest text are in what was found."""
    missing = Counter(longest) - Counter(found)
    return missing.total() <= max(2, 0.1 * len(longest))


def _addresses(markup: str) -> list[str]:
    return [url.replace("&amp;", "&") for url in _PLAIN_ADDRESS.findall(markup)]


def _is_web(url: str) -> bool:
    return url.strip().startswith(("http://", "https://")) and "." in url


def _bare(url: str) -> str:
    """An address without the parts that may be spelled in several ways."""
    try:
        parts = urlsplit(urljoin(url.strip(), "").replace("&amp;", "&"))
    except ValueError:
        return url
    path = re.sub(r"%[0-9A-Fa-f]{2}|[^!-~]", "", parts.path).rstrip("/")
    return f"{parts.netloc.lower()}{path}"


def _language(text: str) -> str:
    words = text.split()[:300]
    counts = {name: sum(word in stop for word in words) for name, stop in _STOP_WORDS.items()}
    (first, most), (_, less) = sorted(counts.items(), key=lambda item: -item[1])
    return first if most >= 12 and most > 4 * less else ""


def check(path: Path) -> Iterator[tuple[str, str]]:
    """The problems of a document."""
    body = path.read_bytes()
    parsed = parse_document(Fetched(ADDRESS, ADDRESS, body, ""), NOW)
    if isinstance(parsed, ParsedFeed) and not body.lstrip().startswith(b"{"):
        yield from problems(body, parsed.entries)


def main() -> None:
    """Print the problems of the documents that are named."""
    counts: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    for name in sys.argv[1:]:
        kinds = set()
        for kind, example in check(Path(name)):
            counts[kind] += 1
            kinds.add(kind)
            print(f"{kind:18} {Path(name).name[:50]:50} {example}")
        documents.update(kinds)
    for kind, count in sorted(counts.items()):
        print(f"{count:6} {kind} in {documents[kind]} documents")


if __name__ == "__main__":
    main()
