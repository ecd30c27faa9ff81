import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.text.folding import fold


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Communs", "communs"),
        ("Michel_Bauwens", "MIchel Bauwens"),
        ("creative_commons", "Creative_Commons"),
        ("Peer-to-peer", "peer to_peer"),
        ("Économie", "economie"),
        ("Éric_Sadin", "E\u0301ric Sadin"),
        ("l’économie", "L'ECONOMIE"),
        ("ﬁn", "fin"),
        ("Straße", "STRASSE"),
    ],
)
def test_spellings_of_one_word_fold_alike(one, other):
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C#", "C++"),
        ("commun", "communs"),
        ("हिन्दी", "हनद"),
        ("economy/commons", "economy commons"),
    ],
)
def test_other_words_stay_other(one, other):
    assert fold(one) != fold(other)


@given(st.text())
def test_folding_is_idempotent(text):
    assert fold(fold(text)) == fold(text)
