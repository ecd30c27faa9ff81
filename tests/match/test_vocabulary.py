"""The reader's tags."""

from dataclasses import replace

import pytest

from aggregator.match import build_vocabulary
from aggregator.model import Clipping, TagSettings
from tests.harness import subscription
from tests.match.samples import FEED, make_vocabulary


def test_spellings_join_under_the_commonest():
    (tag,) = make_vocabulary("communs", "Communs", "Communs", "COMMUNS").tags
    assert (tag.name, tag.key, tag.clippings) == ("Communs", "communs", 4)


def test_first_of_equally_common_spellings_is_shown():
    assert make_vocabulary("communs", "Communs").tags[0].name == "communs"


def test_aliases_join_tags_under_the_name_in_settings():
    built = make_vocabulary(
        "P2P", "Peer-to-peer", settings=[TagSettings("Pair_à_pair", ("P2P", "peer to peer"))]
    )
    (tag,) = built.tags
    assert (tag.name, tag.clippings) == ("Pair_à_pair", 2)
    assert tag.phrases == ("p2p", "pair a pair", "peer to peer")
    assert built.key("PEER_TO_PEER") == "pair a pair"


def test_subscription_tags_are_in_the_vocabulary():
    built = make_vocabulary(subscriptions=[subscription(FEED, tags=("Gand",))])
    assert [tag.name for tag in built.tags] == ["Gand"]


def test_fingerprint_changes_when_matches_may_change():
    base = make_vocabulary("Communs").fingerprint
    assert base == make_vocabulary("Communs").fingerprint
    others = {
        make_vocabulary("Communs", "P2P").fingerprint,
        make_vocabulary("Communs", settings=[TagSettings("Communs", ("commons",))]).fingerprint,
        make_vocabulary("Communs", settings=[TagSettings("Communs", threshold=0.9)]).fingerprint,
        make_vocabulary(
            "Communs", subscriptions=[subscription(FEED, tags=("Communs",))]
        ).fingerprint,
    }
    assert len(others | {base}) == 5


TWO_TAGS = [TagSettings("Communs"), TagSettings("Économie")]


@pytest.mark.parametrize(
    "change",
    [
        {"aliases": ("commons",)},
        {"match": ("biens?",)},
        {"threshold": 0.9},
        {"recall": "high"},
        {"excluded_phrases": ("lieux communs",)},
        {"broader": ("Économie",)},
    ],
)
def test_fingerprint_changes_with_each_setting_of_a_tag(change):
    settings = [TagSettings("Communs", **change), TWO_TAGS[1]]
    fingerprint = make_vocabulary(settings=TWO_TAGS).fingerprint
    assert make_vocabulary(settings=settings).fingerprint != fingerprint


def test_fingerprint_ignores_titles_and_the_order_of_clippings():
    shown = [TagSettings("Communs", title="The commons", description="All of them"), TWO_TAGS[1]]
    fingerprint = make_vocabulary(settings=TWO_TAGS).fingerprint
    assert make_vocabulary(settings=shown).fingerprint == fingerprint
    clippings = [Clipping("A", None, "", ("x",)), Clipping("B", None, "", ("y",))]
    forward, backward = (build_vocabulary(c, (), ()) for c in (clippings, clippings[::-1]))
    assert forward.fingerprint == backward.fingerprint


def test_fingerprint_changes_with_clippings_subscriptions_and_placement():
    clipping = Clipping("A", "https://a.example/", "x", ("t",))
    fingerprints = {
        build_vocabulary([changed], (), ()).fingerprint
        for changed in (
            clipping,
            replace(clipping, title="B"),
            replace(clipping, link=None),
            replace(clipping, excerpt="y"),
            replace(clipping, tags=("t", "T")),
        )
    }
    fingerprints.add(build_vocabulary([clipping], (), (), ["query"]).fingerprint)
    feed, other = (subscription(url, tags=("t",)) for url in (FEED, f"{FEED}/2"))
    fingerprints |= {build_vocabulary([clipping], (), [s]).fingerprint for s in (feed, other)}
    assert len(fingerprints) == 8
    untagged = build_vocabulary([clipping], (), [subscription(FEED)]).fingerprint
    assert untagged == build_vocabulary([clipping], (), ()).fingerprint


def test_settings_of_a_tag_are_kept():
    settings = TagSettings(
        "Communs", ("Commons",), ("rule",), "Title", "Text", 0.5, "high", ("lieux communs",)
    )
    (tag,) = build_vocabulary([], [settings], []).tags
    assert (tag.name, tag.aliases, tag.rules, tag.title) == (
        "Communs",
        ("Commons",),
        ("rule",),
        "Title",
    )
    assert (tag.description, tag.threshold, tag.recall) == ("Text", 0.5, "high")
    assert tag.excluded_phrases == ("lieux communs",)


def test_clipping_with_two_spellings_of_a_tag_counts_once():
    (tag,) = build_vocabulary([Clipping("T", None, "", ("Communs", "communs"))], (), ()).tags
    assert tag.clippings == 1


def test_broader_tags_are_nearest_first_and_end_in_a_circle():
    settings = [
        TagSettings("a/b", broader=("C",)),
        TagSettings("C", broader=("D",)),
        TagSettings("D", broader=("a/b", "A")),
    ]
    broader = {tag.key: tag.broader for tag in make_vocabulary(settings=settings).tags}
    assert broader == {
        "a": (),
        "a/b": ("c", "a", "d"),
        "c": ("d", "a/b", "a"),
        "d": ("a/b", "a", "c"),
    }


def test_last_part_of_a_path_names_the_tag_unless_it_is_another_tag():
    assert make_vocabulary("a/commons").names == {"a/commons": "a/commons", "commons": "a/commons"}
    assert make_vocabulary("a/commons", "Commons").names == {
        "a/commons": "a/commons",
        "Commons": "commons",
    }


def test_each_part_of_a_path_is_broader():
    broader = {tag.key: tag.broader for tag in make_vocabulary("a", "a/b", "a/b/c").tags}
    assert broader == {"a": (), "a/b": ("a",), "a/b/c": ("a/b", "a")}


def test_spelling_of_a_subscription_counts_only_without_clippings():
    tagged = [subscription(FEED, tags=("COMMUNS",)), subscription(f"{FEED}/2", tags=("COMMUNS",))]
    assert make_vocabulary("Communs", subscriptions=tagged).tags[0].name == "Communs"
    assert make_vocabulary(subscriptions=tagged).tags[0].name == "COMMUNS"


def test_fingerprint_changes_with_the_version_of_matching(monkeypatch):
    fingerprint = make_vocabulary("Communs").fingerprint
    monkeypatch.setattr("aggregator.match.vocabulary._VERSION", "next")
    assert make_vocabulary("Communs").fingerprint != fingerprint
