"""Texts as vectors of their words."""

import numpy as np
import pytest

from aggregator.match.phrases import PhraseIndex
from aggregator.match.sparse import TermTagMatrix
from aggregator.match.term_statistics import build_lexicon
from aggregator.match.text_vectors import Lexicon, read_document
from tests.match.samples import BEES, BIKES, make_vocabulary


def test_title_counts_most_and_the_rest_least():
    lexicon = Lexicon(
        {"miel": 0, "ruche": 1, "colza": 2},
        np.ones(3),
        TermTagMatrix.from_triples((), (3, 0)),
        np.ones(0),
        np.zeros(0),
    )
    text = f"ruche {'de ' * 200} colza"
    (vector,) = lexicon.vectors([read_document("Miel", text, None)])
    weights = dict(zip(vector.ids.tolist(), vector.values.tolist(), strict=True))
    assert weights[0] > weights[1] > weights[2] > 0
    assert np.linalg.norm(vector.values) == pytest.approx(1)


def vector_of(title, text, *terms):
    """The value of each term in the vector; all terms are equally rare."""
    lexicon = Lexicon(
        {term: term_id for term_id, term in enumerate(terms)},
        np.ones(len(terms)),
        TermTagMatrix.from_triples((), (len(terms), 0)),
        np.ones(0),
        np.zeros(0),
    )
    (vector,) = lexicon.vectors([read_document(title, text, None)])
    values = dict(zip(vector.ids.tolist(), vector.values.tolist(), strict=True))
    return [values.get(term_id, 0.0) for term_id in range(len(terms))]


def words_at(**positions):
    """A text of function words with one word at each position."""
    words = ["de"] * (max(positions.values()) + 1)
    for word, position in positions.items():
        words[position] = word
    return " ".join(words)


def test_word_of_the_title_has_the_value_of_two_occurrences():
    title, text = vector_of("Miel", "Ruche", "miel", "ruche")
    assert title / text == pytest.approx(1 + np.log(2))


def test_head_is_the_first_hundred_words():
    first, second = vector_of("", words_at(miel=0, ruche=99), "miel", "ruche")
    assert first == pytest.approx(second)
    # Half of a vector is from the whole: (1, 1) / sqrt(2). Half is from the head: (1, 0).
    head, rest = vector_of("", words_at(miel=99, ruche=100), "miel", "ruche")
    assert head / rest == pytest.approx(1 + np.sqrt(2))


def test_text_ends_after_seven_hundred_words():
    assert vector_of("", words_at(miel=0, ruche=699), "miel", "ruche")[1] > 0
    assert vector_of("", words_at(miel=0, ruche=700), "miel", "ruche") == [1, 0]


def test_pair_does_not_reach_from_the_title_to_the_text():
    assert vector_of("Miel noir", "", "miel noir") == [1]
    assert vector_of("Miel", "noir", "miel noir") == [0]
    assert vector_of("", "miel de noir", "miel noir") == [0]


def test_vectors_do_not_depend_on_their_batch():
    documents = [read_document(title, text, "fr") for title, text in [*BEES, ("", ""), *BIKES]]
    lexicon = build_lexicon(
        make_vocabulary("Miel"), PhraseIndex({"Miel": "miel"}), documents, [], None
    )
    for vector, document in zip(lexicon.vectors(documents), documents, strict=True):
        (alone,) = lexicon.vectors([document])
        assert vector.ids.tolist() == alone.ids.tolist()
        assert vector.values.tolist() == alone.values.tolist()
