"""Which tags an entry belongs to, and the evidence for them."""

import time
from dataclasses import replace

import pytest

from aggregator.model import (
    Category,
    Clipping,
    Decision,
    Evidence,
    EvidenceKind,
    Role,
    TagSettings,
)
from tests.harness import subscription
from tests.match.samples import (
    BEES,
    BIKES,
    FEED,
    NOW,
    UNNAMED,
    french,
    make_clippings,
    make_matcher,
    make_stored,
    train_matcher,
)


def tags_of(matches):
    return [match.tag for match in matches]


def test_name_in_the_title_matches():
    (match,) = make_matcher("Communs").match(make_stored("Les communs"))
    (evidence,) = match.evidence
    assert (evidence.kind, evidence.detail, evidence.where) == (
        EvidenceKind.PHRASE,
        "communs",
        "title",
    )


def test_one_mention_in_a_long_body_does_not_match():
    text = "x " * 400 + "communs"
    assert make_matcher("Communs").match(make_stored("Title", text)) == ()
    assert tags_of(make_matcher("Communs").score(make_stored("Title", text))) == ["communs"]


def test_threshold_of_the_settings_is_used():
    text = "x " * 400 + "communs"
    easy = make_matcher(settings=[TagSettings("Communs", threshold=0.1)])
    assert tags_of(easy.match(make_stored("Title", text))) == ["communs"]


def test_mentions_in_the_body_add_up():
    (scored,) = make_matcher("Communs").score(make_stored("T", "x " * 400 + "communs " * 6))
    assert scored.evidence[0].detail == "communs ×6"
    assert 0.4 < scored.score < 0.55
    (match,) = make_matcher("Communs_urbains").match(
        make_stored("T", "x " * 400 + "communs urbains " * 6)
    )
    assert match.score > 0.7  # two words together say more than one


def test_category_matches_by_label_or_term():
    entry = make_stored(categories=(Category("c1", None, "LES COMMUNS"), Category("les_communs")))
    (match,) = make_matcher("Les_communs").match(entry)
    assert [e.kind for e in match.evidence] == [EvidenceKind.CATEGORY]


def test_clipped_link_matches():
    clipping = Clipping("Kept", "http://www.a.example/p/", "", ("Gand", "P2P"))
    matches = make_matcher(clippings=[clipping]).match(make_stored("Unrelated", page="a.example/p"))
    assert tags_of(matches) == ["gand", "p2p"]
    assert matches[0].evidence[0].detail == "Kept"
    assert matches[0].score == 1.0


def test_clipping_has_only_the_tags_of_its_reader():
    clipping = Clipping("Kept", "https://a.example/p", "", ("Gand",))
    entry = make_stored("Communs à Gand", page="a.example/p", role=Role.CLIPPINGS)
    assert tags_of(make_matcher("Communs", clippings=[clipping]).match(entry)) == ["gand"]


def test_tag_of_the_subscription_matches():
    matches = make_matcher(subscriptions=[subscription(FEED, tags=("Gand",))]).match(
        make_stored("T")
    )
    assert tags_of(matches) == ["gand"]
    assert matches[0].evidence[0].kind is EvidenceKind.SUBSCRIPTION


@pytest.mark.parametrize(("title", "text"), [("A biens  communs", ""), ("T", "x BIEN commun y")])
def test_rule_of_the_settings_matches(title, text):
    settings = [TagSettings("Communs", match=(r"biens?\s+communs?",))]
    (match,) = [
        m
        for m in make_matcher(settings=settings).match(make_stored(title, text))
        if m.tag == "communs"
    ]
    assert EvidenceKind.RULE in [e.kind for e in match.evidence]


def test_broader_tags_match_too():
    settings = [
        TagSettings("Vélos", broader=("Transports",)),
        TagSettings("Transports", broader=("Climat", "Vélos")),  # a circle ends
    ]
    matches = {m.tag: m for m in make_matcher(settings=settings).match(make_stored("Les vélos"))}
    assert set(matches) == {"velos", "transports", "climat"}
    assert matches["climat"].evidence[-1].kind is EvidenceKind.NARROWER
    assert matches["climat"].evidence[-1].detail in {"Vélos", "Transports"}
    assert tags_of(make_matcher(settings=settings).match(make_stored("Le climat"))) == ["climat"]


def test_tag_with_a_path_is_named_by_its_last_part():
    matcher = make_matcher("economy", "economy/commons")
    assert tags_of(matcher.match(make_stored("About commons"))) == ["economy", "economy/commons"]
    assert tags_of(matcher.match(make_stored("The economy"))) == ["economy"]
    assert tags_of(make_matcher("a/commons", "commons").match(make_stored("About commons"))) == [
        "commons"
    ]


def test_no_evidence_gives_no_match():
    assert make_matcher("Communs").score(make_stored("Tomates", "Une recette")) == ()


def test_near_misses_are_given_only_without_matches():
    """Only where nothing belongs."""
    matches = make_matcher("Communs").match(make_stored("T", "les communs"))
    assert [(match.tag, match.near) for match in matches] == [("communs", True)]
    matches = make_matcher("Communs", "P2P").match(make_stored("P2P", "les communs"))
    assert [(match.tag, match.near) for match in matches] == [("p2p", False)]


def test_names_and_rules_match_without_clippings():
    matcher = train_matcher([], [TagSettings("Communs", match=("fab ?lab",))])
    assert [m.tag for m in matcher.match(french("Les communs"))] == ["communs"]
    assert [m.tag for m in matcher.match(french("Un fablab"))] == ["communs"]


@pytest.mark.parametrize("name", ["🌱", "开源", "Ελλάδα", "C++", "l’eau"])
def test_name_in_any_script_matches(name):
    matcher = train_matcher([Clipping("T", None, "", (name,))])
    (match,) = matcher.match(french(f"Hier {name} demain", language=None))
    assert match.evidence[0].kind is EvidenceKind.PHRASE


def test_rejected_tag_adds_no_broader_tag():
    settings = [TagSettings("Commons", broader=("Economy",)), TagSettings("Economy")]
    entry = french("The commons", row=7)
    no = [Decision(7, entry.entry, "commons", confirmed=False)]
    assert {match.tag for match in train_matcher([], settings).match(entry)} == {
        "commons",
        "economy",
    }
    assert not [m for m in train_matcher([], settings, no).match(entry) if not m.near]


def test_decision_holds_when_its_tag_becomes_an_alias():
    settings = [TagSettings("Communs", aliases=("Commons",))]
    entry = french("The commons", row=7)
    no = [Decision(7, entry.entry, "commons", confirmed=False)]
    assert train_matcher([], settings, no).match(entry) == ()


def test_broader_scores_do_not_depend_on_tag_names():
    scores = []
    for name in ("Alpha", "Zeta"):
        settings = [TagSettings(name, broader=("Beta",)), TagSettings("Beta", broader=("Gamma",))]
        matches = train_matcher([], settings).match(french(f"{name} and Beta"))
        scores.append({m.score for m in matches if m.tag == "gamma"})
    assert scores[0] == scores[1]


def test_match_all_gives_the_same_as_match():
    matcher = train_matcher(make_clippings(), [TagSettings("Apiculture", recall="high")])
    entries = [french(title, text) for title, text in BEES + BIKES] + [UNNAMED, french("", "")]
    together = [matches for _, matches in matcher.match_all(entries)]
    assert together == [matcher.match(entry) for entry in entries]
    assert any(together)


def test_megabyte_of_text_is_matched_in_bounded_time():
    matcher = train_matcher(make_clippings())
    began = time.process_time()
    for text in ("abeille " * 130_000, "a@" * 500_000, "x" * 1_000_000, "\u0301" * 1_000_000):
        matcher.match(french("Long", text))
    assert time.process_time() - began < 20  # seconds; it would be hours if it grew with the square


def test_fifty_thousand_tags_match():
    settings = [TagSettings(f"tag numero{number}") for number in range(50_000)]
    (match,) = train_matcher([], settings).match(french("Le tag numero777 est là"))
    assert match.tag == "tag numero777"


def test_feed_footer_mentions_no_tag():
    matcher = train_matcher([], [TagSettings("Commons")])
    assert matcher.match(french("Bees", "Honey.\nThe post Bees appeared first on Commons.")) == ()
    assert matcher.score(french("Bees", "Honey.\nThe commons."))


def test_threshold_depends_on_settings_and_clippings():
    settings = [TagSettings("Apiculture", recall="high"), TagSettings("Mécanique", threshold=0.42)]
    matcher = train_matcher(make_clippings(), settings)
    assert matcher.threshold("mecanique") == 0.42
    assert matcher.threshold("apiculture") < train_matcher(make_clippings()).threshold("apiculture")
    assert train_matcher(make_clippings(1, 1)).threshold("apiculture") < train_matcher(
        make_clippings()
    ).threshold("apiculture")


def test_entry_without_tag_name_matches_by_its_words():
    best, *_ = train_matcher(make_clippings(), [TagSettings("Apiculture", recall="high")]).match(
        UNNAMED
    )
    assert best.tag == "apiculture"
    (evidence,) = best.evidence
    assert evidence.kind is EvidenceKind.SIMILAR
    assert {"apiculteur", "abeilles"} & set(evidence.detail.split(", "))
    assert any(title in evidence.where for title, _ in BEES)


def test_words_of_one_tag_do_not_count_for_another():
    scores = {m.tag: m.score for m in train_matcher(make_clippings()).score(UNNAMED)}
    assert scores["apiculture"] > 5 * scores.get("mecanique", 0.0)


def test_one_clipping_is_enough_for_similarity():
    (match,) = train_matcher(make_clippings(1, 1)).score(
        french(
            "Au rucher", "L'apiculteur et les abeilles récoltent le miel du colza, au printemps."
        )
    )
    assert match.tag == "apiculture"
    assert match.evidence[0].where == "Le miel de printemps"


def test_unknown_language_matches_by_words():
    text = "Qorqmazo vindelu astripen kolmava dretti."
    matcher = train_matcher([Clipping("Zzq", None, text, ("Xyz",)), *make_clippings()])
    scores = {m.tag: m.score for m in matcher.score(french("Vindelu", text, language="tlh"))}
    assert scores["xyz"] > 0.1


UNTRAINED = [TagSettings("Communs", match=("fab ?lab",))]


@pytest.mark.parametrize(
    ("fields", "score"),
    [
        ({"title": "Les communs"}, 0.6),
        ({"text": "Les communs"}, 0.4),
        ({"title": "x", "text": "x " * 400 + "communs"}, 0.2),
        ({"title": "Un fablab"}, 0.9),
        ({"categories": (Category("communs"),)}, 0.9),
        ({"title": "Un fablab", "categories": (Category("communs"),)}, 0.99),
        ({"title": "Communs", "text": "Les communs"}, 0.76),  # 1 - 0.4 * 0.6
    ],
)
def test_score_of_an_untrained_tag_combines_its_evidence(fields, score):
    (match,) = make_matcher(settings=UNTRAINED).score(make_stored(**fields))
    assert match.score == score


def test_threshold_of_an_untrained_tag_needs_a_name_in_the_title():
    matcher = make_matcher(settings=UNTRAINED)
    assert matcher.threshold("communs") == 0.55
    assert matcher.threshold("communs", 0.25) == 0.25
    high = make_matcher(settings=[TagSettings("Communs", recall="high")])
    assert high.threshold("communs") == 0.25


@pytest.mark.parametrize(("threshold", "is_near"), [(0.66, True), (0.67, False)])
def test_near_miss_has_at_least_60_percent_of_the_threshold(threshold, is_near):
    matcher = make_matcher(settings=[TagSettings("Communs", threshold=threshold)])
    matches = matcher.match(make_stored("T", "les communs"))  # 0.4
    assert [match.near for match in matches] == [True] * is_near


def test_broader_tag_has_the_score_of_its_narrower_tag():
    settings = [TagSettings("Communs", broader=("Économie",))]
    narrower, broader = make_matcher(settings=settings).match(make_stored("Les communs"))
    assert (narrower.tag, narrower.score) == ("communs", 0.6)
    assert (broader.tag, broader.score) == ("economie", 0.6)
    assert broader.evidence == (Evidence(EvidenceKind.NARROWER, "Communs", "tag", 0.6),)


def test_broader_tag_keeps_its_own_evidence_below_its_threshold():
    settings = [TagSettings("Communs", broader=("Économie",))]
    matches = make_matcher(settings=settings).match(make_stored("Les communs", "L'économie"))
    assert [(match.tag, match.score) for match in matches] == [("economie", 0.76), ("communs", 0.6)]
    kinds = [evidence.kind for evidence in matches[0].evidence]
    assert kinds == [EvidenceKind.PHRASE, EvidenceKind.NARROWER]  # 1 - (1 - 0.4) * (1 - 0.6)


def test_matches_are_sorted_by_score_and_key():
    settings = [TagSettings("A"), TagSettings("B", match=("x",)), TagSettings("C", match=("x",))]
    matches = make_matcher(settings=settings).match(make_stored("A x"))
    assert [(match.tag, match.score) for match in matches] == [("b", 0.9), ("c", 0.9), ("a", 0.6)]


def test_score_equal_to_the_threshold_is_enough():
    settings = [TagSettings("Communs", threshold=1.0)]
    (near,) = make_matcher(settings=settings).match(make_stored("Les communs"))  # 60 % of it
    assert near.near
    subscriptions = [subscription(FEED, tags=("Communs",))]
    matcher = make_matcher(settings=settings, subscriptions=subscriptions)
    (match,) = matcher.match(make_stored("T"))
    assert (match.score, match.near) == (1.0, False)


def test_scores_and_weights_have_four_digits():
    matcher = train_matcher(make_clippings(), [TagSettings("Apiculture", broader=("Nature",))])
    decimals = [match.score for match in matcher.score(UNNAMED)]
    decimals += [e.weight for match in matcher.score(UNNAMED) for e in match.evidence]
    (probabilities,) = matcher.probabilities([UNNAMED.entry])
    decimals += probabilities.values()
    assert decimals == [round(number, 4) for number in decimals]
    assert probabilities["apiculture"] > 0.1


def test_model_does_not_count_without_a_reason():
    """Here the nearest clippings share too little with the entry to be named."""
    clippings = [
        Clipping(f"t{n} " + " ".join(f"w{n}x{i}" for i in range(30)), None, "", ("Bees",))
        for n in range(4)
    ]
    matcher = train_matcher(clippings, [TagSettings("Bees", match=("tomatoes",), recall="high")])
    (scored,) = matcher.score(make_stored("Tomatoes"))
    assert [e.kind for e in scored.evidence] == [EvidenceKind.RULE]
    (probabilities,) = matcher.probabilities([make_stored("Tomatoes").entry])
    assert probabilities["bees"] > 0.05  # by the prior alone
    assert scored.score == 0.9


def test_pruned_entry_matches_only_by_decision_and_link():
    entry = replace(make_stored("Les communs", page="a.example/p"), pruned_at=NOW)
    assert make_matcher("Communs").match(entry) == ()
    clipping = Clipping("Kept", "https://a.example/p", "", ("Gand",))
    assert tags_of(make_matcher("Communs", clippings=[clipping]).match(entry)) == ["gand"]


def test_evidence_of_similar_words_names_at_most_four_words_and_two_clippings():
    text = " ".join(text for _, text in BEES)
    best, *_ = train_matcher(make_clippings()).score(french("Rucher", text))
    (evidence,) = (e for e in best.evidence if e.kind is EvidenceKind.SIMILAR)
    assert len(evidence.detail.split(", ")) == 4
    assert len(evidence.where.split(" / ")) == 2
