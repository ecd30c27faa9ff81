"""Subscription lists of other feed readers. The one file that uses listparser."""

from dataclasses import dataclass

import listparser

from aggregator.text import urls
from aggregator.text.folding import ILLEGAL


@dataclass(frozen=True, slots=True)
class ListedFeed:
    """A feed of an OPML list; ``folders`` are those it stands in."""

    url: str
    title: str
    folders: tuple[str, ...] = ()


def _one_line(text: str) -> str:
    """On one line, and without what no file of ours can hold."""
    return " ".join(ILLEGAL.sub(" ", text).split())


def read_opml(data: bytes) -> tuple[list[ListedFeed], list[str]]:
    """The feeds of an OPML document, and warnings for those that have no web address.

    Raises ValueError for what is no OPML.
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
