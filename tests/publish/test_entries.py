"""Which copy of a story is published and why, and which documents contain it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

import pytest

from aggregator.model import (
    Author,
    Category,
    Channel,
    ChannelKind,
    Enclosure,
    Entry,
    Evidence,
    EvidenceKind,
    Feed,
    Match,
    PublishSettings,
    Role,
    Site,
    Source,
    StoredEntry,
    Story,
    StoryEntry,
)
from aggregator.publish.feed_builder import FeedBuilder

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SITE = Site("A site", "https://site.example/", "Somebody", "en")
SETTINGS = PublishSettings("outputs", 50, 10, explain=True)
NAMES = {"communs": "Communs", "p2p": "P2P"}
TAG = Channel("tag:communs", ChannelKind.TAG, "Communs", "communs", "urn:feed", NOW - 9 * DAY)
WORD = Evidence(EvidenceKind.PHRASE, "communs", "title", 0.6)
KEPT = Evidence(EvidenceKind.CLIPPED, "Kept", "link", 1.0)


def make_copy(id="urn:1", role=Role.SUBSCRIPTION, seen=NOW, matches=None, feed="f", **fields):
    home = fields.pop("home", None)
    entry = Entry(key=id, id=id, title=fields.pop("title", id), **fields)
    stored = StoredEntry(1, feed, Feed("urn:f", "The feed", home), role, entry, seen, seen)
    return StoryEntry(stored, (Match("communs", 0.6, (WORD,)),) if matches is None else matches)


def make_story(*copies, id="urn:1", updated=NOW):
    return Story(1, id, updated, copies or (make_copy(),))


def make_builder(site=SITE, **changes):
    settings = replace(SETTINGS, **changes)
    return FeedBuilder(site, settings, NAMES, {"tag:communs": (None, "What we hold")})


def published(*copies, **changes):
    return make_builder(**changes).entry(make_story(*copies))


def make_live_feed(*stories, archive_names=(), channel=TAG, **changes):
    return make_builder(**changes).live_feed(channel, stories, archive_names, 7)


def test_live_feed_is_limited_and_sorted_latest_first():
    stories = [make_story(id=f"urn:{n}", updated=NOW - n * DAY) for n in (1, 2, 3)]
    live_feed = make_live_feed(*stories, live=2)
    assert [entry.id for entry in live_feed.entries] == ["urn:1", "urn:2"]
    assert live_feed.updated == NOW - DAY
    assert (live_feed.total, live_feed.channel.description) == (7, "What we hold")
    assert make_live_feed(*stories[::-1]) == make_live_feed(*stories)


def test_updated_of_an_empty_feed_is_constant():
    """It must not come from the clock. feedvalidator: 1970 is an ImplausibleDate."""
    assert make_live_feed().updated == datetime(2000, 1, 1, tzinfo=UTC)


def test_each_source_has_a_limited_share_of_a_live_feed():
    loud = [
        make_story(make_copy(feed="loud"), id=f"urn:l{n}", updated=NOW - n * DAY) for n in range(9)
    ]
    others = [
        make_story(make_copy(feed=f"f{n}"), id=f"urn:o{n}", updated=NOW - 30 * DAY)
        for n in range(3)
    ]
    clippings = [
        make_story(make_copy(role=Role.CLIPPINGS, feed="c"), id=f"urn:c{n}") for n in range(4)
    ]
    ids = {
        entry.id
        for entry in make_live_feed(*loud, *others, *clippings, per_source=2, live=20).entries
    }
    assert ids == {
        "urn:l0",
        "urn:l1",
        "urn:o0",
        "urn:o1",
        "urn:o2",
        *(f"urn:c{n}" for n in range(4)),
    }


def test_archive_documents_link_to_each_other():
    archive_names = ["2026-09", "2026-10", "2026-11"]
    assert make_live_feed(archive_names=archive_names).previous == "communs/2026-11"
    assert make_live_feed().previous is None
    found = [
        make_builder().archive(TAG, [make_story()], archive_names, name) for name in archive_names
    ]
    assert [(d.path, d.previous, d.next, d.current, d.archive) for d in found] == [
        ("communs/2026-09", None, "communs/2026-10", "communs", True),
        ("communs/2026-10", "communs/2026-09", "communs/2026-11", "communs", True),
        ("communs/2026-11", "communs/2026-10", None, "communs", True),
    ]


@pytest.mark.parametrize(
    ("language", "text"), [("en", "has been discontinued"), ("fr", "est arrêté")]
)
def test_discontinued_feed_starts_with_a_notice(language, text):
    ended = replace(TAG, ended_at=NOW)
    site = replace(SITE, language=language)
    last, other = make_live_feed(make_story(updated=NOW - DAY), channel=ended, site=site).entries
    assert text in last.title
    assert "Communs" in last.title
    assert last.updated == NOW
    assert other.id == "urn:1"
    again = make_live_feed(channel=ended, site=site).entries
    assert again[0] == last


def test_copy_on_its_publishers_own_site_is_preferred():
    planet = make_copy("urn:a", feed="https://planet.example/feed", home="https://planet.example/",
                  link="https://blog.example/1", content="<p>cut</p>", seen=NOW - DAY)  # fmt: skip
    blog = make_copy("urn:b", feed="https://blog.example/feed", home="https://www.blog.example/",
                link="https://blog.example/1", content="<p>whole</p>")  # fmt: skip
    entry = published(planet, blog)
    assert entry.content.startswith("<p>whole</p>")
    assert entry.related == ()


def test_entry_links_to_all_places_of_its_story():
    one = make_copy("urn:a", feed="a", link="https://a.example/1", published=NOW - 3 * DAY)
    two = make_copy(
        "urn:b", feed="b", link="https://b.example/2?x=1&y", published=NOW - 4 * DAY, seen=NOW + DAY
    )
    entry = published(two, one)
    assert entry.link == "https://a.example/1"
    assert entry.related == ("https://b.example/2?x=1&y",)
    line = 'Also at: <a href="https://b.example/2?x=1&amp;y">The feed</a>.'
    assert line in entry.content
    assert entry.published == NOW - 4 * DAY
    assert entry.updated == NOW


def test_publishers_copy_is_preferred_to_a_clipping():
    clipping = make_copy("urn:c", Role.CLIPPINGS, NOW - DAY, content="<p>mine</p>")
    entry = published(clipping, make_copy("urn:p", content="<p>theirs</p>"))
    assert entry.id == "urn:1"
    assert entry.content.startswith("<p>theirs</p>")
    assert entry.source is not None


def test_source_and_authors_of_an_entry():
    entry = published(make_copy())
    assert entry.source is not None
    assert (entry.source.id, entry.source.title, entry.source.self_url) == (
        "urn:f",
        "The feed",
        "f",
    )
    assert [author.name for author in entry.authors] == ["The feed"]
    clipped = published(make_copy(role=Role.CLIPPINGS))
    assert clipped.source is None
    assert [author.name for author in clipped.authors] == ["Somebody"]


ORIGINAL = Source(
    "tag:blog.example,2026:/", "The blog", "https://blog.example/", "https://blog.example/feed",
    NOW - DAY, "CC BY",
)  # fmt: skip


def test_entry_of_a_planet_names_the_original_feed_and_the_planet():
    """RFC 4287 sections 4.2.7.2 and 4.2.11."""
    planet = "https://planet.example/feed"
    copy = make_copy(feed=planet, home="https://planet.example/", source=ORIGINAL)
    entry = published(copy)
    assert entry.source == ORIGINAL
    assert entry.via == Source("urn:f", "The feed", "https://planet.example/", planet)
    assert entry.authors == (Author("The blog"),)
    titled = published(copy, source_titles={planet: "Planet"})
    assert (titled.source, titled.via and titled.via.title) == (ORIGINAL, "Planet")
    authored = published(make_copy(source=ORIGINAL, authors=(Author("Ann"),)))
    assert authored.authors == (Author("Ann"),)


def test_source_without_a_date_or_title_gets_one():
    """RFC 4287 section 4.2.11; feedvalidator: MissingSourceElement."""
    entry = published(make_copy(source=Source("https://blog.example/feed", ""), updated=NOW))
    assert entry.source == Source(
        "https://blog.example/feed", "https://blog.example/feed", updated=NOW
    )


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        ("tag:blog.example,2026:/é", "tag:blog.example,2026:/é"),
        ("https://blog.example/?a[]=1", "https://blog.example/?a%5B%5D=1"),
        # RFC 9562 section 5.5; uuid5(NAMESPACE_URL, "Le Monde" + line feed)
        ("Le Monde", "urn:uuid:" + str(uuid5(NAMESPACE_URL, "Le Monde\n"))),
        ("javascript:alert(1)", "urn:uuid:" + str(uuid5(NAMESPACE_URL, "javascript:alert(1)\n"))),
    ],
)
def test_id_of_a_source_is_an_iri(id, expected):
    entry = published(make_copy(source=replace(ORIGINAL, id=id)))
    assert entry.source and entry.source.id == expected


def test_feed_that_names_itself_as_the_source_is_no_planet():
    entry = published(make_copy(source=replace(ORIGINAL, id="urn:f")))
    assert entry.via is None
    assert entry.source and entry.source.title == "The feed"


def test_clipping_of_a_planet_has_no_source():
    entry = published(make_copy(role=Role.CLIPPINGS, source=ORIGINAL))
    assert (entry.source, entry.via, entry.authors) == (None, None, (Author("Somebody"),))


def test_operators_title_replaces_the_publishers():
    titles = {"a": "My name for A", "b": "My name for B"}
    one = make_copy("urn:a", feed="a", link="https://a.example/1")
    two = make_copy("urn:b", feed="b", link="https://b.example/1", seen=NOW + DAY)
    entry = published(one, two, source_titles=titles)
    assert entry.source and entry.source.title == "My name for A"
    assert entry.authors == (Author("My name for A"),)
    assert 'Also at: <a href="https://b.example/1">My name for B</a>.' in entry.content
    planet = make_copy(
        "urn:b", feed="b", link="https://b.example/1", source=ORIGINAL, seen=NOW + DAY
    )
    assert ">The blog</a>" in published(one, planet, source_titles=titles).content


def test_new_title_of_a_subscription_renders_feeds_again():
    before, same, after = (
        make_builder(source_titles=titles)
        for titles in ({"a": "A", "b": "B"}, {"b": "B", "a": "A"}, {"a": "A", "b": "C"})
    )
    assert before.fingerprint(TAG) == same.fingerprint(TAG) != after.fingerprint(TAG)
    # The pages of sources have their own title in their fingerprint.
    assert before.settings_digest == after.settings_digest


def test_picture_and_enclosures_are_passed_on():
    enclosures = (
        Enclosure("https://a.example/é.mp3", "audio/mpeg", 10, 754, "Épisode 1"),
        Enclosure("https://a.example/[1].jpg", "image/jpeg"),
    )
    entry = published(make_copy(enclosures=enclosures, image="https://a.example/[1].jpg"))
    assert entry.image == "https://a.example/%5B1%5D.jpg"
    assert entry.enclosures == (
        Enclosure("https://a.example/%C3%A9.mp3", "audio/mpeg", 10, 754, "Épisode 1"),
        Enclosure("https://a.example/%5B1%5D.jpg", "image/jpeg"),
    )
    clipped = published(make_copy(role=Role.CLIPPINGS, enclosures=enclosures, image="https://i/"))
    assert (clipped.image, clipped.enclosures) == ("https://i/", entry.enclosures)


def test_all_addresses_are_uris():
    """feedvalidator: InvalidIRI, InvalidUriChar. A valid id stays as its publisher wrote it."""
    copy = make_copy(
        link="https://a.example/[é]",
        authors=(Author("A", "a@a.example", "https://a.example/~[é]"),),
        categories=(Category("c", "https://a.example/[é]"),),
        source=Source("https://a.example/é", "A", "https://a.example/[é]", "https://a.example/[é]"),
        home="https://planet.example/[é]",
        feed="https://planet.example/feed[é]",
    )
    other = make_copy("urn:b", feed="b", link="https://b.example/[é]", seen=NOW + DAY)
    entry = published(copy, other, explain=False)
    part = "%5B%C3%A9%5D"
    assert entry.link == f"https://a.example/{part}"
    assert entry.authors == (Author("A", "a@a.example", f"https://a.example/~{part}"),)
    assert entry.categories[0].scheme == f"https://a.example/{part}"
    assert entry.related == (f"https://b.example/{part}",)
    assert f'href="https://b.example/{part}"' in entry.content
    source, via = entry.source, entry.via
    assert source and via
    assert source.id == "https://a.example/é"
    assert source.link == source.self_url == f"https://a.example/{part}"
    assert (via.link, via.self_url) == (
        f"https://planet.example/{part}",
        f"https://planet.example/feed{part}",
    )


@pytest.mark.parametrize(
    ("email", "is_valid"),
    [
        ("ann@a.example", True), ("ann.b+c@a-b.example", True), ("o'ann@a.example", True),
        ("ann@localhost", False), ("ann@münchen.example", False), ("mailto:a@b.example", False),
        ("a,b@c.example", False), ("@a.example", False), ("ann@a.example,", False),
    ],
)  # fmt: skip
def test_invalid_email_addresses_are_left_out(email, is_valid):
    """feedvalidator: InvalidAddrSpec."""
    entry = published(make_copy(authors=(Author("Ann", email),)))
    assert entry.authors == (Author("Ann", email if is_valid else None),)


def test_tags_of_another_aggregator_are_not_republished():
    theirs = (
        Category("Communs", "https://other.example/feeds/#tags", "#Communs"),
        Category(
            "clipped", "https://other.example/feeds/#marks", "Extrait conservé par le lecteur"
        ),
    )
    publishers = (
        Category("Communs"),
        Category("a", "https://blog.example/#tags"),
        Category("b", "https://blog.example/#marks"),
        Category("clipped", "https://blog.example/"),
    )
    entry = published(make_copy(categories=(*publishers, *theirs)))
    assert entry.categories == (
        *publishers,
        Category("Communs", "https://site.example/#tags", "#Communs"),
    )


def test_entry_explains_why_it_is_here():
    matches = (Match("p2p", 1.0, (KEPT,)), Match("communs", 0.6, (WORD,)))
    entry = published(make_copy(matches=matches, content="<p>x</p>"))
    assert entry.content == (
        '<p>x</p><p><small lang="en">Here because: clipped by the reader (#P2P); '
        "“communs” in the title (#Communs).</small></p>"
    )
    assert [(r.tag, r.score, r.near) for r in entry.reasons] == [
        ("P2P", 1.0, False), ("Communs", 0.6, False)
    ]  # fmt: skip
    silent = published(make_copy(matches=matches, content="<p>x</p>"), explain=False)
    assert silent.content == "<p>x</p>"


def test_near_miss_is_explained_and_has_no_tag():
    entry = published(make_copy(matches=(Match("communs", 0.4, (WORD,), near=True),)))
    assert "Near miss: “communs” in the title (#Communs)." in entry.content
    assert entry.categories == ()
    assert "near" in repr(entry.reasons)
    both = published(
        make_copy("a", matches=(Match("communs", 0.4, (WORD,), near=True),)), make_copy("b")
    )
    assert "Near miss" not in both.content


@pytest.mark.parametrize(
    ("evidence", "english", "french"),
    [
        (KEPT, "clipped by the reader", "extrait conservé par le lecteur"),
        (Evidence(EvidenceKind.CATEGORY, "c", "category", 0.9), "category “c”", "catégorie « c »"),
        (Evidence(EvidenceKind.SUBSCRIPTION, "S", "feed", 1), "everything from “S”", "tout le contenu de « S »"),
        (Evidence(EvidenceKind.RULE, "r", "text", 0.9), "a rule matches “r”", "une règle correspond à « r »"),
        (Evidence(EvidenceKind.PHRASE, "{x}", "lead", 0.4), "“{x}” in the lead", "« {x} » dans le chapeau"),
    ],
)  # fmt: skip
def test_reasons_in_english_and_french(evidence, english, french):
    entry = make_copy(matches=(Match("communs", 0.9, (evidence,)),))
    assert english in published(entry).content
    assert french in published(entry, site=replace(SITE, language="fr-BE")).content


def test_publishers_categories_come_before_tags():
    entry = published(
        make_copy(matches=(Match("communs", 1.0, (KEPT,)),), categories=(Category("c"),))
    )
    assert entry.categories == (
        Category("c"),
        Category("Communs", "https://site.example/#tags", "#Communs"),
        Category("clipped", "https://site.example/#marks", "Clipped by the reader"),
    )


def test_feed_address_is_percent_encoded():
    live_feed = make_live_feed(channel=replace(TAG, name="共有", slug="共有"))
    assert live_feed.address("atom") == "https://site.example/%E5%85%B1%E6%9C%89.atom"


def test_summary_only_subscription_publishes_a_summary_with_reasons():
    text = "word & " * 100
    entries = [
        make_copy("urn:1", feed="short", content=f"<p>{text}</p>", text=text.strip()),
        make_copy("urn:2", feed="short", content="<p>All</p>", summary="<p>Own</p>", text="All"),
        make_copy("urn:3", feed="short", content="<p>a &lt; b</p>", text="a < b"),
        make_copy("urn:4", feed="full", content="<p>All</p>", text="All"),
    ]
    one, two, three, four = (published(e, summary_only=frozenset(["short"])) for e in entries)
    assert [bool(e.content) for e in (one, two, three, four)] == [False, False, False, True]
    assert one.summary.startswith("<p>word &amp; word")
    assert len(one.summary) < 700
    assert 'word…</p><p><small lang="en">Here because' in one.summary.replace(" &amp;…", "…")
    assert two.summary.startswith("<p>Own</p>")
    assert three.summary.startswith("<p>a &lt; b</p>")
