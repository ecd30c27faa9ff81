"""OPML lists of other feed readers (http://opml.org/spec2.opml).

Readers write attributes in any case, bare ampersands, and the encodings of their time. So the list is
read as a flat sequence of tags, not by an XML parser.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from aggregator.text import urls
from aggregator.text.characters import XML_ILLEGAL
from aggregator.text.decoding import decode_document
from aggregator.text.markup import read_markup

# Schemes that open a feed reader: "feed://a.example/x", "feed:https://a.example/x".
_READER_SCHEME = re.compile(r"(?:feed|rss|itpc|pcast|podcast):(?://)?", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!\d)", re.IGNORECASE)  # "a.example:80" has none
_FEED_ADDRESS = re.compile(r"\bxmlurl\s*=", re.IGNORECASE)
_MAX_FOLDERS = 8  # of one feed; the nearest


@dataclass(frozen=True, slots=True)
class ListedFeed:
    """A feed of an OPML list, with the folders that contain it."""

    url: str
    title: str
    folders: tuple[str, ...] = ()


def read_opml(data: bytes) -> tuple[list[ListedFeed], list[str]]:
    """The feeds of an OPML document, each once, and a warning for each outline that is left out.

    Raises ValueError if ``data`` is not OPML.
    """
    document = decode_document(data)
    feeds: dict[str, ListedFeed] = {}
    warnings: list[str] = []
    folders: list[str] = []
    is_opml = False
    count = 0
    for markup in read_markup(document):
        is_opml = is_opml or markup.name == "opml"
        if markup.name == "/outline" and folders:
            folders.pop()
        elif markup.name == "outline":
            feed = _read_outline(markup.attributes, folders)
            count += "xmlurl" in markup.attributes
            if isinstance(feed, ListedFeed):
                other = feeds.setdefault(feed.url, feed)
                both = dict.fromkeys((*other.folders, *feed.folders))
                feeds[feed.url] = replace(other, folders=tuple(both))
            elif feed:
                warnings.append(feed)
            if not markup.is_empty:
                folders.append("" if feed else _title(markup.attributes))
    if not is_opml:
        raise ValueError("not an OPML list: no <opml> in it")
    if (addresses := len(_FEED_ADDRESS.findall(document))) != count:
        warnings.append(f"of {addresses} feeds in the list, {count} were read")
    return list(feeds.values()), warnings


def _read_outline(attributes: Mapping[str, str], folders: list[str]) -> ListedFeed | str:
    """The feed, or a warning about an outline that has only another address; empty for a folder."""
    title, kind = _title(attributes), attributes.get("type", "").lower()
    address = attributes.get("xmlurl", "").strip()
    if not address and kind in ("rss", "atom"):
        address = attributes.get("url", "").strip()
    if address:
        bare = _READER_SCHEME.sub("", address, count=1)
        url = urls.absolute("", bare if _SCHEME.match(bare) else f"http://{bare.lstrip('/')}")
        if url is None:
            return f'"{title or _one_line(address)}" has no web address: left out'
        path = dict.fromkeys(filter(None, folders[-_MAX_FOLDERS:]))
        return ListedFeed(url, title or urls.redact(url), tuple(path))
    if attributes.get("url"):
        return f'"{title}" is a link to {_shown(attributes["url"])}, not a feed: left out'
    if attributes.get("htmlurl"):
        command = f"aggregator discover {_shown(attributes['htmlurl'])}"
        return f'"{title}" has no feed: left out; "{command}" may find one'
    return ""


def _title(attributes: Mapping[str, str]) -> str:
    return _one_line(attributes.get("text", "")) or _one_line(attributes.get("title", ""))


def _shown(address: str) -> str:
    return urls.redact(_one_line(address))


def _one_line(text: str) -> str:
    """``text`` without line breaks and characters that XML and TOML do not allow."""
    return " ".join(XML_ILLEGAL.sub(" ", text).split())
