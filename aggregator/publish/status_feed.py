"""``_status.atom``: the news of the subscriptions, for the operator's own reader. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from html import escape

from aggregator.model import Channel, ChannelKind, FeedEvent, OutputFeed, PublishedEntry, Site
from aggregator.publish.entries import NEVER
from aggregator.text.atom_ids import mint_id

STATUS_ENTRIES = 50
STATUS = "_status"  # no tag's: those begin with a letter or a digit


def status_feed(site: Site, events: Sequence[FeedEvent]) -> OutputFeed:
    """One entry for each event, in the order given, the latest first."""
    return OutputFeed(
        channel=Channel(
            key=f"own:{STATUS}",
            kind=ChannelKind.OWN,
            name=STATUS,
            slug=STATUS,
            id=mint_id(site.url, None, STATUS),
            first_seen_at=NEVER,
            title=f"{site.title}: subscriptions",
            description="Subscriptions that broke, answer again, moved, ended or fell silent",
        ),
        path=STATUS,
        site=site,
        updated=events[0].at if events else NEVER,
        entries=tuple(_entries(events)),
        total=len(events),
    )


def _entries(events: Sequence[FeedEvent]) -> Iterator[PublishedEntry]:
    """No two with one ``updated``: those of one run are a second apart."""
    last = None
    for event in events:
        last = event.at if last is None else min(event.at, last - timedelta(seconds=1))
        yield replace(_entry(event), updated=last)


def _entry(event: FeedEvent) -> PublishedEntry:
    # Reasons quote publishers: one control character would make the whole feed ill-formed.
    message = "".join(c for c in event.message if c.isprintable())
    return PublishedEntry(
        id=mint_id(event.key, None, f"{event.kind.value} {event.at.isoformat()}"),
        title=f"{event.title}: {message}",
        updated=event.at,
        published=event.at,
        content=f"<p>{escape(message)}</p><p>{escape(event.key)}</p>",
        language="en",
    )
