"""Sparse vectors and matrices over terms and tags, held in numpy arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Triples = tuple[Ints, Ints, Floats]  # (n,) term, (n,) tag, (n,) value


class SparseVector(NamedTuple):
    """A vector over the terms, of length one or empty."""

    ids: Ints  # (n,) the term of each value, ascending
    values: Floats  # (n,)


class SparseRows(NamedTuple):
    """A sparse matrix (row, term), one vector a row."""

    row_count: int
    row_ids: Ints  # (n,) the row of each value
    ids: Ints  # (n,) the term of each value
    values: Floats  # (n,)

    @classmethod
    def from_vectors(cls, vectors: Sequence[SparseVector]) -> "SparseRows":
        """Stack vectors, in their order."""
        lengths = np.array([len(vector.ids) for vector in vectors], np.int64)  # (row,)
        return cls(
            len(vectors),
            np.repeat(np.arange(len(vectors)), lengths),
            np.concatenate([np.zeros(0, np.int64), *(vector.ids for vector in vectors)]),
            np.concatenate([np.zeros(0), *(vector.values for vector in vectors)]),
        )

    def divide(self, divisors: Floats) -> "SparseRows":
        """Divide the values of each term by its divisor (term,)."""
        return self._replace(values=self.values / divisors[self.ids])

    def dot(self, dense: Floats) -> Floats:
        """The product (row,) of each row with a dense vector (term,)."""
        products = self.values * dense[self.ids]
        return np.bincount(self.row_ids, products, self.row_count).astype(np.float64)

    def mean(self, term_count: int) -> Floats:
        """The mean (term,) of the rows."""
        sums = np.bincount(self.ids, self.values, term_count).astype(np.float64)
        means: Floats = sums / max(self.row_count, 1)
        return means


class TermTagMatrix(NamedTuple):
    """A sparse matrix (term, tag), ordered by term as in the CSR format."""

    bounds: Ints  # (term + 1,) the values of term t are at bounds[t] to bounds[t + 1]
    tags: Ints  # (n,) the tag of each value
    values: Floats  # (n,)

    @classmethod
    def from_triples(cls, triples: Sequence[Triples], shape: tuple[int, int]) -> "TermTagMatrix":
        """Build from (term, tag, value) arrays. Values of the same cell are added up."""
        empty = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        terms, tags, values = map(np.concatenate, zip(empty, *triples, strict=True))
        cells, inverse = np.unique(terms * shape[1] + tags, return_inverse=True)
        sums = np.bincount(inverse, values, len(cells)).astype(np.float64)
        bounds = np.searchsorted(cells, np.arange(shape[0] + 1) * shape[1])
        return cls(bounds, cells % shape[1], sums)

    def without_common_terms(self, max_tags: int) -> "TermTagMatrix":
        """Empty the rows of terms that more than ``max_tags`` tags share."""
        lengths = np.diff(self.bounds)  # (term,)
        is_rare = lengths <= max_tags  # (term,)
        bounds = np.concatenate(([0], np.cumsum(np.where(is_rare, lengths, 0))))
        mask = np.repeat(is_rare, lengths)  # (n,)
        return TermTagMatrix(bounds, self.tags[mask], self.values[mask])

    def multiply(self, rows: SparseRows, tag_count: int) -> Floats:
        """The product (row, tag) of ``rows`` (row, term) with this matrix."""
        starts = self.bounds[rows.ids]  # for each value of rows: where its term begins here
        lengths = self.bounds[rows.ids + 1] - starts
        at = np.arange(lengths.sum()) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        cells = np.repeat(rows.row_ids * tag_count, lengths) + self.tags[at]
        products = self.values[at] * np.repeat(rows.values, lengths)
        product = np.bincount(cells, products, rows.row_count * tag_count)
        return product.astype(np.float64).reshape(rows.row_count, tag_count)


def scale_to_unit_length(row_ids: Ints, values: Floats, row_count: int) -> Floats:
    """Scale the rows of a sparse matrix to length one; ``row_ids`` are the rows of ``values``."""
    lengths = np.sqrt(np.bincount(row_ids, values * values, row_count))  # (row,)
    scaled: Floats = values / np.where(lengths > 0, lengths, 1)[row_ids]
    return scaled


def normalize_rows(rows: Floats) -> Floats:
    """Scale the rows of a dense matrix (row, column) to length one. Rows of zeros stay."""
    scaled: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return scaled
