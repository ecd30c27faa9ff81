"""Renders lists of feeds as OPML 2.0 (http://opml.org/spec2.opml), for import into feed readers."""

from collections.abc import Iterable
from xml.etree import ElementTree

from aggregator.model import ChannelKind, OutputFeed, Site, Subscription


def render_subscriptions(site: Site, subscriptions: Iterable[Subscription]) -> bytes:
    """The feeds we subscribe to, without the secrets in their addresses."""
    outlines = ({"text": s.title, "title": s.title, "xmlUrl": s.key} for s in subscriptions)
    return _render(site, outlines)


_FOR_THE_OPERATOR = ("unmatched", "near-miss")  # channels that show what the tags miss


def render_opml(site: Site, feeds: Iterable[OutputFeed]) -> bytes:
    """The feeds that people subscribe to, in the order given."""
    outlines = []
    for feed in feeds:
        if feed.channel.kind is ChannelKind.OWN and feed.channel.name in _FOR_THE_OPERATOR:
            continue
        mark = "#" if feed.channel.kind is ChannelKind.TAG else ""
        outlines.append(
            {
                "text": f"{mark}{feed.channel.name}",
                "title": feed.title,
                "xmlUrl": feed.address("atom"),
                "htmlUrl": feed.home,
            }
        )
    return _render(site, outlines)


def _render(site: Site, outlines: Iterable[dict[str, str]]) -> bytes:
    """No dateCreated: the same feeds give the same bytes."""
    root = ElementTree.Element("opml", version="2.0")
    head = ElementTree.SubElement(root, "head")
    ElementTree.SubElement(head, "title").text = site.title
    ElementTree.SubElement(head, "ownerName").text = site.author
    body = ElementTree.SubElement(root, "body")
    for outline in outlines:
        # OPML says "rss" for all feed formats.
        ElementTree.SubElement(body, "outline", {"type": "rss"} | outline)
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"
