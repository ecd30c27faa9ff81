import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.text.folding import fold


@pytest.mark.parametrize(
    ("first", "second"),
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
def test_spellings_of_one_word_fold_equally(first, second):
    assert fold(first) == fold(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("C#", "C++"),
        ("commun", "communs"),
        ("हिन्दी", "हनद"),
        ("economy/commons", "economy commons"),
    ],
)
def test_different_words_fold_differently(first, second):
    assert fold(first) != fold(second)


@given(st.text())
def test_folding_is_idempotent(text):
    assert fold(fold(text)) == fold(text)
