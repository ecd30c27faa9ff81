"""Aggregators that read each other, or themselves: what they publish does not grow."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aggregator.model import (
    Category,
    Channel,
    ChannelKind,
    Entry,
    Evidence,
    EvidenceKind,
    Feed,
    Fetched,
    Match,
    ParsedFeed,
    PublishSettings,
    Role,
    Site,
    StoredEntry,
    Story,
    StoryEntry,
)
from aggregator.parse.document import parse_document
from aggregator.publish.atom import render_atom
from aggregator.publish.feed_builder import FeedBuilder
from aggregator.publish.jsonfeed import render_jsonfeed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
WORD = Evidence(EvidenceKind.PHRASE, "communs", "title", 0.6)
CLIPPED = Evidence(EvidenceKind.CLIPPED, "Kept", "link", 1.0)
TAG = Channel("tag:communs", ChannelKind.TAG, "Communs", "communs", "urn:feed", NOW)
BLOG = Feed("urn:blog", "The blog", "https://blog.example/")
TEXT = "<p>Les communs de Gand</p>"
ENTRY = Entry(
    key="1", id="tag:blog.example,2026:1", title="Les communs", link="https://blog.example/1",
    content=TEXT, text="Les communs de Gand", categories=(Category("Gand"),), published=NOW,
    language="fr",
)  # fmt: skip


class Aggregator:
    """One that publishes a story which it has from a blog, and from the aggregators that it reads."""

    def __init__(self, host, language, *, reads_blog=True, kind="atom", **changes):
        site = Site(f"Site {host}", f"https://{host}/", host, language)
        settings = replace(PublishSettings("outputs", 50, 10, explain=True), **changes)
        self.address = f"https://{host}/communs.{kind}"
        self._builder = FeedBuilder(site, settings, {"communs": "Communs"}, {})
        self._render = {"atom": render_atom, "json": render_jsonfeed}[kind]
        self._copies = {}
        if reads_blog:
            self._copies["blog"] = self._copy("https://blog.example/feed", BLOG, ENTRY)

    def _copy(self, url, feed, entry):
        stored = StoredEntry(1, url, feed, Role.SUBSCRIPTION, entry, NOW, NOW)
        return StoryEntry(stored, (Match("communs", 0.9, (WORD, CLIPPED)),))

    def publish(self):
        story = Story(1, ENTRY.id, NOW, tuple(self._copies.values()))
        return self._render(self._builder.live_feed(TAG, [story], (), 1))

    @property
    def entry(self):
        return self._builder.entry(Story(1, ENTRY.id, NOW, tuple(self._copies.values())))

    def read(self, other):
        fetched = Fetched(other.address, other.address, other.publish())
        parsed = parse_document(fetched, NOW, None)
        assert isinstance(parsed, ParsedFeed)
        (entry,) = parsed.entries
        self._copies[other.address] = self._copy(other.address, parsed.feed, entry)


def lines(entry):
    return (entry.content + entry.summary).count("<small")


@pytest.mark.parametrize("kind", ["atom", "json"])
@pytest.mark.parametrize("reads_blog", [True, False])
def test_two_that_read_each_other(kind, reads_blog):
    one = Aggregator("one.example", "en", kind=kind)
    two = Aggregator("two.example", "fr", kind=kind, reads_blog=reads_blog)
    published = []
    for _ in range(10):
        two.read(one)
        one.read(two)
        published.append((one.publish(), two.publish()))
        for each, label in ((one, "Here because: "), (two, "Pourquoi ici\u00a0: ")):
            assert each.entry.content.startswith(f"{TEXT}<p><small")
            assert label in each.entry.content
            assert lines(each.entry) == 1
    assert len(set(published[1:])) == 1  # from the second round on, nothing changes
    if kind == "atom":
        assert one.entry.categories == (
            Category("Gand"),
            Category("Communs", "https://one.example/#tags", "#Communs"),
            Category("clipped", "https://one.example/#marks", "Clipped by the reader"),
        )


@pytest.mark.parametrize("kind", ["atom", "json"])
def test_one_that_reads_itself(kind):
    one = Aggregator("one.example", "en", kind=kind)
    first = one.publish()
    for _ in range(10):
        one.read(one)
        assert lines(one.entry) == 1
    assert one.publish() == first


def test_one_that_has_only_its_own_feed_left():
    """It has unsubscribed from the blog."""
    one = Aggregator("one.example", "en")
    one.read(one)
    del one._copies["blog"]
    for _ in range(10):
        one.read(one)
        assert one.entry.content.startswith(f"{TEXT}<p><small")
        assert lines(one.entry) == 1


@pytest.mark.parametrize("kind", ["atom", "json"])
def test_summaries_and_places(kind):
    """A summary gets the lines too; without reasons, only the places are named."""
    one = Aggregator(
        "one.example", "en", kind=kind, summary_only=frozenset(["https://blog.example/feed"])
    )
    two = Aggregator("two.example", "fr", kind=kind, reads_blog=False, explain=False)
    elsewhere = replace(ENTRY, link="https://mirror.example/1")
    two._copies["mirror"] = two._copy(
        "https://mirror.example/f", Feed("urn:m", "Mirror"), elsewhere
    )
    three = Aggregator("three.example", "en", kind=kind, reads_blog=False)
    for _ in range(10):
        two.read(one)
        three.read(two)
        one.read(three)
        assert lines(one.entry) == 2  # it names the other place too
        assert lines(two.entry) == 1
        assert lines(three.entry) == 1
