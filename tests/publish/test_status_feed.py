"""The feed of source news."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from aggregator.model import FeedEvent, FeedEventKind, Site
from aggregator.publish.status_feed import status_feed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SITE = Site("A site", "https://site.example/", "Somebody", "en")
EVENT = FeedEvent("https://a.example/f", "A", FeedEventKind.BROKEN, "no answer\x07", NOW)


def test_events_of_one_run_are_a_second_apart():
    """feedvalidator: DuplicateUpdated."""
    events = [replace(EVENT, title=title) for title in "ABC"] + [
        replace(EVENT, at=NOW - timedelta(1))
    ]
    feed = status_feed(SITE, events)
    assert [NOW - entry.updated for entry in feed.entries] == [
        timedelta(seconds=0), timedelta(seconds=1), timedelta(seconds=2), timedelta(days=1)
    ]  # fmt: skip
    assert feed.updated == NOW
    assert {entry.published for entry in feed.entries} == {NOW, NOW - timedelta(1)}
    assert feed.entries[0].title == "A: failing: no answer"
    assert feed.address("atom") == "https://site.example/_status.atom"


def test_feed_without_events_is_empty():
    assert status_feed(SITE, []).entries == ()
