from datetime import UTC, datetime
from xml.etree import ElementTree

from aggregator.model import Channel, ChannelKind, OutputFeed, Site
from aggregator.publish.opml import render_opml

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SITE = Site("Communs", "https://site.example/", "Ann", "en")


def names(*channels):
    """The names in the list of these channels, each a kind and a name."""
    feeds = [
        OutputFeed(
            Channel(f"{kind.value}:{name}", kind, name, name, "urn:x", NOON),
            name,
            SITE,
            NOON,
            (),
            0,
        )
        for kind, name in channels
    ]
    document = render_opml(SITE, feeds)
    return [outline.get("text") for outline in ElementTree.fromstring(document).iter("outline")]


def test_list_has_the_feeds_that_people_subscribe_to():
    own = [(ChannelKind.OWN, name) for name in ("all", "unmatched", "near-miss")]
    tag, query = (ChannelKind.TAG, "Communs"), (ChannelKind.QUERY, "unmatched")
    assert names(tag, *own, query) == ["#Communs", "all", "unmatched"]
    assert names((ChannelKind.TAG, "near-miss")) == ["#near-miss"]
