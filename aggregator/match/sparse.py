"""Sparse vectors and matrices of terms and tags."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_TAGS = 256  # that may share a word, beyond which it is not worth its time


class SparseVector(NamedTuple):
    """A sparse vector of unit length, or none: ``ids`` are terms."""

    ids: Ints
    values: Floats


class TermTagMatrix(NamedTuple):
    """A sparse matrix of terms x tags, by term: those of term t are at ``bounds[t:t+2]``."""

    bounds: Ints
    tags: Ints
    values: Floats

    @classmethod
    def of(
        cls, triples: Sequence[tuple[Ints, Ints, Floats]], size: tuple[int, int]
    ) -> "TermTagMatrix":
        """From triples, in which a pair may come more than once: those are added up."""
        nothing = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        terms, tags, values = map(np.concatenate, zip(nothing, *triples, strict=True))
        places, inverse = np.unique(terms * size[1] + tags, return_inverse=True)
        sums = np.bincount(inverse, values, len(places)).astype(np.float64)
        bounds = np.searchsorted(places, np.arange(size[0] + 1) * size[1])
        return cls(bounds, places % size[1], sums)

    def without_common_terms(self, most: int) -> "TermTagMatrix":
        """Without the terms that more than ``most`` tags have: they tell no tag from another."""
        lengths = np.diff(self.bounds)
        kept = lengths <= most
        bounds = np.concatenate(([0], np.cumsum(np.where(kept, lengths, 0))))
        held = np.repeat(kept, lengths)
        return TermTagMatrix(bounds, self.tags[held], self.values[held])

    def times(self, rows: "SparseRows", values: Floats, tags: int) -> Floats:
        """The product (row, tag) of ``rows``, with these values in it."""
        starts = self.bounds[rows.ids]
        lengths = self.bounds[rows.ids + 1] - starts
        total, size = int(lengths.sum()), rows.count * tags
        at = np.arange(total) + np.repeat(starts - np.cumsum(lengths) + lengths, lengths)
        places = np.repeat(rows.numbers * tags, lengths) + self.tags[at]
        product = np.bincount(places, self.values[at] * np.repeat(values, lengths), size)
        return product.astype(np.float64).reshape(rows.count, tags)


class SparseRows:
    """Several vectors as one: for each value its term in ``ids`` and its row in ``numbers``."""

    def __init__(self, vectors: Sequence[SparseVector]) -> None:
        self.count = len(vectors)
        self.ids = np.concatenate([vector.ids for vector in vectors])
        self.values = np.concatenate([vector.values for vector in vectors])
        self.numbers = np.repeat(np.arange(self.count), [len(vector.ids) for vector in vectors])

    def times(self, values: Floats, by_term: Floats) -> Floats:
        """The product of each row, with these values in it, with one vector of all terms."""
        return np.bincount(self.numbers, values * by_term[self.ids], self.count).astype(np.float64)


def unit_rows_dense(rows: Floats) -> Floats:
    units: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return units


def unit_rows(rows: Ints, values: Floats, count: int) -> Floats:
    """The rows of a sparse matrix made as long as one."""
    lengths = np.sqrt(np.bincount(rows, values * values, count))
    units: Floats = values / np.where(lengths > 0, lengths, 1)[rows]
    return units


def mean_vector(vectors: Sequence[SparseVector], terms: int) -> Floats:
    if not vectors:
        return np.zeros(terms)
    ids = np.concatenate([vector.ids for vector in vectors])
    values = np.concatenate([vector.values for vector in vectors])
    mean: Floats = np.bincount(ids, weights=values, minlength=terms) / len(vectors)
    return mean
