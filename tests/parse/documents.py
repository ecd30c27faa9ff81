"""Documents around a few elements, for tests of what is read from them."""

from datetime import UTC, datetime

from aggregator.model import Entry, Fetched, ParsedFeed
from aggregator.parse.document import parse_document

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ADDRESS = "https://cdn.example/feeds/all.xml"
_NAMESPACES = """xmlns:media="http://search.yahoo.com/mrss/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dcterms="http://purl.org/dc/terms/"
 xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:atom="http://www.w3.org/2005/Atom"
 xmlns:googleplay="http://www.google.com/schemas/play-podcasts/1.0"
 xmlns:feedburner="http://rssnamespace.org/feedburner/ext/1.0\""""
CHANNEL = (
    "<title>A blog</title><link>https://blog.example/</link><description>Its words</description>"
)
FEED = '<title>A blog</title><id>urn:feed</id><link href="https://blog.example/"/>'


def rss(items: str, channel: str = CHANNEL) -> str:
    """An RSS 2.0 document."""
    return f'<rss version="2.0" {_NAMESPACES}><channel>{channel}{items}</channel></rss>'


def atom(entries: str, feed: str = FEED) -> str:
    """An Atom document."""
    namespaces = _NAMESPACES.replace("xmlns:atom", "xmlns")
    return f"<feed {namespaces}>{feed}{entries}</feed>"


def read(document: str | bytes, content_type: str = "", url: str = ADDRESS) -> ParsedFeed:
    """The feed of a document."""
    body = document if isinstance(document, bytes) else document.encode()
    parsed = parse_document(Fetched(ADDRESS, url, body, content_type), NOW)
    assert isinstance(parsed, ParsedFeed), parsed
    return parsed


def read_item(elements: str) -> Entry:
    """The entry of an RSS item with these elements."""
    (entry,) = read(rss(f"<item>{elements}</item>")).entries
    return entry


def read_entry(elements: str, feed: str = FEED) -> Entry:
    """The entry of an Atom entry with these elements, and an id."""
    (entry,) = read(atom(f"<entry><id>urn:1</id>{elements}</entry>", feed)).entries
    return entry
