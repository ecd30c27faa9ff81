"""OPML lists of other feed readers. Only this file uses listparser."""

from dataclasses import dataclass

import listparser

from aggregator.text import urls
from aggregator.text.characters import XML_ILLEGAL


@dataclass(frozen=True, slots=True)
class ListedFeed:
    """A feed of an OPML list, with the folders that contain it."""

    url: str
    title: str
    folders: tuple[str, ...] = ()


def _one_line(text: str) -> str:
    """``text`` without line breaks and characters that XML and TOML do not allow."""
    return " ".join(XML_ILLEGAL.sub(" ", text).split())


def read_opml(data: bytes) -> tuple[list[ListedFeed], list[str]]:
    """The feeds of an OPML document, and a warning for each one without a web address.

    Raises ValueError if ``data`` is not OPML.
    """
    document = listparser.parse(data)
    if document.bozo or not document.version:
        raise ValueError(f"not an OPML list: {document.bozo_exception or 'no <opml> in it'}")
    feeds, warnings = [], []
    for feed in document.feeds:
        url = feed.url if "://" in feed.url else f"http://{feed.url}"
        if not urls.is_web(url):
            warnings.append(f'"{_one_line(feed.title or feed.url)}" has no web address: left out')
            continue
        title = _one_line(feed.title) or urls.redact(url)
        feeds.append(ListedFeed(url, title, tuple(dict.fromkeys(feed.tags))))
    return feeds, warnings
