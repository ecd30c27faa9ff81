"""Sparse arithmetic gives the same as dense arithmetic."""

import numpy as np
import pytest

from aggregator.match.sparse import (
    SparseRows,
    SparseVector,
    TermTagMatrix,
    normalize_rows,
    scale_to_unit_length,
)

DENSE = np.array(
    [[0.0, 2.0, 1.0], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 4.0]]
)  # (term, tag)
ROWS = np.array([[1.0, 0.0, 5.0, 2.0], [0.0, 0.0, 0.0, 0.0], [0.0, 7.0, 0.0, 0.5]])  # (row, term)


def sparse_matrix():
    terms, tags = np.nonzero(DENSE)
    return TermTagMatrix.from_triples([(terms, tags, DENSE[terms, tags])], DENSE.shape)


def sparse_rows():
    return SparseRows.from_vectors(
        [SparseVector(ids := np.flatnonzero(row), row[ids]) for row in ROWS]
    )


def dense(matrix):
    result = np.zeros(DENSE.shape)
    for term in range(len(DENSE)):
        at = slice(matrix.bounds[term], matrix.bounds[term + 1])
        result[term, matrix.tags[at]] = matrix.values[at]
    return result


def test_matrix_multiplies_as_a_dense_one():
    assert dense(sparse_matrix()) == pytest.approx(DENSE)
    assert sparse_matrix().multiply(sparse_rows(), 3) == pytest.approx(ROWS @ DENSE)


def test_triples_of_one_cell_are_added():
    triples = [
        (np.array([1, 1]), np.array([2, 2]), np.array([1.0, 2.0])),
        (np.array([1]), np.array([2]), np.array([4.0])),
    ]
    matrix = TermTagMatrix.from_triples(triples, (4, 3))
    assert (matrix.tags.tolist(), matrix.values.tolist()) == ([2], [7.0])
    assert matrix.bounds.tolist() == [0, 0, 1, 1, 1]


def test_common_terms_are_emptied():
    expected = DENSE.copy()
    expected[3] = 0
    assert dense(sparse_matrix().without_common_terms(2)) == pytest.approx(expected)
    assert dense(sparse_matrix().without_common_terms(3)) == pytest.approx(DENSE)


def test_rows_compute_as_dense_ones():
    vector = np.array([1.0, 2.0, 3.0, 4.0])
    assert sparse_rows().dot(vector) == pytest.approx(ROWS @ vector)
    assert sparse_rows().mean(4) == pytest.approx(ROWS.mean(0))
    assert sparse_rows().divide(vector).dot(vector) == pytest.approx((ROWS / vector) @ vector)


def test_no_rows():
    rows = SparseRows.from_vectors([])
    assert (rows.mean(2).tolist(), rows.dot(np.ones(2)).tolist()) == ([0, 0], [])


def test_rows_are_scaled_to_length_one_and_zeros_stay():
    scaled = scale_to_unit_length(np.array([0, 0, 2]), np.array([3.0, 4.0, 5.0]), 3)
    assert scaled.tolist() == [0.6, 0.8, 1.0]
    assert normalize_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0, 0]]
