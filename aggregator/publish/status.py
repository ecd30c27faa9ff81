"""``_status.atom``: the news of the subscriptions, for the operator's own reader. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from aggregator.identity import mint_id
from aggregator.model import FeedEvent, PublishedEntry, Site, Tag, TagFeed

STATUS_ENTRIES = 50
_SLUG = "_status"  # no tag's: those begin with a letter or a digit
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def status_feed(site: Site, events: Sequence[FeedEvent]) -> TagFeed:
    """One entry for each event, in the order given, the latest first."""
    return TagFeed(
        tag=Tag(
            key=_SLUG,
            name=_SLUG,
            slug=_SLUG,
            phrases=(),
            title=f"{site.title}: subscriptions",
            description="Subscriptions that broke, answer again, moved, ended or fell silent",
        ),
        id=mint_id(site.url, None, _SLUG),
        self_url=f"{site.url}{_SLUG}.atom",
        site=site,
        updated=events[0].at if events else _NEVER,
        entries=tuple(map(_entry, events)),
        total=len(events),
    )


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
