"""Which words of which copy are published, and what is said of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from aggregator.model import (
    Category,
    Channel,
    ChannelKind,
    Entry,
    Evidence,
    EvidenceKind,
    Feed,
    Match,
    PublishSettings,
    Role,
    Site,
    StoredEntry,
    Story,
    StoryEntry,
)
from aggregator.publish.entries import FeedBuilder

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SITE = Site("A site", "https://site.example/", "Somebody", "en")
SETTINGS = PublishSettings("outputs", 50, 10, explain=True)
NAMES = {"communs": "Communs", "p2p": "P2P"}
TAG = Channel("tag:communs", ChannelKind.TAG, "Communs", "communs", "urn:feed", NOW - 9 * DAY)
WORD = Evidence(EvidenceKind.PHRASE, "communs", "title", 0.6)
KEPT = Evidence(EvidenceKind.CLIPPED, "Kept", "link", 1.0)


def copy(id="urn:1", role=Role.SUBSCRIPTION, seen=NOW, matches=None, feed="f", **fields):
    home = fields.pop("home", None)
    entry = Entry(key=id, id=id, title=fields.pop("title", id), **fields)
    stored = StoredEntry(1, feed, Feed("urn:f", "The feed", home), role, entry, seen, seen)
    return StoryEntry(stored, (Match("communs", 0.6, (WORD,)),) if matches is None else matches)


def story(*copies, id="urn:1", updated=NOW):
    return Story(1, id, updated, copies or (copy(),))


def editor(site=SITE, **changes):
    settings = replace(SETTINGS, **changes)
    return FeedBuilder(site, settings, NAMES, {"tag:communs": (None, "What we hold")})


def published(*copies, **changes):
    return editor(**changes).entry(story(*copies))


def feed(*stories, months=(), channel=TAG, **changes):
    return editor(**changes).live_feed(channel, stories, months, 7)


def test_newest_first_and_no_more_than_the_live_length():
    stories = [story(id=f"urn:{n}", updated=NOW - n * DAY) for n in (1, 2, 3)]
    found = feed(*stories, live=2)
    assert [entry.id for entry in found.entries] == ["urn:1", "urn:2"]
    assert found.updated == NOW - DAY
    assert (found.total, found.channel.description) == (7, "What we hold")
    assert feed(*stories[::-1]) == feed(*stories)


def test_an_empty_feed_was_never_updated():
    """No machine's clock is in it."""
    assert feed().updated == datetime(1970, 1, 1, tzinfo=UTC)


def test_one_loud_blog_does_not_fill_a_feed():
    loud = [story(copy(feed="loud"), id=f"urn:l{n}", updated=NOW - n * DAY) for n in range(9)]
    others = [story(copy(feed=f"f{n}"), id=f"urn:o{n}", updated=NOW - 30 * DAY) for n in range(3)]
    kept = [story(copy(role=Role.CLIPPINGS, feed="c"), id=f"urn:c{n}") for n in range(4)]
    found = {entry.id for entry in feed(*loud, *others, *kept, per_source=2, live=20).entries}
    assert found == {
        "urn:l0",
        "urn:l1",
        "urn:o0",
        "urn:o1",
        "urn:o2",
        *(f"urn:c{n}" for n in range(4)),
    }


def test_the_documents_of_a_feed_lead_to_each_other():
    months = ["2026-09", "2026-10", "2026-11"]
    assert feed(months=months).previous == "communs/2026-11"
    assert feed().previous is None
    found = [editor().archive(TAG, [story()], months, month) for month in months]
    assert [(d.path, d.previous, d.next, d.current, d.archive) for d in found] == [
        ("communs/2026-09", None, "communs/2026-10", "communs", True),
        ("communs/2026-10", "communs/2026-09", "communs/2026-11", "communs", True),
        ("communs/2026-11", "communs/2026-10", None, "communs", True),
    ]


@pytest.mark.parametrize(("language", "words"), [("en", "has ended"), ("fr", "s’arrête ici")])
def test_a_feed_whose_tag_is_no_more_says_so_at_its_top(language, words):
    ended = replace(TAG, ended_at=NOW)
    site = replace(SITE, language=language)
    last, other = feed(story(updated=NOW - DAY), channel=ended, site=site).entries
    assert words in last.title
    assert "Communs" in last.title
    assert last.updated == NOW
    assert other.id == "urn:1"
    again = feed(channel=ended, site=site).entries
    assert again[0] == last


def test_the_publishers_own_page_stands_before_those_of_others():
    planet = copy("urn:a", feed="https://planet.example/feed", home="https://planet.example/",
                  link="https://blog.example/1", content="<p>cut</p>", seen=NOW - DAY)  # fmt: skip
    blog = copy("urn:b", feed="https://blog.example/feed", home="https://www.blog.example/",
                link="https://blog.example/1", content="<p>whole</p>")  # fmt: skip
    entry = published(planet, blog)
    assert entry.content.startswith("<p>whole</p>")
    assert entry.related == ()


def test_all_places_of_a_story_are_linked():
    one = copy("urn:a", feed="a", link="https://a.example/1", published=NOW - 3 * DAY)
    two = copy(
        "urn:b", feed="b", link="https://b.example/2?x=1&y", published=NOW - 4 * DAY, seen=NOW + DAY
    )
    entry = published(two, one)
    assert entry.link == "https://a.example/1"
    assert entry.related == ("https://b.example/2?x=1&y",)
    line = 'Also at: <a href="https://b.example/2?x=1&amp;y">The feed</a>.'
    assert line in entry.content
    assert entry.published == NOW - 4 * DAY
    assert entry.updated == NOW


def test_a_publishers_words_stand_before_a_clippings():
    clipping = copy("urn:c", Role.CLIPPINGS, NOW - DAY, content="<p>mine</p>")
    entry = published(clipping, copy("urn:p", content="<p>theirs</p>"))
    assert entry.id == "urn:1"
    assert entry.content.startswith("<p>theirs</p>")
    assert entry.source is not None


def test_attribution_and_authors():
    entry = published(copy())
    assert entry.source is not None
    assert (entry.source.id, entry.source.title, entry.source.self_url) == (
        "urn:f",
        "The feed",
        "f",
    )
    assert [author.name for author in entry.authors] == ["The feed"]
    clipped = published(copy(role=Role.CLIPPINGS))
    assert clipped.source is None
    assert [author.name for author in clipped.authors] == ["Somebody"]


def test_each_entry_says_why_it_is_here():
    matches = (Match("p2p", 1.0, (KEPT,)), Match("communs", 0.6, (WORD,)))
    entry = published(copy(matches=matches, content="<p>x</p>"))
    assert entry.content == (
        "<p>x</p><p><small>Here because: clipped by the reader (#P2P); "
        "“communs” in the title (#Communs).</small></p>"
    )
    assert [(r.tag, r.score, r.near) for r in entry.reasons] == [
        ("P2P", 1.0, False), ("Communs", 0.6, False)
    ]  # fmt: skip
    silent = published(copy(matches=matches, content="<p>x</p>"), explain=False)
    assert silent.content == "<p>x</p>"


def test_what_nearly_belongs_says_so_and_bears_no_tag():
    entry = published(copy(matches=(Match("communs", 0.4, (WORD,), near=True),)))
    assert "Nearly here: “communs” in the title (#Communs)." in entry.content
    assert entry.categories == ()
    assert "near" in repr(entry.reasons)
    both = published(copy("a", matches=(Match("communs", 0.4, (WORD,), near=True),)), copy("b"))
    assert "Nearly" not in both.content


@pytest.mark.parametrize(
    ("evidence", "english", "french"),
    [
        (KEPT, "clipped by the reader", "gardé par le lecteur"),
        (Evidence(EvidenceKind.CATEGORY, "c", "category", 0.9), "category “c”", "catégorie « c »"),
        (Evidence(EvidenceKind.SUBSCRIPTION, "S", "feed", 1), "everything from “S”", "tout ce qui vient de « S »"),
        (Evidence(EvidenceKind.RULE, "r", "text", 0.9), "a rule finds “r”", "une règle trouve « r »"),
        (Evidence(EvidenceKind.PHRASE, "{x}", "lead", 0.4), "“{x}” in the lead", "« {x} » dans le chapeau"),
    ],
)  # fmt: skip
def test_reasons_in_english_and_french(evidence, english, french):
    entry = copy(matches=(Match("communs", 0.9, (evidence,)),))
    assert english in published(entry).content
    assert french in published(entry, site=replace(SITE, language="fr-BE")).content


def test_categories_are_the_publishers_then_the_readers():
    entry = published(copy(matches=(Match("communs", 1.0, (KEPT,)),), categories=(Category("c"),)))
    assert entry.categories == (
        Category("c"),
        Category("Communs", "https://site.example/#tags", "#Communs"),
        Category("clipped", "https://site.example/#marks", "Clipped by the reader"),
    )


def test_the_address_of_a_feed_is_an_address_whatever_the_script_of_its_tag():
    found = feed(channel=replace(TAG, name="共有", slug="共有"))
    assert found.address("atom") == "https://site.example/%E5%85%B1%E6%9C%89.atom"


def test_of_some_subscriptions_only_a_summary_is_republished():
    """The reasons still stand at its end."""
    text = "word & " * 100
    entries = [
        copy("urn:1", feed="short", content=f"<p>{text}</p>", text=text.strip()),
        copy("urn:2", feed="short", content="<p>All</p>", summary="<p>Own</p>", text="All"),
        copy("urn:3", feed="short", content="<p>a &lt; b</p>", text="a < b"),
        copy("urn:4", feed="full", content="<p>All</p>", text="All"),
    ]
    one, two, three, four = (published(e, summary_only=frozenset(["short"])) for e in entries)
    assert [bool(e.content) for e in (one, two, three, four)] == [False, False, False, True]
    assert one.summary.startswith("<p>word &amp; word")
    assert len(one.summary) < 700
    assert "word…</p><p><small>Here because" in one.summary.replace(" &amp;…", "…")
    assert two.summary.startswith("<p>Own</p>")
    assert three.summary.startswith("<p>a &lt; b</p>")
