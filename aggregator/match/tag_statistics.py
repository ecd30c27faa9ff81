"""What the clippings of each tag have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aggregator.match.analysis import AnalyzedDocument
from aggregator.match.sparse import Floats, SparseRows, TermTagMatrix, normalize_rows

MAX_TAGS_PER_TERM = 256  # a term that more tags share costs more time than it is worth
_PRIOR_SCALE = 1.0  # added to the scale of each term, so that one clipping does not decide


@dataclass(frozen=True, slots=True)
class TagStatistics:
    """Sums over the clippings, by tag and by term."""

    sums: TermTagMatrix  # (term, tag) sum of the vectors of the tag's clippings
    clipping_counts: Floats  # (tag,) clippings of the tag that have a vector
    clipping_total: int
    mean: Floats  # (term,) mean vector of all clippings
    scale: Floats  # (term,) each term is divided by this
    norms: Floats  # (tag,) length of the tag's weights: (sums - count * mean) / scale
    name_counts: Floats  # (tag,) clippings that contain the tag's name
    name_hits: Floats  # (tag,) those of them that bear the tag
    meaning: Floats  # (tag, size) mean meaning of the tag's clippings; size 0 without embedder


def compute_statistics(
    clippings: Sequence[AnalyzedDocument], tag_count: int, term_count: int
) -> TagStatistics:
    """Add up the clippings by tag."""
    sums = TermTagMatrix.from_triples(
        [
            (clipping.vector.ids, np.full(len(clipping.vector.ids), tag), clipping.vector.values)
            for clipping in clippings
            for tag in sorted(clipping.document.tags)
        ],
        (term_count, tag_count),
    ).without_common_terms(MAX_TAGS_PER_TERM)
    counts, name_counts, name_hits = np.zeros((3, tag_count))
    meaning = np.zeros((tag_count, len(clippings[0].meaning) if clippings else 0))
    scale = np.full(term_count, _PRIOR_SCALE)
    for clipping in clippings:
        tags = clipping.document.tags
        scale[clipping.vector.ids] += clipping.vector.values**2
        counts[list(tags)] += len(clipping.vector.ids) > 0
        meaning[list(tags)] += clipping.meaning
        for tag, mentions in clipping.mentions.items():
            if mentions.is_exact:
                name_counts[tag] += 1
                name_hits[tag] += tag in tags
    mean = SparseRows.from_vectors([clipping.vector for clipping in clippings]).mean(term_count)
    if tag_count > MAX_TAGS_PER_TERM:  # terms that are missing from the sums are missing here too
        mean[np.diff(sums.bounds) == 0] = 0
    norms = _weight_norms(sums, counts, mean, scale)
    return TagStatistics(
        sums, counts, len(clippings), mean, scale, norms, name_counts, name_hits,
        normalize_rows(meaning),
    )  # fmt: skip


def _weight_norms(sums: TermTagMatrix, counts: Floats, mean: Floats, scale: Floats) -> Floats:
    """|(sums - count * mean) / scale| (tag,), without making that matrix, which is not sparse."""
    terms = np.repeat(np.arange(len(mean)), np.diff(sums.bounds))  # (n,) the term of each sum
    scaled_sums, scaled_mean = sums.values / scale[terms], mean / scale
    own = np.bincount(sums.tags, scaled_sums**2, len(counts))  # (tag,)
    shared = np.bincount(sums.tags, scaled_sums * scaled_mean[terms], len(counts))  # (tag,)
    squares = own - 2 * counts * shared + counts**2 * (scaled_mean @ scaled_mean)
    norms: Floats = np.sqrt(np.maximum(squares, 0))
    return norms
