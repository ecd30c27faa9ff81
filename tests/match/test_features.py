"""The features of a document and a tag."""

from math import log, sqrt

import numpy as np
import pytest

from aggregator.match.analysis import AnalyzedDocument
from aggregator.match.features import FEATURES, FeatureTable, compute_features, probability
from aggregator.match.phrases import Mentions
from aggregator.match.sparse import SparseVector, TermTagMatrix
from aggregator.match.tag_statistics import compute_statistics
from aggregator.match.text_vectors import Lexicon, read_document


def document(values, tags=(), mentions=None, overlap=None, meaning=()):
    """A document whose vector has these values of the terms 0, 1, ..."""
    ids = np.flatnonzero(values)
    vector = SparseVector(ids, np.array(values, float)[ids])
    words = read_document("", "", None, frozenset(tags))
    return AnalyzedDocument(words, vector, mentions or {}, overlap or {}, np.array(meaning, float))


def lexicon_of(term_count, tag_count, cooccurrence=()):
    matrix = TermTagMatrix.from_triples(cooccurrence, (term_count, tag_count))
    terms = {f"term{number}": number for number in range(term_count)}
    shares = np.full(tag_count, 0.01)
    return Lexicon(terms, np.ones(term_count), matrix, shares, np.zeros(0))


def features_of(table, tag, number=0):
    column = table.of_document(number, np.array([tag]))[:, 0].tolist()
    return dict(zip(FEATURES, column, strict=True))


CLIPPINGS = [
    document([1.0, 0.0, 0.0], {0}, {0: Mentions(title=True)}),
    document([0.6, 0.8, 0.0], {0, 1}, {0: Mentions(count=2), 1: Mentions(inflected=True)}),
    document([0.0, 0.0, 1.0], {1}, {0: Mentions(title=True)}),
]


def test_statistics_equal_those_of_dense_matrices():
    statistics = compute_statistics(CLIPPINGS, 3, 3)
    vectors = np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 0, 1]])
    tags = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0]])
    sums, mean = vectors.T @ tags, vectors.mean(0)
    scale = 1 + (vectors**2).sum(0)
    assert statistics.clipping_counts.tolist() == [2, 2, 0]
    assert statistics.clipping_total == 3
    assert statistics.mean == pytest.approx(mean)
    assert statistics.scale == pytest.approx(scale)
    weights = (sums - np.outer(mean, tags.sum(0))) / scale[:, None]
    assert statistics.norms == pytest.approx(np.linalg.norm(weights, axis=0))
    assert statistics.name_counts.tolist() == [3, 0, 0]  # inflected names do not count
    assert statistics.name_hits.tolist() == [2, 0, 0]


def test_clipping_without_words_is_no_clipping_of_its_tag():
    statistics = compute_statistics([document([0.0], {0})], 1, 1)
    assert (statistics.clipping_counts.tolist(), statistics.clipping_total) == ([0], 1)


def test_name_features():
    mentions = {0: Mentions(title=True, lead=True, count=3), 1: Mentions(inflected=True)}
    entry = document([1.0, 0.0, 0.0], (), mentions, {2: 0.5})
    table = compute_features([entry], lexicon_of(3, 3), compute_statistics(CLIPPINGS, 3, 3))
    exact, inflected, partial = (features_of(table, tag) for tag in range(3))
    assert (exact["title"], exact["lead"], exact["inflected"]) == (1, 1, 0)
    assert exact["count"] == pytest.approx(log(1 + 3))
    assert exact["support"] == pytest.approx(log((2 + 1) / (1 + 1)))  # two of three are right
    assert exact["rarity"] == pytest.approx(-log(0.01))
    assert (inflected["inflected"], inflected["support"], inflected["rarity"]) == (1, 0, 0)
    assert (partial["title_overlap"], partial["title"], exact["title_overlap"]) == (0.5, 0, 0)


def test_prior_is_one_in_twenty_without_clippings():
    table = compute_features([], lexicon_of(3, 3), compute_statistics([], 3, 3))
    assert table.log_prior == pytest.approx([log(1 / 20)] * 3)
    trained = compute_features([], lexicon_of(3, 3), compute_statistics(CLIPPINGS, 3, 3))
    assert trained.log_prior[0] == pytest.approx(log((2 + 1.5) / (3 + 30)))


def test_cooccurrence_is_a_z_score_over_all_tags():
    ids, tags = np.array([0, 1]), np.array([2, 2])
    lexicon = lexicon_of(3, 3, [(ids, tags, np.array([3.0, 9.0]))])
    entry = document([1.0, 0.0, 0.0])
    table = compute_features([entry], lexicon, compute_statistics(CLIPPINGS, 3, 3))
    # The products are (0, 0, 3): their mean is 1, their standard deviation sqrt(2).
    expected = [-1 / (sqrt(2) + 0.02), -1 / (sqrt(2) + 0.02), 2 / (sqrt(2) + 0.02)]
    assert table.z_scores["cooccurrence"][0] == pytest.approx(expected)


def test_words_compare_trained_tags_only():
    clippings = [document([1.0, 0.0], {0}), document([0.0, 1.0], {1})]
    table = compute_features(
        [document([1.0, 0.0])], lexicon_of(2, 3), compute_statistics(clippings, 3, 2)
    )
    words = table.z_scores["words"][0]
    # The weights of tag 0 are (1/2, -1/2) / 2, of length sqrt(1/8): the product is 1/sqrt(2).
    # That of tag 1 is the opposite, so the mean is 0 and the standard deviation 1/sqrt(2).
    score = sqrt(0.5) / (sqrt(0.5) + 0.02)
    assert words == pytest.approx([score, -score, 0])


def test_meaning_is_the_cosine_with_the_mean_of_the_clippings():
    clippings = [document([1.0], {0}, meaning=(1, 0)), document([1.0], {1}, meaning=(0, 1))]
    entry = document([1.0], meaning=(0.8, 0.6))
    table = compute_features([entry], lexicon_of(1, 2), compute_statistics(clippings, 2, 1))
    # The cosines are 0.8 and 0.6: the mean is 0.7, the standard deviation 0.1.
    assert table.z_scores["meaning"][0] == pytest.approx([0.1 / 0.12, -0.1 / 0.12])
    assert (
        "meaning"
        not in compute_features(
            [document([1.0])], lexicon_of(1, 2), compute_statistics(clippings, 2, 1)
        ).z_scores
    )


def test_log_odds_are_the_weighed_sum_of_all_features():
    table = FeatureTable(
        [{1: [1.0] * 7}, {}],
        {"cooccurrence": np.array([[1.0, 2.0], [3.0, 4.0]]), "words": np.ones((2, 2))},
        np.array([-1.0, -2.0]),
    )
    weights = np.arange(1.0, len(FEATURES) + 2)
    for number in range(2):
        rows = table.of_document(number, np.arange(2))  # (feature, tag)
        expected = weights[:-1] @ rows + weights[-1]
        assert table.log_odds(weights)[number] == pytest.approx(expected)
    assert table.log_odds(weights)[1, 0] == 8 * 3 + 9 * 1 + 11 * -1 + 12


def test_probability_is_limited_for_extreme_log_odds():
    assert probability(0.0) == 0.5
    assert probability(log(3)) == pytest.approx(0.75)
    assert 0 < probability(-1000.0) < 1e-12
