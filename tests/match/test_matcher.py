from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.match import build_vocabulary
from aggregator.match.matcher import Matcher
from aggregator.match.phrases import PhraseIndex
from aggregator.match.tokens import read_words
from aggregator.model import (
    Category,
    Clipping,
    Entry,
    EvidenceKind,
    Feed,
    Role,
    StoredEntry,
    TagSettings,
)
from aggregator.text.folding import fold
from tests.harness import subscription

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FEED = "https://a.example/feed"


def stored(title="", text="", role=Role.SUBSCRIPTION, feed_url=FEED, **fields):
    entry = Entry(key="k", id="urn:x", title=title, text=text, **fields)
    return StoredEntry(1, feed_url, Feed("urn:f", "F"), role, entry, NOW, NOW)


def vocabulary(*tags, settings=(), subscriptions=()):
    clippings = [Clipping("T", None, "", (tag,)) for tag in tags]
    return build_vocabulary(clippings, settings, subscriptions)


def matcher(*tags, settings=(), clippings=(), subscriptions=()):
    clippings = [*clippings, *(Clipping("T", None, "", (tag,)) for tag in tags)]
    built = build_vocabulary(clippings, settings, subscriptions)
    return Matcher(built, clippings, subscriptions)


def surfaces(tag, text):
    """How ``text`` spells the tag, wherever it does."""
    words = read_words(text)
    found = PhraseIndex(vocabulary(tag).names).find(words, "")
    return [words.surface(f.start, f.word_count) if f.word_count else tag for f in found]


def tags_of(matches):
    return [match.tag for match in matches]


def test_spellings_join_and_the_commonest_is_shown():
    (tag,) = vocabulary("communs", "Communs", "Communs", "COMMUNS").tags
    assert (tag.name, tag.key, tag.clippings) == ("Communs", "communs", 4)


def test_of_equal_spellings_the_first_is_shown():
    assert vocabulary("communs", "Communs").tags[0].name == "communs"


def test_aliases_join_synonyms_and_settings_name_the_tag():
    built = vocabulary(
        "P2P", "Peer-to-peer", settings=[TagSettings("Pair_à_pair", ("P2P", "peer to peer"))]
    )
    (tag,) = built.tags
    assert (tag.name, tag.clippings) == ("Pair_à_pair", 2)
    assert tag.phrases == ("p2p", "pair a pair", "peer to peer")
    assert built.key("PEER_TO_PEER") == "pair a pair"


def test_tags_of_subscriptions_are_tags_too():
    built = vocabulary(subscriptions=[subscription(FEED, tags=("Gand",))])
    assert [tag.name for tag in built.tags] == ["Gand"]


def test_the_fingerprint_tells_what_could_change_a_match():
    base = vocabulary("Communs").fingerprint
    assert base == vocabulary("Communs").fingerprint
    others = {
        vocabulary("Communs", "P2P").fingerprint,
        vocabulary("Communs", settings=[TagSettings("Communs", ("commons",))]).fingerprint,
        vocabulary("Communs", settings=[TagSettings("Communs", threshold=0.9)]).fingerprint,
        vocabulary("Communs", subscriptions=[subscription(FEED, tags=("Communs",))]).fingerprint,
    }
    assert len(others | {base}) == 5


@pytest.mark.parametrize(
    ("tag", "text", "surface"),
    [
        ("Communs", "Les communs urbains", "communs"),
        ("Pair_à_pair", "une économie PAIR-À-PAIR", "PAIR-À-PAIR"),
        ("Pair_à_pair", "pair a pair", "pair a pair"),
        ("P2P", "(p2p)", "p2p"),
        ("Économie", "l’économie,", "économie"),
        ("Éric_Sadin", "d'E\u0301ric Sadin", "Éric Sadin"),
        ("Licence_(juridique)", "la licence juridique", "licence juridique"),
        ("economy/commons", "economy, commons", "economy, commons"),
        ("共有", "共有 is a word", "共有"),
        ("🌱", "a 🌱 grows", "🌱"),
        ("C#", "in C# and c, not d", "C#"),
        ("c++", "C++!", "C++"),
        ("开源", "我们喜欢开源软件。", "开源"),
    ],
)
def test_phrases_are_found_whatever_their_spelling(tag, text, surface):
    assert surfaces(tag, text) == [surface]


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("ios", "curiosity"),
        ("commons", "see https://example.org/commons/x and www.commons.example"),
        ("commons", "write to commons@example.org"),
        ("commons", "WWW.commons.example or Www.commons.example"),
        ("commons", "HTTPS://commons.example/commons"),
        ("Pair_à_pair", "une paire à paire"),
    ],
)
def test_only_whole_words_and_never_inside_addresses(tag, text):
    assert surfaces(tag, text) == []


def test_the_longest_phrase_wins():
    names = vocabulary("Communs", "Communs_urbains").names
    found = PhraseIndex(names).find(read_words("communs urbains, communs"), "")
    assert [f.key for f in found] == ["communs urbains", "communs"]


@pytest.mark.parametrize(
    ("tag", "language", "text"),
    [
        ("commun", "fr", "Les communs"),
        ("Coopératives", "fr", "une coopérative"),
        ("commons", "en", "a common"),
        ("Cooperatives", "en-GB", "the cooperative"),
        ("Genossenschaft", "de", "viele Genossenschaften"),
    ],
)
def test_another_form_of_a_name_is_found_as_such(tag, language, text):
    mentions = PhraseIndex({tag: "t"}).mentions(
        read_words(""), read_words(text), language.partition("-")[0]
    )
    assert (mentions["t"].inflected, mentions["t"].count) == (True, 0)


@pytest.mark.parametrize(
    ("text", "exact"),
    [("chez SMart", True), ("CHEZ SMART", True), ("a smart city", False), ("Smart", False)],
)
def test_a_short_acronym_in_other_case_may_be_a_common_word(text, exact):
    (found,) = PhraseIndex({"SMart": "smart"}).find(read_words(text), "")
    assert found.is_exact is exact


def test_a_name_in_a_phrase_of_its_not_list_is_not_meant():
    phrases = PhraseIndex({"Communs": "communs", "Lieux": "lieux"}, {"communs": ("lieux communs",)})
    found = phrases.find(read_words("Des lieux communs, des communs"), "")
    assert [(f.key, f.start) for f in found] == [("lieux", 1), ("communs", 4)]


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_a_name_is_found_between_other_words(name):
    found = PhraseIndex(vocabulary(name).names).find(read_words(f"« {name} »"), "")
    assert any(one.key == fold(name) for one in found)


def test_a_word_in_the_title_is_enough():
    (match,) = matcher("Communs").match(stored("Les communs"))
    (evidence,) = match.evidence
    assert (evidence.kind, evidence.detail, evidence.where) == (
        EvidenceKind.PHRASE,
        "communs",
        "title",
    )


def test_one_word_far_down_a_text_is_not():
    text = "x " * 400 + "communs"
    assert matcher("Communs").match(stored("Title", text)) == ()
    assert tags_of(matcher("Communs").score(stored("Title", text))) == ["communs"]


def test_a_threshold_of_its_own():
    text = "x " * 400 + "communs"
    easy = matcher(settings=[TagSettings("Communs", threshold=0.1)])
    assert tags_of(easy.match(stored("Title", text))) == ["communs"]


def test_mentions_add_up_and_are_counted():
    (scored,) = matcher("Communs").score(stored("T", "x " * 400 + "communs " * 6))
    assert scored.evidence[0].detail == "communs ×6"
    assert 0.4 < scored.score < 0.55
    (match,) = matcher("Communs_urbains").match(stored("T", "x " * 400 + "communs urbains " * 6))
    assert match.score > 0.7  # two words together say more than one


def test_category_label_or_term_in_any_spelling():
    entry = stored(categories=(Category("c1", None, "LES COMMUNS"), Category("les_communs")))
    (match,) = matcher("Les_communs").match(entry)
    assert [e.kind for e in match.evidence] == [EvidenceKind.CATEGORY]


def test_clipped():
    clipping = Clipping("Kept", "http://www.a.example/p/", "", ("Gand", "P2P"))
    matches = matcher(clippings=[clipping]).match(stored("Unrelated", page="a.example/p"))
    assert tags_of(matches) == ["gand", "p2p"]
    assert matches[0].evidence[0].detail == "Kept"
    assert matches[0].score == 1.0


def test_a_clipping_belongs_to_the_tags_its_reader_gave_and_no_others():
    clipping = Clipping("Kept", "https://a.example/p", "", ("Gand",))
    entry = stored("Communs à Gand", page="a.example/p", role=Role.CLIPPINGS)
    assert tags_of(matcher("Communs", clippings=[clipping]).match(entry)) == ["gand"]


def test_everything_of_a_tagged_subscription():
    matches = matcher(subscriptions=[subscription(FEED, tags=("Gand",))]).match(stored("T"))
    assert tags_of(matches) == ["gand"]
    assert matches[0].evidence[0].kind is EvidenceKind.SUBSCRIPTION


@pytest.mark.parametrize(("title", "text"), [("A biens  communs", ""), ("T", "x BIEN commun y")])
def test_a_rule_of_feeds_toml(title, text):
    settings = [TagSettings("Communs", match=(r"biens?\s+communs?",))]
    (match,) = [
        m for m in matcher(settings=settings).match(stored(title, text)) if m.tag == "communs"
    ]
    assert EvidenceKind.RULE in [e.kind for e in match.evidence]


def test_what_belongs_to_a_tag_belongs_to_those_above_it():
    settings = [
        TagSettings("Vélos", broader=("Transports",)),
        TagSettings("Transports", broader=("Climat", "Vélos")),  # a circle ends
    ]
    found = {m.tag: m for m in matcher(settings=settings).match(stored("Les vélos"))}
    assert set(found) == {"velos", "transports", "climat"}
    assert found["climat"].evidence[-1].kind is EvidenceKind.NARROWER
    assert found["climat"].evidence[-1].detail in {"Vélos", "Transports"}
    assert tags_of(matcher(settings=settings).match(stored("Le climat"))) == ["climat"]


def test_tags_with_a_path():
    known = matcher("economy", "economy/commons")
    assert tags_of(known.match(stored("About commons"))) == ["economy", "economy/commons"]
    assert tags_of(known.match(stored("The economy"))) == ["economy"]
    assert tags_of(matcher("a/commons", "commons").match(stored("About commons"))) == ["commons"]


def test_no_evidence_no_match():
    assert matcher("Communs").score(stored("Tomates", "Une recette")) == ()


def test_what_nearly_belongs_to_a_tag_is_known_as_such():
    """Only where nothing belongs."""
    found = matcher("Communs").match(stored("T", "les communs"))
    assert [(match.tag, match.near) for match in found] == [("communs", True)]
    found = matcher("Communs", "P2P").match(stored("P2P", "les communs"))
    assert [(match.tag, match.near) for match in found] == [("p2p", False)]
