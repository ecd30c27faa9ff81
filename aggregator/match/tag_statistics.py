"""What the clippings of each tag have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aggregator.match.analysis import AnalyzedDocument
from aggregator.match.sparse import MOST_TAGS, Floats, TermTagMatrix, mean_vector

_NO_SPREAD = 1.0  # of a word's weights, added so that a word of one clipping is not all


@dataclass(frozen=True, slots=True)
class TagStatistics:
    """What some clippings say about the tags; arrays are by tag or by term.

    ``sums`` add up the vectors of each tag's clippings, ``taught`` counts them among ``clippings``.
    ``meaning`` is (tag, size) what they mean together, or of no size.
    ``mean`` is the mean vector of all, ``scale`` what a term is divided by, ``norms`` the lengths
    of the tags' weight vectors. ``stands`` counts the clippings in which the name stands, ``right``
    those of them that bear the tag.
    """

    sums: TermTagMatrix
    taught: Floats
    clippings: int
    mean: Floats
    scale: Floats
    norms: Floats
    stands: Floats
    right: Floats
    meaning: Floats


def compute_statistics(read: Sequence[AnalyzedDocument], tags: int, terms: int) -> TagStatistics:
    triples = [
        (one.vector.ids, np.full(len(one.vector.ids), tag), one.vector.values)
        for one in read
        for tag in sorted(one.tags)
    ]
    sums = TermTagMatrix.of(triples, (terms, tags)).without_common_terms(MOST_TAGS)
    taught, stands, right = np.zeros(tags), np.zeros(tags), np.zeros(tags)
    squares = np.full(terms, _NO_SPREAD)
    for one in read:
        squares[one.vector.ids] += one.vector.values**2
        for tag in one.tags:
            taught[tag] += len(one.vector.ids) > 0
        for tag, mentions in one.mentions.items():
            if mentions.exact:
                stands[tag] += 1
                right[tag] += tag in one.tags
    mean = mean_vector([one.vector for one in read], terms)
    if tags > MOST_TAGS:  # of what was left out there, nothing is to be taken away either
        mean[np.diff(sums.bounds) == 0] = 0
    # |S/scale - taught * mean/scale| by tag, without making that matrix, which is not sparse.
    by_term = np.repeat(np.arange(terms), np.diff(sums.bounds))
    scaled, common = sums.values / squares[by_term], mean / squares
    own = np.bincount(sums.tags, weights=scaled**2, minlength=tags)
    shared = np.bincount(sums.tags, weights=scaled * common[by_term], minlength=tags)
    norms = np.sqrt(np.maximum(own - 2 * taught * shared + taught**2 * (common @ common), 0))
    together = np.zeros((tags, len(read[0].meaning) if read else 0))
    for one in read:
        together[sorted(one.tags)] += one.meaning
    together /= np.maximum(np.linalg.norm(together, axis=1, keepdims=True), 1e-9)
    return TagStatistics(sums, taught, len(read), mean, squares, norms, stands, right, together)
