"""The channels of a story, and which old stories enter live feeds."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aggregator.config import parse_config
from aggregator.match import (
    PlacementRules,
    QueryMatcher,
    build_vocabulary,
    channel_key,
    choose_live,
    expected_channels,
    place,
    unknown_tags,
)
from aggregator.model import (
    Author,
    Category,
    ChannelKind,
    Clipping,
    CombinedFeed,
    Evidence,
    EvidenceKind,
    Match,
    MembershipChange,
    Role,
    Story,
    StoryEntry,
    TagSettings,
)
from aggregator.text.query import parse_query
from tests.harness import subscription
from tests.match.samples import FEED, NOW, make_stored

DAY = timedelta(days=1)
BEES = Match("bees", 0.9, ())
NEAR = replace(BEES, near=True)
CLIPPED = Match("bees", 1.0, (Evidence(EvidenceKind.CLIPPED, "T", "link", 1.0),))
CONFIG = replace(
    parse_config('[clippings]\nfiles = ["c.txt"]\n', "feeds.toml", {}),
    feeds=(
        CombinedFeed("Honey", "title:honey"),
        CombinedFeed("Clips", "is:clipped"),
        CombinedFeed("Waxed", "wax"),
    ),
    subscriptions=(replace(subscription(FEED), title="The Hive"),),
)
VOCABULARY = build_vocabulary([Clipping("T", None, "", ("Bees",))], [TagSettings("Wax")], ())
RULES = PlacementRules(VOCABULARY, CONFIG)


def make_story(*matches, row=1, ever_published=False, copies=None, **fields):
    stored = make_stored(**{"title": "T", "link": "https://a.example/", **fields})
    copies = (StoryEntry(stored, matches),) if copies is None else copies
    return Story(row, f"urn:{row}", NOW, copies, ever_published)


def with_dates(story, **dates):
    (copy,) = story.copies
    return replace(story, copies=(replace(copy, stored=replace(copy.stored, **dates)),))


@pytest.mark.parametrize(
    ("story", "channels"),
    [
        (make_story(BEES), {"tag:bees", "own:all"}),
        (make_story(NEAR), {"own:all", "own:unmatched", "own:near miss"}),
        (make_story(replace(BEES, tag="wax")), {"tag:wax", "own:all", "query:waxed"}),
        (make_story(copies=()), set()),
        (make_story(), {"own:all", "own:unmatched"}),
        (make_story(title="Honey!"), {"own:all", "own:unmatched", "query:honey"}),
        (make_story(replace(BEES, tag="gone")), {"own:all"}),
        (make_story(BEES, role=Role.CLIPPINGS), {"tag:bees", "own:all", "query:clips"}),
        (make_story(role=Role.CLIPPINGS), {"own:all", "query:clips"}),
        (make_story(BEES, role=Role.CLIPPINGS, link=None), set()),
        (make_story(BEES, link=None), {"tag:bees", "own:all"}),
        (make_story(CLIPPED), {"tag:bees", "own:all", "query:clips"}),
        (with_dates(make_story(), pruned_at=NOW), set()),
        (make_story(copies=(*make_story(NEAR).copies, *make_story(BEES).copies)), {"tag:bees", "own:all"}),
    ],
)  # fmt: skip
def test_channels_of_a_story(story, channels):
    assert RULES.channels(story) == channels


def test_only_the_own_channels_of_the_settings_exist():
    config = replace(CONFIG, publish=replace(CONFIG.publish, also=("all",)))
    assert PlacementRules(VOCABULARY, config).channels(make_story(NEAR)) == {"own:all"}
    assert expected_channels(VOCABULARY, config) == {
        "tag:bees": (ChannelKind.TAG, "Bees"),
        "tag:wax": (ChannelKind.TAG, "Wax"),
        "query:honey": (ChannelKind.QUERY, "Honey"),
        "query:clips": (ChannelKind.QUERY, "Clips"),
        "query:waxed": (ChannelKind.QUERY, "Waxed"),
        "own:all": (ChannelKind.OWN, "all"),
    }
    assert channel_key(ChannelKind.TAG, "Bien_Commun") == "tag:bien commun"


@pytest.mark.parametrize(
    ("query", "is_true"),
    [
        ("bees", True), ("wax", False), ("tag:BEES", True),
        ("lang:fr", True), ("lang:fr-ca", True), ("lang:en", False),
        ("source:hive", True), ("source:f", True), ("source:other", False),
        ("title:ruche", True), ("title:ruc", False), ("title:miel", False),
        ("text:miel", True), ("text:ruche", True), ("text:rouge", False),
        ("category:label", True), ("category:term", False), ("category:lab", False),
        ("category:only", True),
        ("author:ann", True), ("author:bob", False),
        ("is:clipped", False),
    ],
)  # fmt: skip
def test_query_terms(query, is_true):
    story = make_story(
        BEES,
        replace(NEAR, tag="wax"),
        title="La ruche, bleue",
        text="Du miel.",
        language="fr-BE",
        categories=(Category("term", None, "Label"), Category("only")),
        authors=(Author("Annie"),),
    )
    matcher = QueryMatcher(VOCABULARY, CONFIG.subscriptions)
    assert matcher.matches(parse_query(query), story) is is_true


def test_query_names_an_unknown_tag():
    feeds = [CombinedFeed("Q", 'bees OR "waxx" title:nothing')]
    assert unknown_tags(VOCABULARY, feeds) == ['[[feeds]] "Q": unknown tag "waxx" (column 9)']


@pytest.mark.parametrize(
    ("story", "late"),
    [
        (make_story(BEES), False),
        (make_story(BEES, ever_published=True), True),
        (with_dates(make_story(BEES), came_with_feed=True), True),
        (make_story(BEES, published=NOW - 30 * DAY), False),
        (make_story(BEES, published=NOW - 30 * DAY - timedelta(seconds=1)), True),
        (make_story(BEES, updated=NOW - 31 * DAY), True),
        (make_story(BEES, published=NOW, updated=NOW - 31 * DAY), False),
        (make_story(BEES, ever_published=True, role=Role.CLIPPINGS), False),
        (make_story(copies=(*make_story(BEES, published=NOW - 31 * DAY).copies, *make_story().copies)), False),
    ],
)  # fmt: skip
def test_story_is_late_if_it_is_old_in_every_copy(story, late):
    assert place(story, frozenset(), RULES).late is late


def test_story_enters_and_leaves_channels_but_stays_in_ended_ones():
    current = frozenset({"own:all", "own:unmatched", "tag:ended"})
    change = place(make_story(BEES), current, RULES)
    assert (set(change.enters), set(change.leaves)) == ({"tag:bees"}, {"own:unmatched"})
    assert (change.story, change.id, change.date) == (1, "urn:1", NOW)


@pytest.mark.parametrize(
    "story", [make_story(copies=()), with_dates(make_story(NEAR), pruned_at=NOW)]
)
def test_deleted_or_pruned_story_leaves_every_channel(story):
    current = frozenset({"own:all", "tag:ended"})
    change = place(story, current, RULES)
    assert (change.enters, change.leaves, change.late) == (frozenset(), current, True)


def test_live_feeds_get_all_news_and_the_newest_late_stories():
    def change(row, days, *enters, late=True):
        return MembershipChange(row, f"urn:{row}", NOW - days * DAY, late, frozenset(enters), frozenset())  # fmt: skip

    changes = [
        change(1, 0, "a", "b", late=False),
        change(2, 5, "a"),
        change(3, 4, "a", "b"),
        change(4, 3, "a"),
        change(6, 9, "b"),
        change(5, 9, "b"),  # as old as 6, so that the id decides
    ]
    live = {("a", 1), ("b", 1)}
    assert choose_live(changes, 0) == live
    assert choose_live(changes, 2) == live | {("a", 4), ("a", 3), ("b", 3), ("b", 5)}
