"""Lists of feeds as OPML 2.0 (http://opml.org/spec2.opml), which feed readers import."""

from collections.abc import Iterable
from xml.etree import ElementTree

from aggregator.model import Site, Subscription, TagFeed


def render_subscriptions(site: Site, subscriptions: Iterable[Subscription]) -> bytes:
    """What we are subscribed to, for another feed reader; without the secrets of addresses."""
    root, body = _document(site)
    for subscription in subscriptions:
        ElementTree.SubElement(
            body,
            "outline",
            type="rss",
            text=subscription.title,
            title=subscription.title,
            xmlUrl=subscription.key,
        )
    return _bytes(root)


def render_opml(site: Site, feeds: Iterable[TagFeed]) -> bytes:
    """One outline for each feed, in the order given. No date: the same feeds, the same bytes."""
    root, body = _document(site)
    for feed in feeds:
        ElementTree.SubElement(
            body,
            "outline",
            type="rss",  # OPML's word for any syndication format
            text=f"#{feed.tag.name}",
            title=feed.title,
            xmlUrl=feed.self_url,
            htmlUrl=site.url,
        )
    return _bytes(root)


def _document(site: Site) -> tuple[ElementTree.Element, ElementTree.Element]:
    root = ElementTree.Element("opml", version="2.0")
    head = ElementTree.SubElement(root, "head")
    ElementTree.SubElement(head, "title").text = site.title
    ElementTree.SubElement(head, "ownerName").text = site.author
    return root, ElementTree.SubElement(root, "body")


def _bytes(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"
