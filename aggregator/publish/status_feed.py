"""Builds ``_status.atom``: news of the sources, for the operator's feed reader. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from html import escape

from aggregator.model import Channel, ChannelKind, FeedEvent, OutputFeed, PublishedEntry, Site
from aggregator.publish.feed_builder import NEVER
from aggregator.publish.translations import Translator, load_translator
from aggregator.text.atom_ids import mint_id

STATUS_ENTRIES = 50
STATUS = "_status"  # no tag's slug, which starts with a letter or digit


def status_feed(site: Site, events: Sequence[FeedEvent]) -> OutputFeed:
    """A feed with an entry for each of ``events``, which are sorted latest first."""
    translator = load_translator(site.language)
    entries: list[PublishedEntry] = []
    for event in events:
        entry = _entry(event, translator)
        if (
            entries
        ):  # no two entries with the same ``updated``: events of one run are a second apart
            latest = entries[-1].updated - timedelta(seconds=1)
            entry = replace(entry, updated=min(event.at, latest))
        entries.append(entry)
    name = translator.gettext("Source news")
    return OutputFeed(
        channel=Channel(
            key=f"own:{STATUS}",
            kind=ChannelKind.OWN,
            name=STATUS,
            slug=STATUS,
            id=mint_id(site.url, None, STATUS),
            first_seen_at=NEVER,
            title=translator.gettext("%(site)s: %(name)s", site=site.title, name=name),
            description=translator.gettext("Sources that fail, recover, move, end or fall silent"),
        ),
        path=STATUS,
        site=site,
        updated=events[0].at if events else NEVER,
        entries=tuple(entries),
        total=len(events),
    )


def _entry(event: FeedEvent, translator: Translator) -> PublishedEntry:
    # Messages quote publishers. One control character would make the whole feed ill-formed.
    message = "".join(c for c in event.message if c.isprintable())
    news = " ".join(filter(None, translator.news(replace(event, message=message))))
    return PublishedEntry(
        id=mint_id(event.key, None, f"{event.kind.value} {event.at.isoformat()}"),
        title=translator.gettext("%(source)s: %(news)s", source=event.title, news=news),
        updated=event.at,
        published=event.at,
        content=f"<p>{escape(news)}</p><p>{escape(event.key)}</p>",
        language=translator.code,
    )
