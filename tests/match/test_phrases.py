"""Names of tags in texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.match.phrases import PhraseIndex
from aggregator.match.tokens import read_words
from aggregator.text.folding import fold
from tests.match.samples import make_vocabulary


def surfaces(tag, text):
    """How ``text`` spells the tag, wherever it does."""
    words = read_words(text)
    matches = PhraseIndex(make_vocabulary(tag).names).find(words, "")
    return [words.surface(m.start, m.word_count) if m.word_count else tag for m in matches]


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
def test_phrase_is_found_in_any_spelling(tag, text, surface):
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
def test_phrase_is_not_found_inside_words_or_addresses(tag, text):
    assert surfaces(tag, text) == []


def test_longest_phrase_wins():
    names = make_vocabulary("Communs", "Communs_urbains").names
    matches = PhraseIndex(names).find(read_words("communs urbains, communs"), "")
    assert [m.key for m in matches] == ["communs urbains", "communs"]


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
def test_inflected_name_is_marked_as_inflected(tag, language, text):
    mentions = PhraseIndex({tag: "t"}).mentions(
        read_words(""), read_words(text), language.partition("-")[0]
    )
    assert (mentions["t"].inflected, mentions["t"].count) == (True, 0)


@pytest.mark.parametrize(
    ("text", "exact"),
    [("chez SMart", True), ("CHEZ SMART", True), ("a smart city", False), ("Smart", False)],
)
def test_short_acronym_in_another_case_is_not_exact(text, exact):
    (match,) = PhraseIndex({"SMart": "smart"}).find(read_words(text), "")
    assert match.is_exact is exact


def test_name_in_an_excluded_phrase_is_ignored():
    phrases = PhraseIndex({"Communs": "communs", "Lieux": "lieux"}, {"communs": ("lieux communs",)})
    matches = phrases.find(read_words("Des lieux communs, des communs"), "")
    assert [(m.key, m.start) for m in matches] == [("lieux", 1), ("communs", 4)]


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_any_name_is_found_between_other_words(name):
    matches = PhraseIndex(make_vocabulary(name).names).find(read_words(f"« {name} »"), "")
    assert any(match.key == fold(name) for match in matches)


def test_lead_is_the_first_fifty_words():
    for position, place in ((49, "lead"), (50, "body")):
        text = " ".join(["x"] * position + ["communs"])
        mentions = PhraseIndex({"communs": "c"}).mentions(read_words(""), read_words(text), "")
        assert (list(mentions["c"].places), mentions["c"].lead) == ([place], place == "lead")


def test_mentions_count_exact_matches_in_the_text_only():
    phrases = PhraseIndex({"commun": "c", "biens communs": "b"})
    title, text = read_words("Un commun"), read_words("Le commun, les communs, un commun")
    mentions = phrases.mentions(title, text, "fr")["c"]
    assert (mentions.title, mentions.lead, mentions.count, mentions.max_words) == (True, True, 2, 1)
    assert not mentions.inflected  # since others are exact
    assert [len(matches) for matches in mentions.places.values()] == [1, 3]
    assert phrases.mentions(title, read_words("des biens communs"), "fr")["b"].max_words == 2


@pytest.mark.parametrize(
    ("name", "text", "is_exact"),
    [("ABCDE", "abcde", False), ("ABCDEF", "abcdef", True), ("AB1", "ab1", True), ("A", "a", True)],
)
def test_acronym_has_two_to_five_letters(name, text, is_exact):
    (match,) = PhraseIndex({name: "k"}).find(read_words(text), "")
    assert match.is_exact is is_exact
