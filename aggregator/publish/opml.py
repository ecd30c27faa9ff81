"""Lists of feeds as OPML 2.0 (http://opml.org/spec2.opml), which feed readers import."""

from collections.abc import Iterable
from xml.etree import ElementTree

from aggregator.model import ChannelKind, OutputFeed, Site, Subscription


def render_subscriptions(site: Site, subscriptions: Iterable[Subscription]) -> bytes:
    """What we are subscribed to, for another feed reader; without the secrets of addresses."""
    outlines = ({"text": s.title, "title": s.title, "xmlUrl": s.key} for s in subscriptions)
    return _render(site, outlines)


def render_opml(site: Site, feeds: Iterable[OutputFeed]) -> bytes:
    """One outline for each feed, in the order given. No date: the same feeds, the same bytes."""
    outlines = (
        {
            "text": f"#{feed.channel.name}"
            if feed.channel.kind is ChannelKind.TAG
            else feed.channel.name,
            "title": feed.title,
            "xmlUrl": feed.address("atom"),
            "htmlUrl": feed.home,
        }
        for feed in feeds
    )
    return _render(site, outlines)


def _render(site: Site, outlines: Iterable[dict[str, str]]) -> bytes:
    root = ElementTree.Element("opml", version="2.0")
    head = ElementTree.SubElement(root, "head")
    ElementTree.SubElement(head, "title").text = site.title
    ElementTree.SubElement(head, "ownerName").text = site.author
    body = ElementTree.SubElement(root, "body")
    for outline in outlines:
        # "rss" is OPML's word for any syndication format.
        ElementTree.SubElement(body, "outline", {"type": "rss"} | outline)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"
