from datetime import UTC, datetime, timedelta

import pytest

from aggregator.model import (
    Category,
    Copy,
    Entry,
    Evidence,
    EvidenceKind,
    Feed,
    LiveEntry,
    Match,
    PublishSettings,
    Role,
    Site,
    StoredEntry,
    Tag,
)
from aggregator.publish import tag_feed

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SITE = Site("A site", "https://site.example/", "Somebody", "en")
TAG = Tag("communs", "Communs", "communs", ("communs",))
NAMES = {"communs": "Communs", "p2p": "P2P"}
WORD = Evidence(EvidenceKind.PHRASE, "communs", "title", 0.6)
KEPT = Evidence(EvidenceKind.CLIPPED, "Kept", "link", 1.0)


def live(id="urn:1", role=Role.SUBSCRIPTION, seen=NOW, page=None, matches=None, feed="f", **fields):
    entry = Entry(key=id, id=id, title=fields.pop("title", id), page=page, **fields)
    stored = StoredEntry(1, feed, Feed("urn:f", "The feed"), role, entry, seen, seen)
    return LiveEntry(stored, matches or (Match("communs", 0.6, (WORD,)),))


def feed(*entries, copies=(), live_length=50, explain=True, site=SITE, summary_only=()):
    settings = PublishSettings("outputs", live_length, 10, explain, frozenset(summary_only))
    return tag_feed(TAG, "urn:feed", site, settings, NAMES, entries, copies, 7, NOW - 9 * DAY)


def test_newest_first_and_no_more_than_the_live_length():
    entries = [live(f"urn:{n}", updated=NOW - n * DAY) for n in (3, 1, 2)]
    published = feed(*entries, live_length=2)
    assert [entry.id for entry in published.entries] == ["urn:1", "urn:2"]
    assert published.updated == NOW - DAY
    assert published.total == 7


def test_an_empty_feed_was_updated_when_its_tag_appeared():
    assert feed().updated == NOW - 9 * DAY


def test_the_order_of_what_is_stored_does_not_matter():
    entries = [live(f"urn:{n}") for n in range(4)]
    assert feed(*entries) == feed(*reversed(entries))


def test_a_story_from_two_places_is_one_entry_under_its_first_id():
    first = live("urn:1", page="a/p", seen=NOW - DAY, feed="one", published=NOW - 3 * DAY)
    second = live("urn:2", page="a/p", feed="two", updated=NOW - DAY)
    copies = [
        Copy("a/p", "urn:2", NOW, Role.SUBSCRIPTION, "two"),
        Copy("a/p", "urn:1", NOW - DAY, Role.SUBSCRIPTION, "one"),
    ]
    (entry,) = feed(second, first, copies=copies).entries
    assert entry.id == "urn:1"
    assert entry.title == "urn:1"
    assert entry.published == NOW - 3 * DAY
    assert entry.updated == NOW - DAY


def test_the_first_id_holds_even_where_its_entry_has_another_tag():
    copies = [Copy("a/p", "urn:first", NOW - DAY, Role.SUBSCRIPTION, "one")]
    (entry,) = feed(live("urn:2", page="a/p"), copies=copies).entries
    assert entry.id == "urn:first"


def test_a_publishers_words_stand_before_a_clippings_under_the_clippings_id():
    clipping = live("urn:c", Role.CLIPPINGS, NOW - DAY, "a/p", content="<p>mine</p>")
    polled = live("urn:p", page="a/p", content="<p>theirs</p>")
    copies = [
        Copy("a/p", "urn:p", NOW, Role.SUBSCRIPTION, "f"),
        Copy("a/p", "urn:c", NOW - DAY, Role.CLIPPINGS, "clippings:"),
    ]
    (entry,) = feed(clipping, polled, copies=copies).entries
    assert entry.id == "urn:c"
    assert entry.content.startswith("<p>theirs</p>")
    assert entry.source is not None


def test_seen_in_the_same_run_the_clipping_comes_first():
    copies = [
        Copy("a/p", "urn:p", NOW, Role.SUBSCRIPTION, "a"),
        Copy("a/p", "urn:c", NOW, Role.CLIPPINGS, "clippings:"),
    ]
    assert feed(live("urn:p", page="a/p"), copies=copies).entries[0].id == "urn:c"


def test_attribution_and_authors():
    (entry,) = feed(live()).entries
    assert entry.source is not None
    assert (entry.source.id, entry.source.title, entry.source.self_url) == (
        "urn:f",
        "The feed",
        "f",
    )
    assert [author.name for author in entry.authors] == ["The feed"]
    (clipped,) = feed(live(role=Role.CLIPPINGS)).entries
    assert clipped.source is None
    assert [author.name for author in clipped.authors] == ["Somebody"]


def test_each_entry_says_why_it_is_here():
    matches = (Match("p2p", 1.0, (KEPT,)), Match("communs", 0.6, (WORD,)))
    (entry,) = feed(live(matches=matches, content="<p>x</p>")).entries
    assert entry.content == (
        "<p>x</p><p><small>Here because: clipped by the reader (#P2P); "
        "“communs” in the title (#Communs).</small></p>"
    )
    (silent,) = feed(live(matches=matches, content="<p>x</p>"), explain=False).entries
    assert silent.content == "<p>x</p>"


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
    entry = live(matches=(Match("communs", 0.9, (evidence,)),))
    assert english in feed(entry).entries[0].content
    site = Site("S", SITE.url, "A", "fr-BE")
    assert french in feed(entry, site=site).entries[0].content


def test_categories_are_the_publishers_then_the_readers():
    matches = (Match("communs", 1.0, (KEPT,)),)
    (entry,) = feed(live(matches=matches, categories=(Category("c"),))).entries
    assert entry.categories == (
        Category("c"),
        Category("Communs", "https://site.example/#tags"),
        Category("clipped", "https://site.example/#marks", "Clipped by the reader"),
    )


def test_the_address_of_a_feed_is_an_address_whatever_the_script_of_its_tag():
    tag = Tag("共有", "共有", "共有", ("共有",))
    settings = PublishSettings("outputs", 50, 10, True)
    published = tag_feed(tag, "urn:feed", SITE, settings, NAMES, [], [], 0, NOW)
    assert published.self_url == "https://site.example/%E5%85%B1%E6%9C%89.atom"


def test_of_some_subscriptions_only_a_summary_is_republished():
    """The reasons still stand at its end."""
    text = "word & " * 100
    entries = [
        live("urn:1", feed="short", content=f"<p>{text}</p>", text=text.strip()),
        live("urn:2", feed="short", content="<p>All</p>", summary="<p>Own</p>", text="All"),
        live("urn:3", feed="short", content="<p>a &lt; b</p>", text="a < b"),
        live("urn:4", feed="full", content="<p>All</p>", text="All"),
    ]
    found = {e.id: e for e in feed(*entries, summary_only=["short"]).entries}
    assert {id: bool(entry.content) for id, entry in found.items()} == {
        "urn:1": False, "urn:2": False, "urn:3": False, "urn:4": True
    }  # fmt: skip
    assert found["urn:1"].summary.startswith("<p>word &amp; word")
    assert len(found["urn:1"].summary) < 700
    assert "word…</p><p><small>Here because" in found["urn:1"].summary.replace(" &amp;…", "…")
    assert found["urn:2"].summary.startswith("<p>Own</p>")
    assert found["urn:3"].summary.startswith("<p>a &lt; b</p>")
