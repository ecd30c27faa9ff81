"""The list of tag feeds as OPML 2.0 (http://opml.org/spec2.opml), which feed readers import."""

from collections.abc import Iterable
from xml.etree import ElementTree

from aggregator.model import Site, TagFeed


def render_opml(site: Site, feeds: Iterable[TagFeed]) -> bytes:
    """One outline for each feed, in the order given. No date: the same feeds, the same bytes."""
    root = ElementTree.Element("opml", version="2.0")
    head = ElementTree.SubElement(root, "head")
    ElementTree.SubElement(head, "title").text = site.title
    ElementTree.SubElement(head, "ownerName").text = site.author
    body = ElementTree.SubElement(root, "body")
    for feed in feeds:
        ElementTree.SubElement(
            body,
            "outline",
            type="rss",  # OPML's word for any syndication format
            text=f"#{feed.tag.name}",
            title=feed.tag.title or f"{site.title}: #{feed.tag.name}",
            xmlUrl=feed.self_url,
            htmlUrl=site.url,
        )
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"
